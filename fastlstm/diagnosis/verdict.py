"""What diagnose says: the verdict as values, and as the text that a student reads."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastlstm.diagnosis.bench import Candidate
from fastlstm.diagnosis.formula_text import formulas, link
from fastlstm.diagnosis.mistake import Mistake, compose

LIMITS = """\
What this cannot know: agreement on these draws, lengths and outputs is no proof. Numbers show what code computes, not
how it is written. A truncation or a clip may be meant. Nothing is said about matrices, transposes or batches."""


@dataclass(frozen=True)
class Finding:
    """A mistake as it is told: its id, the formulas that it changes, a sentence, what was computed, and what is right.

    link: into the derivation; source: where the mistake was seen in public, or nothing.
    """

    id: str
    formulas: tuple[str, ...]
    sentence: str
    computed: tuple[str, ...]
    mended: tuple[str, ...]
    link: str
    source: str = ""

    @classmethod
    def of(cls, mistake: Mistake, *, differentiated: bool = False) -> "Finding":
        """A mistake of the catalogue. differentiated: the gradients are those of the mistaken forward pass."""
        names = [name for name in mistake.changes if not differentiated or name in _FORWARD_NAMES]
        sentence = mistake.sentence
        if differentiated:
            sentence = (
                f"{sentence.partition(';')[0].partition(', with the slope')[0]}; the gradients are those of that pass"
            )
        return cls(
            mistake.id,
            mistake.formulas,
            sentence,
            tuple(formulas(names, compose([mistake]) or {})),
            tuple(formulas(names, {})),
            link(mistake.formulas[0]),
            mistake.source,
        )

    def __str__(self) -> str:
        lines = [f"  {self.id}  {self.sentence}"]
        lines += [f"    computed  {text}" for text in self.computed]
        lines += [f"    right     {text}" for text in self.mended]
        return "\n".join(
            [*lines, f"    derived in {self.link}, {', '.join(self.formulas)}" if self.formulas else ""]
        ).rstrip()


_FORWARD_NAMES = {"f", "i", "o", "g", "C", "h", "y", "z_f", "z_i", "z_o", "z_c", "z_y"}


@dataclass(frozen=True)
class Departure:
    """Where the numbers first depart from the right ones: the output, the number of steps T, and how far, relative to
    the output's largest entry in the draws."""

    output: str
    steps: int
    distance: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no number for what is not finite."""
        return self.__dict__ | {"distance": self.distance if math.isfinite(self.distance) else None}


@dataclass(frozen=True)
class Verdict:
    """What diagnose says of a function.

    right: whether all that it returns agrees. mistakes: those that together give its numbers; none if it is right or
    nothing known does. equals: other sets of mistakes with the same numbers. departs: the first output that is wrong.
    order: the order of the 14 that the function uses. str() is the text to read.
    """

    right: bool
    text: str
    mistakes: tuple[Finding, ...] = ()
    equals: tuple[tuple[Finding, ...], ...] = ()
    departs: Departure | None = None
    order: str = ""

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "right": self.right,
            "mistakes": [finding.__dict__ for finding in self.mistakes],
            "equals": [[finding.id for finding in findings] for findings in self.equals],
            "departs": None if self.departs is None else self.departs.as_dict(),
            "order": self.order,
            "text": self.text,
        }


def findings(candidate: Candidate) -> tuple[Finding, ...]:
    """The mistakes of a candidate as they are told."""
    return tuple(Finding.of(mistake, differentiated=candidate.differentiated) for mistake in candidate.mistakes)


def named(sets: Sequence[tuple[Finding, ...]]) -> str:
    """Some sets of mistakes by their ids."""
    return "; ".join(" + ".join(finding.id for finding in mistakes) for mistakes in sets)


def paragraphs(*parts: str | Iterable[str]) -> str:
    """Lines and groups of lines, one below the other; what is empty is left out."""
    lines = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    return "\n".join(line for line in lines if line)


def number(size: int, noun: str) -> str:
    """Such as "1 mistake", "two mistakes"."""
    words = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
    return f"{words.get(size, size)} {noun}{'' if size == 1 else 's'}"
