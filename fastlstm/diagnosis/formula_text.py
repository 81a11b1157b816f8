"""The twin's expressions as formulas that a reader knows from docs/derivation.md, and where they are derived there."""

import re
from collections.abc import Iterable, Mapping

from fastlstm.diagnosis.mistake import RIGHT
from fastlstm.oracles.naive import GATES

_PAGE = "docs/derivation.md"
_SECTIONS = {"F": "the-forward-pass", "B": "question-1-the-gradients-at-step-t"}
_SUMS = "question-2-the-gradients-of-the-shared-parameters"

# Parts of a formula that have a line of their own in the table: they are written out where they are used.
_PARTS = {"slope_y", "out", "back", "slope_C", "through", "carry", *(f"slope_{k}" for k in GATES)}
# The quantity that a part belongs to
_WHOLE = {"slope_y": "delta", "out": "dh", "back": "dh", "slope_C": "dC", "through": "dC", "carry": "dC"} | {
    f"slope_{k}": f"dz_{k}" for k in GATES
}


def link(formula: str) -> str:
    """Where the derivation has a formula."""
    is_sum = formula.startswith("B") and int(formula[1:]) >= 9
    return f"{_PAGE}#{_SUMS if is_sum else _SECTIONS[formula[0]]}"


def formulas(names: Iterable[str], lines: Mapping[str, str]) -> list[str]:
    """The formulas of some quantities as a table has them, each once; those that differ in the gate alone as one."""
    wholes = sorted({_whole(name) for name in names}, key=list(RIGHT).index)
    texts = {name: _equation(name, lines) for name in wholes}
    alike: dict[str, list[str]] = {}
    for name, text in texts.items():
        alike.setdefault(_for_any_gate(text, _gate(name)), []).append(name)
    return [
        texts[names[0]] if len(names) == 1 else f"{text}   for k = {', '.join(map(_gate, names))}"
        for text, names in alike.items()
    ]


def _whole(name: str) -> str:
    """The quantity that a line belongs to: a part to its formula, a term of a sum to the sum."""
    if name.startswith(("dW_", "db_")):
        return f"grad_{name[1:]}"
    return _WHOLE.get(name, name)


def _equation(name: str, lines: Mapping[str, str]) -> str:
    expression = _written_out(lines.get(name, RIGHT[name]), lines)
    for part in re.findall(r"sum\((\w+)\[1:T\+1\]\)", expression):
        term = _written_out(lines.get(part, RIGHT[part]), lines)
        term = f"({term})" if _is_sum(term) else term
        expression = expression.replace(f"sum({part}[1:T+1])", f"sum over t of {term}")
    for part, step in re.findall(r"\b(d[Wb]_\w+)\[(\w+)\]", expression):  # one term of the sum alone
        term = _written_out(lines.get(part, RIGHT[part]), lines)
        at_step = term.replace("[t]", f"[{step}]").replace("[t-1]", "[0]" if step == "1" else f"[{step}-1]")
        expression = expression.replace(f"{part}[{step}]", at_step)
    if name in ("dh0", "dC0"):
        left = f"{name[:2]}_0"
    else:
        left = f"d{name.removeprefix('grad_')}" if name.startswith("grad_") else _readable(f"{name}[t]")
    return f"{left} = {_readable(expression)}"


def _written_out(expression: str, lines: Mapping[str, str]) -> str:
    """With the parts in place of their names."""
    for part in _PARTS:
        for index in re.findall(rf"\b{part}\[(\w+)\]", expression):
            text = lines.get(part, RIGHT[part]).replace("[t]", f"[{index}]")
            text = _written_out(text, lines)
            alone = expression.strip() == f"{part}[{index}]"
            if _is_sum(text) and not alone and re.search(rf"\* {part}\[|{part}\[\w+\] \*", expression):
                text = f"({text})"
            expression = expression.replace(f"{part}[{index}]", text)
    return expression


def _is_sum(text: str) -> bool:
    """Whether a plus or minus stands outside of all brackets."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and letter in "+-" and at > 0 and text[at - 1] == " ":
            return True
    return False


def _readable(expression: str) -> str:
    """W_hi dz^i_{t+1} for W_hi * dz_i[t+1]."""
    text = expression.replace("sigmoid(", "s(").replace("len(zero)", "draws")
    text = re.sub(r"\((t [<>%=][^()]*)\)", r"[\1]", text)
    text = re.sub(r"\b([A-Za-z]\w*)\[([^\[\]=<>%]+)\]", lambda m: f"{_symbol(m[1])}{_index(m[2])}", text)
    text = re.sub(r"tanh\((\w+)\)\*\*2", r"tanh^2 \1", text).replace("**2", "^2")
    text = re.sub(r" \* 1(?=$| \+)", "", text).replace(" * ", " ")
    text = re.sub(r"\bzero\b", "0", text)
    return re.sub(r" \+ 0(?=$| \+)", "", text)


def _symbol(name: str) -> str:
    return re.sub(r"^(d?z)_(\w)$", r"\1^\2", name)


def _index(index: str) -> str:
    return f"_{index}" if len(index) == 1 else f"_{{{index}}}"


def _gate(name: str) -> str:
    """The gate that a quantity belongs to by its letter, or nothing."""
    match = re.fullmatch(r"(?:grad_)?(?:d?z_|W_h|W_x|b_)([fioc])|([fio])", name)
    return (match[1] or match[2]) if match else ""


def _for_any_gate(text: str, gate: str) -> str:
    """The formula with k for the gate."""
    return re.sub(rf"(W_h|W_x|b_|z\^){gate}(?![a-z])", r"\1k", text) if gate else text
