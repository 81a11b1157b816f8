"""The answer that a page begins with: what the draws say about the question of the title, in two sentences."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from fastlstm.claims.statistic import parse_statistic
from fastlstm.intervals import wilson
from fastlstm.report.claim_figure import where_text
from fastlstm.report.numbers import count, listed, number, percent
from fastlstm.report.run_data import RunData
from fastlstm.report.truncation import modes

_STEM = 6  # letters by which words are held to be the same
_FLAGS = {"exploded": ("explod",), "vanished": ("vanish", "surviv", "alive", "keep", "reach", "become")}
_EXPONENT = ("chaot", "attrac", "strang")


def answer(run: RunData) -> list[str]:
    """One sentence from all draws, and one from the claim whose words are nearest to the title's; then the count."""
    sentences = [_of_draws(run)] if run.status.draws else []
    if not run.claims.empty:
        sentences += [_of_claim(run), _verdicts(run.claims)]
    return sentences


def stems(text: str) -> set[str]:
    """The words of a text, cut to their first letters; short words and plural endings left out."""
    return {word.rstrip("s")[:_STEM] for word in re.findall(r"[a-z]{4,}", text.lower())}


def _of_draws(run: RunData) -> str:
    asked = stems(run.title)
    if run.has("lyapunov_1") and any(stem.startswith(word) for stem in asked for word in _EXPONENT):
        table = pd.DataFrame([_exponents(run, point) for point in run.points.index], index=run.points.index)
        return f"The share of exponents above 0 {_range(run, table)}."
    if shortened := modes(run):
        points = run.points.index[run.points["steps"] == run.longest].to_numpy()
        errors = {words: run.tally(f"{mode}_rel_error", points).median() for mode, (words, _) in shortened.items()}
        off = listed([f"{number(100 * error, digits=2)}% with {words}" for words, error in errors.items()])
        return f"At T = {number(run.longest, digits=6)} half of the draws miss more of the gradient than {off}."
    if "tail" in asked and "gradie" in asked and run.has("log10_J_hh"):
        tally = run.tally("log10_J_hh")
        above = listed([f"{percent(tally.share_above(log))} above {number(10.0**log)}" for log in (0, 1, 3)])
        return f"Of {count(tally.draws)} values of |dh_T/dh_0| there are {above}."
    wanted = [flag for flag, words in _FLAGS.items() if any(s.startswith(w) for s in asked for w in words)]
    if len(wanted) == 1:
        table = pd.DataFrame([_flag(run, wanted[0], point) for point in run.points.index], index=run.points.index)
        return f"The share of {wanted[0]} gradients {_range(run, table)}."
    shares = {flag: sum(run.overall[flag]) / run.status.draws for flag in _FLAGS}
    return (
        f"Of {count(run.status.draws)} draws {percent(shares['vanished'])} have a gradient that vanishes, and "
        f"{percent(shares['exploded'])} one that explodes."
    )


def _exponents(run: RunData, point: int) -> dict[str, float]:
    tally = run.tally("lyapunov_1", np.array([point]))
    return _share(round(tally.share_above(0.0) * tally.draws) if tally.draws else 0, tally.draws)


def _flag(run: RunData, flag: str, point: int) -> dict[str, float]:
    rows = run.regimes[run.regimes["point"] == point]
    return _share(int(rows[flag].sum()), int(rows["draws"].sum()))


def _share(hits: int, draws: int) -> dict[str, float]:
    if not draws:
        return {"estimate": np.nan, "low": 0.0, "high": 1.0}
    low, high = wilson(hits, draws)
    return {"estimate": hits / draws, "low": low, "high": high}


def _range(run: RunData, table: pd.DataFrame) -> str:
    """The smallest share at a point and the largest one, with its interval."""
    shares = table.dropna().reset_index().to_dict("records")
    low, high = (choose(shares, key=lambda row: row["estimate"]) for choose in (min, max))
    most = _percent_interval(high)
    if low["estimate"] == high["estimate"]:
        return f"is {most}" + (", at every point" if len(shares) > 1 else "")
    least = f"{percent(low['estimate'])}, at {where_text(run, low['point'])}"
    return f"goes from {least}, to {most}, at {where_text(run, high['point'])}"


def _percent_interval(row: Any) -> str:
    low, high = (number(100 * row[end], digits=4) for end in ("low", "high"))
    return f"{percent(row['estimate'])}, 95% interval {low} to {high}%"


def _of_claim(run: RunData) -> str:
    """The claim that shares most words with the title, rare words of claims counting more; its verdict and number."""
    texts = run.claims.groupby("claim")["text"].first()
    common = Counter(stem for text in texts for stem in stems(text))
    asked = stems(run.title)
    score = {claim: sum(1 / common[stem] for stem in stems(text) & asked) for claim, text in texts.items()}
    best = max(score, key=lambda claim: (score[claim], -int(str(claim))))
    row = run.claims[(run.claims["claim"] == best) & run.claims["decides"]].iloc[0]
    says = {"holds": "", "fails": "Not so: ", "undecided": "Undecided: "}[row["claim_verdict"]]
    is_share = _is_share(row["statistic"])
    value = _percent_interval(row) if is_share else f"{number(row['estimate'])}, 95% interval {_ends(row)}"
    at = where_text(run, int(row["point"]))
    return f"{says}{row['text'].rstrip('.')} ({row['statistic']} is {value}{f', at {at}' if at else ''})."


def _is_share(text: str) -> bool:
    statistic = parse_statistic(text)
    return statistic.is_plain and statistic.terms[0].function == "share"


def _ends(row: Any) -> str:
    return f"{number(row['low'])} to {number(row['high'])}"


def _verdicts(claims: pd.DataFrame) -> str:
    verdicts = claims.groupby("claim")["claim_verdict"].first().astype(str)
    numbers = verdicts.value_counts()
    words = {"holds": ("holds", "hold"), "fails": ("fails", "fail"), "undecided": ("is undecided", "are undecided")}
    parts = [f"{numbers[name]} {many[int(numbers[name] > 1)]}" for name, many in words.items() if numbers.get(name)]
    return (
        f"Of {len(verdicts)} claims {', '.join(parts)}."
        if len(verdicts) > 1
        else f"The claim {words[verdicts.iloc[0]][0]}."
    )
