"""Print the page of the mistakes that diagnose knows: python docs/make_diagnose.py > docs/diagnose.md"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import fastlstm
from fastlstm.diagnosis.bench import ROUNDING, bench_for, off
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.formula_text import formulas
from fastlstm.diagnosis.mistake import compose
from fastlstm.diagnosis.outputs import OUTPUTS, Kind
from fastlstm.diagnosis.probes import Takes
from fastlstm.diagnosis.spellings import made_of
from fastlstm.oracles import naive
from fastlstm.oracles.naive import NAMES, Array

HEAD = """\
# Name the mistake in an LSTM's gradients

[Documentation](README.md) · Use

This page is made by `python docs/make_diagnose.py > docs/diagnose.md`. Everything on it that diagnose says was said by
the code as it is.

Somebody writes the backward pass of an LSTM by hand and compares it with finite differences. They disagree; now what?
`fastlstm.diagnose` names the mistake:

```python
import fastlstm

verdict = fastlstm.diagnose(my_gradients)  # of (params, x, dy, h0, C0), or fewer, for one draw or a batch
print(verdict)  # the text below
verdict.right, verdict.mistakes, verdict.equals, verdict.departs


def test_gradients():
    fastlstm.assert_gradients(my_gradients)  # AssertionError with the same text
```

    fastlstm diagnose mine.py:gradients [--order ifgo] [--json]     # exit 0 right, 4 wrong, 2 cannot be called

The function returns the 14 gradients, or a mapping of any of W_hf .. b_y, h0, C0, dh, dC, df, di, do, dg, dz_f .. dz_c,
dx. A forward pass is diagnosed with `kind="forward"`: a mapping of any of f, i, o, g, C, h, y, or the loss, the sum of
y_t.

## How it is done

The unit and its gradients are a table of expressions, one for each quantity of [the derivation](derivation.md), in
[oracles/naive.py](../fastlstm/oracles/naive.py). A mistake changes some of them. diagnose calls the function on four
ordinary draws each of 1, 2, 3 and 5 steps and compares its numbers with those of every mistaken table: one mistake,
every two, and then more, output by output from the shortest sequence up. A mistake is stated only where **all** columns
agree and whatever has other numbers is at least 30 times farther away. The own mistake agrees to rounding; another one
is off by some percent of a column. Before that it looks for shapes, NaN, zeros, one constant factor, and the 14 in
another order; in the end, where all agree, at draws with large parameters, where clips show. A search ends after 10
seconds of processor time.

## How often it is right

`python benchmarks/diagnosis.py` puts mistakes into a function of plain Python that is called one draw at a time, and
counts. Every mistake alone is named, in float64, in float32 and from central differences of a wrong forward pass, but
for the two of which the next section speaks; 200 of 200 random pairs and 50 of 50 random sets of four are named, among
the sets with the same numbers where there are several; of 40 mistakes that diagnose was told to forget none was given
another name. Each of a set shows beside the others, and no two change the same line.

## What it cannot know

- Agreement on these draws, lengths and outputs is no proof that a function is right.
- Numbers show what code computes, not how it is written: sets of mistakes with equal numbers are listed, not told
  apart.
- Different need not be wrong. Truncations (modes `cec` and `local`, windows), clips and averages may be meant.
- "No known mistake" says no more than that. Columns that agree with a part are told as that, not as a mistake found.
- The unit is made of numbers. Transposed matrices, broadcasting and sums over a batch do not exist in it.
- Two mistakes of which one hides the other: only what shows can be named. `F2.clip` shows where a gate is saturated
  beyond 1e-7 and in float64 alone, `S./D` in functions of a batch alone.

## Orders of the gates

The project's order is f, i, o, c. A function that reads *and* returns the 14 in another order of the gates, with W_x
before W_h or all weights of a kind side by side, is right; its order is found out and told, or stated with `order`. One
that reads them in the project's order and returns them in another is wrong, and the verdict says in which order.
"""

HOMEWORK = """
## The first example: a worked solution

