"""The answer that a page begins with: what the draws say about the question of the title, in two sentences."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from fastlstm.claims.statistic import parse_statistic
from fastlstm.intervals import wilson
from fastlstm.report.claim_figure import where_text
from fastlstm.report.numbers import count, number, percent
from fastlstm.report.run_data import RunData

_STEM = 6  # letters by which words are held to be the same
_FLAGS = {"exploded": ("explod",), "vanished": ("vanish", "surviv", "alive", "keep", "reach", "become")}
_EXPONENT = ("chaot", "attrac", "strang")
_VERBS = {"exploded": "explode", "vanished": "vanish"}


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
        return f"{_range(run, table)} of draws have an exponent above 0."
    wanted = [flag for flag, words in _FLAGS.items() if any(s.startswith(w) for s in asked for w in words)]
    if len(wanted) == 1:
        table = pd.DataFrame([_flag(run, wanted[0], point) for point in run.points.index], index=run.points.index)
        return f"{_range(run, table)} of gradients {_VERBS[wanted[0]]}."
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
    """From the smallest share at a point to the largest one, with its interval."""
    shares = table.dropna().reset_index().to_dict("records")
    low, high = (choose(shares, key=lambda row: row["estimate"]) for choose in (min, max))
    most = _percent_interval(high)
    if low["estimate"] == high["estimate"]:
        return most + (", at every point," if len(shares) > 1 else "")
    least = percent(low["estimate"])
    return f"From {least} at {where_text(run, low['point'])} to {most} at {where_text(run, high['point'])}"


def _percent_interval(row: Any) -> str:
    low, high = (number(100 * row[end]) for end in ("low", "high"))
    return f"{percent(row['estimate'])} (95% interval {low} to {high}%)"


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
    value = _percent_interval(row) if is_share else f"{number(row['estimate'])} (95% interval {_ends(row)})"
    at = where_text(run, int(row["point"]))
    return f"{says}{row['text'].rstrip('.')}: {row['statistic']} is {value}{f' at {at}' if at else ''}."


def _is_share(text: str) -> bool:
    statistic = parse_statistic(text)
    return statistic.is_plain and statistic.parts[0].function == "share"


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
