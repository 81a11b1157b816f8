"""The answer that a page begins with: what the draws say about the question of the title, in words and figures."""

import re
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fastlstm.claims.statistic import parse_statistic
from fastlstm.intervals import wilson
from fastlstm.report.claim_figure import where_text
from fastlstm.report.numbers import count, digits_apart, interval, listed, number, percent
from fastlstm.report.run_data import RunData
from fastlstm.report.truncation import modes

_STEM = 5  # letters by which words are held to be the same
_FLAGS = {"exploded": ("explo",), "vanished": ("vanis", "survi", "alive", "live", "keep", "reach", "becom")}
_EXPONENT = {"chaot", "attra", "stran"}
_SHORTENED = {"trunc", "wrong", "windo"}
_NO_SUBJECTS = {
    "does",
    "with",
    "what",
    "that",
    "have",
    "from",
    "than",
    "which",
    "many",
    "much",
    "still",
    "while",
    "over",
}
_WORDS = re.compile(r"[a-z]{4,}|(?<![\w.])\d(?![\w.,])")
_NEXT_QUESTION = re.compile(r",? and (?=(?:for )?(?:how|what|which|where|does|do|is|are|can)\b)|, while ")
_LONG = 60  # characters of a place in a sentence


class Answer(NamedTuple):
    """Sentences, and the names of the drawings that show what they say; of a kind with several, the last."""

    sentences: list[str]
    drawings: list[str]


def answer(run: RunData) -> Answer:
    """One sentence from all draws, where the title asks for what they count, and then claims.

    Of the claims the one whose words are nearest to each question of the title, which may ask two; two of them where
    the draws alone say nothing about it.
    """
    counted = _of_draws(run) if run.status.draws else None
    sentences, drawings = ([counted[0]], [counted[1]] if counted[1] else []) if counted else ([], [])
    if not run.claims.empty:
        nearest = nearest_claims(run, fewest=1 if counted else 2)
        sentences += [_of_claim(run, claim) for claim in nearest] + [_verdicts(run.claims)]
        drawings += [f"claim-{claim}" for claim in nearest]
    return Answer(sentences, drawings)


def stems(text: str) -> set[str]:
    """The words of a text, cut to their first letters, and single digits; short words and plural endings left out."""
    return {word.rstrip("s")[:_STEM] for word in _WORDS.findall(text.lower()) if word not in _NO_SUBJECTS}


def nearest_claims(run: RunData, *, fewest: int) -> list[int]:
    """For each question of the title the claim that shares most words with it.

    Of several the one that shares more with the whole title, and then rarer words.
    """
    texts = run.claims.groupby("claim")["text"].first()
    common = Counter(stem for text in texts for stem in stems(text))
    questions = _NEXT_QUESTION.split(run.title)
    nearest: list[int] = []
    for question in (*questions, *[run.title] * (fewest - len(questions))):
        asked = stems(question)
        shared = {int(str(claim)): stems(text) & asked for claim, text in texts.items()}
        of_title = {claim: len(stems(texts[claim]) & stems(run.title)) for claim in shared}
        rare = {claim: sum(1 / common[stem] for stem in of) for claim, of in shared.items()}
        score = {claim: (len(of), of_title[claim], rare[claim], -claim) for claim, of in shared.items()}
        left = [claim for claim in score if claim not in nearest]
        nearest += [max(left, key=lambda claim: score[claim])] if left else []
    return nearest


def _of_draws(run: RunData) -> tuple[str, str] | None:
    """What all draws say, and the drawing that shows it, or none; None where the title asks for nothing of the kind."""
    asked = stems(run.title)
    if run.has("lyapunov_1") and asked & _EXPONENT:
        table = pd.DataFrame([_exponents(run, point) for point in run.points.index], index=run.points.index)
        return f"The share of exponents above 0 {_range(run, table)}.", "phase" if table[
            "estimate"
        ].nunique() > 1 else ""
    shortened = modes(run)
    if shortened and asked & _SHORTENED:
        points = run.points.index[run.points["steps"] == run.longest].to_numpy()
        errors = {words: run.tally(f"{mode}_rel_error", points).median() for mode, (words, _) in shortened.items()}
        off = listed([f"{number(100 * error, digits=2)}% with {words}" for words, error in errors.items()])
        sentence = f"At T = {number(run.longest, digits=6)} half of the draws miss more of the gradient than {off}."
        return sentence, "truncation-error"
    if {"tail", "gradi"} <= asked and run.has("log10_J_hh"):
        tally = run.tally("log10_J_hh")
        above = listed([f"{percent(tally.share_above(log))} above {number(10.0**log)}" for log in (0, 1, 3)])
        return f"Of {count(tally.draws)} values of |dh_T/dh_0| there are {above}.", "survival"
    wanted = [flag for flag, words in _FLAGS.items() if asked & set(words)]
    if not run.claims.empty and not (wanted and asked & {"gradi", *_FLAGS["exploded"]}):
        return None
    if len(wanted) == 1:
        table = pd.DataFrame([_flag(run, wanted[0], point) for point in run.points.index], index=run.points.index)
        reaches = "reach" in asked and "lags" in run.spec.measure.groups
        by_gate = "gate" in asked and run.has("log10_df")
        explodes = wanted == ["exploded"] and table["estimate"].nunique() > 1
        shown = "lags-dC" if reaches else "gate_gradients" if by_gate else "survival" if explodes else ""
        return f"The share of {wanted[0]} gradients {_range(run, table)}.", shown
    shares = {flag: sum(run.overall[flag]) / run.status.draws for flag in _FLAGS}
    sentence = (
        f"Of {count(run.status.draws)} draws {percent(shares['vanished'])} have a gradient that vanishes, and "
        f"{percent(shares['exploded'])} one that explodes."
    )
    return sentence, "fates" if wanted else ""


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
    return f"goes from {percent(low['estimate'])}{_at(run, low['point'])}, to {most}{_at(run, high['point'])}"


def _percent_interval(row: Any) -> str:
    return f"{percent(row['estimate'])}, 95% interval {interval(row['low'], row['high'], share=True)}"


def _of_claim(run: RunData, claim: int) -> str:
    """A claim with its verdict and its number."""
    row = run.claims[(run.claims["claim"] == claim) & run.claims["decides"]].iloc[0]
    says = {"holds": "", "fails": "Not so: ", "undecided": "Undecided: "}[row["claim_verdict"]]
    value = _percent_interval(row) if _is_share(row["statistic"]) else _interval(row)
    return f"{says}{row['text'].rstrip('.')} ({row['statistic']} is {value}{_at(run, int(row['point']))})."


def _at(run: RunData, point: int) -> str:
    """Where a point is, by its number if its values are long, as those of distributions are."""
    where = where_text(run, point)
    return f", at {where if len(where) <= _LONG else f'point {point}'}" if where else ""


def _is_share(text: str) -> bool:
    statistic = parse_statistic(text)
    return statistic.is_plain and statistic.terms[0].function == "share"


def _interval(row: Any) -> str:
    digits = digits_apart(row["low"], row["high"])
    return f"{number(row['estimate'], digits=digits)}, 95% interval {interval(row['low'], row['high'])}"


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