The project started from a worked homework solution
([what it gets wrong](derivation.md#what-the-source-solution-gets-wrong)). Its formulas, taken literally, h_0 and C_0
being 0:

| its formula | what diagnose says | the same numbers |
|---|---|---|
"""

PARTLY = """
What it says of the first variant of dC:

"""

STUDY = """
## What can be told from which outputs

Of the {count} mistakes, on the ordinary draws with h_0 and C_0 given: how many show in an output, how many of these
have numbers of their own, and how far the nearest two of different numbers are, as a share of a column.

| a function returns | show | unique | nearest |
|---|---|---|---|
"""

ALIKE = """
With the 14, dx, h0 and C0 these have equal numbers: {alike}. Some are made of others, line by
line, so that both are listed: {made}.

A forward mistake is also known with the gradients that are right for it, which is what automatic differentiation and
finite differences of a wrong forward pass give; it then has the numbers of `F3.sigmoid*` and `F5.C*`, where these are
meant. f and i in each other's place, with the gradients of that and the 14 in one array, is another order of the gates.
"""

CATALOGUE_HEAD = """
## The catalogue

*from*: the shortest sequence that shows it in the 14 gradients, dx, h0 and C0; "strong": only large parameters show
it. *nearest*: the mistake with the nearest other numbers, and how far they are. The last column says where a mistake
was seen in public.
"""

Gradients = Callable[..., dict[str, Array]]


def homework(quantity: str, variant: str = "") -> Gradients:
    """The source's formulas for dh, dC, df, di, do and dW_hi, as they are written."""

    def function(params: Array, x: Array, dy: Array) -> dict[str, Array]:
        trace = naive.forward(params, x)
        f, i, o, g, C, h, y = trace[:7]
        before = np.zeros((len(x), 1))
        C_before, h_before = np.hstack([before, C[:, :-1]]), np.hstack([before, h[:, :-1]])
        dh = naive.Parameters(*params.T).W_y[:, None] * y * (1 - y) * dy
        dC = o * (1 - np.tanh(C) ** 2) * dh
        if variant == "first":
            for t in range(x.shape[1] - 2, -1, -1):
                dC[:, t] += f[:, t] * dC[:, t + 1]
        terms = h_before * i * (1 - i) * g * dC
        sums = {"sum over t": terms.sum(axis=1), "as written": x.shape[1] * terms[:, -1], "by dz/dC": 0 * terms[:, 0]}
        steps = {"dh": dh, "dC": dC, "do": np.tanh(C) * dh, "df": C_before * dC, "di": g * dC}
        return {quantity: steps[quantity] if quantity in steps else sums[variant]}

    function.__name__ = f"homework_{quantity}"
    return function


SOLUTION = {
    "dh_t = W_y y_t (1 - y_t) dy_t": homework("dh"),
    "dC_t, first variant: ... + f_t dC_{t+1}": homework("dC", "first"),
    "dC_t, final: dh_t o_t (1 - tanh^2 C_t)": homework("dC"),
    "do_t = dh_t tanh C_t": homework("do"),
    "df_t = dC_t C_{t-1}": homework("df"),
    "di_t = dC_t g_t": homework("di"),
    "dW_hi, summed over t": homework("W_hi", "sum over t"),
    "dW_hi as written: a sum over i = 1..T of terms in t, t left at T": homework("W_hi", "as written"),
    "dW_hi by dz/dC_t at its word": homework("W_hi", "by dz/dC"),
}


def solution() -> Iterator[str]:
    for formula, function in SOLUTION.items():
        verdict = fastlstm.diagnose(function)
        said = " + ".join(finding.id for finding in verdict.mistakes) or verdict.text.partition("wrong. ")[2]
        equals = "; ".join(" + ".join(finding.id for finding in equal) for equal in verdict.equals)
        yield f"| {formula} | {said} | {equals} |"


STEPS = ("dh", "dC", "df", "di", "do")
STUDIED: list[tuple[str, Kind, Sequence[str]]] = [
    ("the 14", "gradients", NAMES),
    ("the 14, h0, C0, dx", "gradients", (*NAMES, "h0", "C0", "dx")),
    ("W_hi", "gradients", ("W_hi",)),
    ("W_hi, W_xi, b_i", "gradients", ("W_hi", "W_xi", "b_i")),
    ("dx", "gradients", ("dx",)),
    ("h0, C0", "gradients", ("h0", "C0")),
    *((name, "gradients", (name,)) for name in STEPS),
    (", ".join(STEPS), "gradients", STEPS),
    ("a forward pass: f, i, o, g, C, h, y", "forward", tuple("fiogChy")),
    ("a forward pass: h, C", "forward", ("C", "h")),
    ("a forward pass: y", "forward", ("y",)),
    ("a forward pass: the loss", "forward", ("loss",)),
]


def numbers(kind: Kind, names: Sequence[str]) -> tuple[list[str], list[Array]]:
    """The ids of right and every mistake alone, and for each probe their columns."""
    ordered = tuple(name for name in OUTPUTS[kind] if name in names)
    bench = bench_for(kind, Takes(), ordered, True)
    alone = [at for at, candidate in enumerate(bench.singles) if not candidate.differentiated]
    ids = ["".join(bench.singles[at].ids) or "right" for at in alone]
    return ids, [columns[alone] for columns in bench.single_columns]


def apart(columns: Sequence[Array]) -> Array:
    """How far every two are: the farthest column of all probes."""
    with np.errstate(invalid="ignore"):
        return np.max([off(values[:, None], values[None]).max(axis=-1) for values in columns], axis=0)


def study() -> Iterator[str]:
    for title, kind, names in STUDIED:
        _, columns = numbers(kind, names)
        distance = apart(columns)
        same = distance < ROUNDING
        shown = ~same[0]
        unique = int((same.sum(axis=1) == 1)[shown].sum())
        yield f"| {title} | {shown.sum()} | {unique} | {distance[~same].min():.1g} |"


def alike(ids: Sequence[str], same: Any) -> str:
    groups = dict.fromkeys(frozenset(np.flatnonzero(row)) for row in same[1:] if row.sum() > 1)
    return "; ".join(" = ".join(ids[at] for at in sorted(group)) for group in groups)


def made() -> str:
    wholes = made_of().items()
    return "; ".join(f"{whole} = {' + '.join(id for id in CATALOGUE if id in parts)}" for whole, parts in wholes)


def catalogue() -> Iterator[str]:
    ids, columns = numbers("gradients", (*NAMES, "h0", "C0", "dx"))
    distance = apart(columns)
    first = [[bool(off(values[at], values[0]).max() > ROUNDING) for values in columns] for at in range(len(ids))]
    section = ""
    for id, mistake in CATALOGUE.items():
        at = ids.index(id)
        if (heading := mistake.formulas[0]) != section:
            section = heading
            yield f"\n### {section}\n"
            yield "| id | mistake | computed | right | from | nearest | seen in |"
            yield "|---|---|---|---|---|---|---|"
        others = np.where(distance[at] < ROUNDING, np.inf, distance[at])
        others[at] = np.inf
        shows = f"T = {(1, 2, 3, 5)[first[at].index(True)]}" if any(first[at]) else "strong"
        nearest = f"{ids[int(others.argmin())]} {others.min():.1g}" if any(first[at]) else ""
        texts = ("<br>".join(formulas(mistake.changes, lines)) for lines in (compose([mistake]) or {}, {}))
        computed, right = (text.replace("|", r"\|") for text in texts)
        cells = (f"`{id}`", mistake.sentence, f"{computed}", f"{right}", shows, nearest, mistake.source)
        yield f"| {' | '.join(cells)} |"


def page() -> str:
    ids, columns = numbers("gradients", (*NAMES, "h0", "C0", "dx"))
    text = str(fastlstm.diagnose(homework("dC", "first")))
    return "".join(
        [
            HEAD,
            HOMEWORK,
            *(f"{line}\n" for line in solution()),
            PARTLY,
            *(f"    {line}\n" for line in text.splitlines()),
            STUDY.format(count=len(CATALOGUE)),
            *(f"{line}\n" for line in study()),
            ALIKE.format(alike=alike(ids, apart(columns) < ROUNDING), made=made()),
            CATALOGUE_HEAD,
            *(f"{line}\n" for line in catalogue()),
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(page())
