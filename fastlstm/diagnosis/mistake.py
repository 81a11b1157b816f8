"""What a mistake is: some expressions of the twin's table, changed.

The table is that of `oracles/naive.py`, with the slopes as books and hand-written code have them, made of the gates'
values: BOOK. A mistake changes some of its lines, in one of three ways:

    "dh[t] * C[t]"                 replaces the expression
    "2 * ({})"                     wraps whatever expression stands there
    ("f[t+1]", "f[t]")             replaces a part of it, wherever that stands
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fastlstm.oracles.naive import BACKWARD, ENDS, FORWARD, GATES

BOOK = {
    "slope_y": "y[t] * (1 - y[t])",
    "slope_C": "1 - tanh(C[t])**2",
    **{f"slope_{k}": f"{k}[t] * (1 - {k}[t])" for k in "fio"},
    "slope_c": "1 - g[t]**2",
}
RIGHT: dict[str, str] = {
    name: expression
    for section in (FORWARD, BACKWARD, ENDS)
    for formulas in section.values()
    for name, expression in formulas.items()
} | BOOK
FORMULA = {
    name: formula
    for section in (FORWARD, BACKWARD, ENDS)
    for formula, lines in section.items()
    for name in lines
}  # fmt: skip

Change = str | tuple[str, str]


@dataclass(frozen=True)
class Mistake:
    """One mistake: its id, a sentence for whoever made it, the changed lines, and where it was seen in public."""

    id: str
    sentence: str
    changes: Mapping[str, Change] = field(repr=False)
    source: str = ""

    @property
    def formulas(self) -> tuple[str, ...]:
        """The ids of the formulas that it changes, in the order of the derivation."""
        names = [name for name in RIGHT if name in self.changes]
        return tuple(dict.fromkeys(FORMULA[name] for name in names))

    @property
    def is_forward(self) -> bool:
        """Whether the forward pass is wrong."""
        return any(formula.startswith("F") for formula in self.formulas)


def each(name: str, change: str | tuple[str, str], gates: str = "fioc") -> dict[str, Change]:
    """The same change in the lines of several gates. In all texts {k} is the gate's letter and {a} its value."""

    def written(text: str, k: str) -> str:
        return text.replace("{k}", k).replace("{a}", GATES[k])

    return {
        written(name, k): written(change, k)
        if isinstance(change, str)
        else (written(change[0], k), written(change[1], k))
        for k in gates
    }


def compose(mistakes: Iterable[Mistake]) -> dict[str, str] | None:
    """The lines that differ from the twin's table when all these mistakes are made; None where they exclude each other.

    Replaced expressions come first, then replaced parts, then what wraps them. A mistake in the lines of one gate
    overrules one in those of all gates; otherwise two mistakes cannot replace the same line, and a part can only be
    replaced where it still stands.
    """
    made = sorted(mistakes, key=lambda mistake: -len(mistake.changes))
    lines, owner = dict(BOOK), dict[str, Mistake]()
    for mistake in made:
        for name, change in mistake.changes.items():
            if isinstance(change, str) and "{}" not in change:
                if name in owner and len(owner[name].changes) == len(mistake.changes):
                    return None
                if name in owner and not mistake.changes.keys() < owner[name].changes.keys():
                    return None
                lines[name], owner[name] = change, mistake
    parts = [(name, *change) for m in made for name, change in m.changes.items() if isinstance(change, tuple)]
    for name, old, new in sorted(parts, key=lambda part: -len(part[1])):  # tanh(C[t]) before the C[t] in it
        line = lines.get(name, RIGHT[name])
        if old not in line:
            return None
        lines[name] = line.replace(old, new)
    for mistake in made:
        for name, change in mistake.changes.items():
            if isinstance(change, str) and "{}" in change:
                lines[name] = change.format(lines.get(name, RIGHT[name]))
    return lines
