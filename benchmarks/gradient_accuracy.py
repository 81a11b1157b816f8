"""The error of all 14 gradients against arithmetic of 50 digits, next to that of JAX in float64 on the same draws.

    python benchmarks/gradient_accuracy.py [--draws N] [--long-draws N] [--write docs/gradient-accuracy.md]

JAX's gradients are those of the plain unit in tests/autodiff.py.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import autodiff
import numpy as np
import pandas as pd
from mpmath import mp
from numpy.typing import NDArray
from rich.progress import track

import fastlstm
from fastlstm.oracles import exact

Array = NDArray[Any]
SMALLEST, LARGEST = float(np.finfo(np.float64).smallest_normal), float(np.finfo(np.float64).max)

TEXT = """\
# Errors of the gradients

[Documentation](README.md) · Trust

All 14 gradients of a draw against arithmetic of 50 digits, in float64, next to JAX {jax} in float64 on the same draws
with the unit as one would write it (`tests/autodiff.py`). The error of a component is relative to that component.

{table}

"held": the share of the components whose true size float64 can hold, {smallest:.1e} to {largest:.1e}. The errors are
those of these. "lost": how many of these are returned as 0, inf or NaN; such an error counts as 1.

The worst errors of ordinary draws are those of sums over time whose terms cancel, and of orbits that amplify rounding:
they strike any arithmetic of this width, now this code more and now that. A pre-activation of 700 is itself rounded to
half a unit in its last place, which changes its exponential by {saturated:.0e}.

| kind | draws |
|---|---|
{kinds}

## Growth beyond float64

{growth_draws} draws of {growth_steps:,} steps with h_0 = C_0 = W_xc = b_c = 0 and W_hc of -{W_hc:g} or {W_hc:g}: the
state stays exactly 0 in any arithmetic, so that no orbit is lost, and the norm of the gradient grows to
10^{growth_least:.0f} to 10^{growth_most:.0f}. The error is that of log10 itself, in decades. A unit in the last
place of these numbers is 4.5e-13.

{growth_table}

Of the gradients by the 14 parameters, h_0 and C_0 those of W_xc, b_c, b_y, h_0 and C_0 are not 0. JAX returns
{jax_growth_lost:,} of these {jax_growth_all:,} as inf, NaN or 0; it has no logarithms to return.

## The counterexample of the derivation

The inputs of [the counterexample](derivation.md), recorded in the arithmetic that replays them. dh_T/dh_0 grows in
proportion to time once the cell has settled:

{counterexample}

Made by `python benchmarks/gradient_accuracy.py --write docs/gradient-accuracy.md`.
"""


def escaped(text: str) -> str:
    """For a cell of a Markdown table."""
    return text.replace("|", "\\|")


class Draws(NamedTuple):
    params: Array
    x: Array
    h0: Array
    C0: Array
    dy: Array

    def column(self, name: str) -> Array:
        """A view of one parameter, (draws,)."""
        return self.params[:, fastlstm.PARAMETERS.index(name)]


def ordinary(random: np.random.Generator, draws: int, steps: int) -> Draws:
    params = random.standard_normal((draws, 14))
    x, dy = random.standard_normal((2, draws, steps))
    return Draws(params, x, random.uniform(-1, 1, draws), random.standard_normal(draws), dy)


def saturated(random: np.random.Generator, draws: int, steps: int, gates: str = "fio") -> Draws:
    arrays = ordinary(random, draws, steps)
    np.clip(arrays.x, -4, 4, out=arrays.x)
    for gate in gates:
        arrays.column(f"W_h{gate}")[:] = random.uniform(-1, 1, draws)
        arrays.column(f"W_x{gate}")[:] = random.uniform(-1, 1, draws)
        arrays.column(f"b_{gate}")[:] = random.choice([-1, 1], draws) * random.uniform(26, 694, draws)
    return arrays


def all_saturated(random: np.random.Generator, draws: int, steps: int) -> Draws:
    return saturated(random, draws, steps, gates="fioc")


def small_cell(random: np.random.Generator, draws: int, steps: int) -> Draws:
    arrays = ordinary(random, draws, steps)
    for values in (arrays.column("W_xc"), arrays.column("b_c"), arrays.C0):
        values[:] = random.choice([-1, 1], draws) * 10 ** random.uniform(-9, -7, draws)
    for name in ("W_hc", "W_xf"):
        arrays.column(name)[:] = 0
    arrays.column("b_f")[:] = -np.abs(arrays.column("b_f"))
    trace = fastlstm.forward(arrays.params, arrays.x, h0=arrays.h0, C0=arrays.C0)
    assert np.abs(trace.C).max() < 1e-6
    return arrays


def vanishing(random: np.random.Generator, draws: int, steps: int) -> Draws:
    arrays = ordinary(random, draws, steps)
    for gate in "fioc":
        arrays.column(f"W_h{gate}")[:] = random.uniform(-0.5, 0.5, draws)
    arrays.dy[:] = np.eye(steps)[-1]
    return arrays


class Kind(NamedTuple):
    """Draws of one kind, in the words of the table."""

    name: str
    words: str
    make: Callable[[np.random.Generator, int, int], Draws]
    steps: int = 30
    long: bool = False


KINDS = (
    Kind("ordinary", "parameters, inputs, C_0 and dy N(0, 1), h_0 U(-1, 1)", ordinary),
    Kind("saturated gates", "20 < |z| < 700 of f, i and o at every step, of either sign", saturated),
    Kind("all saturated", "the same, and 20 < |z| < 700 of the candidate too", all_saturated),
    Kind("|C| < 1e-6", "b_c, W_xc and C_0 of 10^-9 to 10^-7, W_hc = W_xf = 0, b_f < 0", small_cell),
    Kind("vanishing", "recurrent weights U(-1/2, 1/2), dy_T = 1 alone", vanishing, steps=10_000, long=True),
)


def truth(arrays: Draws, draw: int) -> list[Any]:
    """The 14 gradients of one draw, in 50 digits."""
    params, x, h0, C0, dy = (values[draw] for values in arrays)
    return exact.gradients(params, x, dy, h0, C0).params


def errors(measured: Array, true: list[list[Any]]) -> Array:
    """Relative errors, NaN for components that float64 cannot hold; of a component that is 0, inf or NaN it is 1."""
    relative = np.full(measured.shape, np.nan)
    with mp.workdps(50):
        for place, value in np.ndenumerate(measured):
            expected = true[place[0]][place[1]]
            if SMALLEST <= abs(expected) <= LARGEST:
                there = np.isfinite(value)
                relative[place] = abs(exact.number(float(value)) / expected - 1) if there else 1
    return relative


def by_jax(arrays: Draws) -> Array:
    """JAX's 14 gradients."""
    return np.asarray(autodiff.gradients(*arrays)[0])


HEAD = """\
| kind | steps | draws | held | | median | 99% | worst | lost | median of what JAX keeps |
|---|--:|--:|--:|---|--:|--:|--:|--:|--:|"""


def compare(kind: Kind, draws: int) -> str:
    """Two rows of the table."""
    arrays = kind.make(np.random.default_rng([KINDS.index(kind), kind.steps]), draws, kind.steps)
    true = [truth(arrays, draw) for draw in track(range(draws), kind.name)]
    values = {
        "fastlstm": fastlstm.gradients(arrays.params, arrays.x, arrays.dy, h0=arrays.h0, C0=arrays.C0).params,
        "JAX": by_jax(arrays),
    }
    relative = {name: errors(measured, true) for name, measured in values.items()}
    held = np.isfinite(relative["JAX"])
    lost = {name: held & ((measured == 0) | ~np.isfinite(measured)) for name, measured in values.items()}
    first = f"| {escaped(kind.name)} | {kind.steps:,} | {draws:,} | {held.mean():.1%} "
    lines = []
    for name, error in relative.items():
        median, most, worst = np.quantile(error[held], [0.5, 0.99, 1])
        kept = np.median(error[held & ~lost["JAX"]])
        lines.append(f"{first}| {name} | {median:.1e} | {most:.1e} | {worst:.1e} | {lost[name].sum():,} | {kept:.1e} |")
        first = "| | | | "
    return "\n".join(lines)


# --- growth, where only logarithms are left ------------------------------------------------------

GROWTH_STEPS, W_HC = 2000, 100.0
NORMS = {part: slice(3 * place, 3 * place + 3) for place, part in enumerate("fioc")}


def simulate(folder: Path, params: dict[str, Any], x: Array, *, draws: int, h: float, C: float) -> pd.DataFrame:
    """The rows of a spec whose draws all have the inputs x."""
    pd.DataFrame({"x": x}).to_parquet(folder / "inputs.parquet")
    return fastlstm.simulate(
        {
            "draws": draws,
            "steps": len(x),
            "params": params,
            "state": {"h": h, "C": C},
            "input": {"process": "file", "file": str(folder / "inputs.parquet"), "column": "x"},
            "loss": {"kind": "last"},
            "measure": {"groups": ["norms", "jacobian"]},
            "store": {"dtype": "float64"},
        }
    )


def growth(folder: Path, draws: int) -> dict[str, Any]:
    """What the text says of growth beyond float64."""
    x = np.random.default_rng(GROWTH_STEPS).standard_normal(GROWTH_STEPS)
    weights = {"default": {"normal": {}}, "W_xc": 0.0, "b_c": 0.0, "W_hc": {"choice": {"values": [-W_HC, W_HC]}}}
    rows = simulate(folder, weights, x, draws=draws, h=0.0, C=0.0)
    params = rows[list(fastlstm.PARAMETERS)].to_numpy()
    dy = np.eye(GROWTH_STEPS)[-1]
    wrong: dict[str, list[float]] = {}
    lost = components = 0
    zero, many = np.zeros(draws), np.ones((draws, 1))
    by_params, _, by_h0, by_C0 = autodiff.gradients(params, many * x, zero, zero, many * dy)
    jax = np.column_stack([by_params, by_h0, by_C0])
    for draw in track(range(draws), "growth"):
        true = exact.gradients(params[draw], x, dy)
        row = rows.iloc[draw]
        logs = {"log10_dh0": exact.log10_abs(true.h0), "log10_dC0": exact.log10_abs(true.C0)}
        logs["log10_grad"] = exact.log10_norm(true.params)
        logs |= {f"log10_grad_{part}": exact.log10_norm(true.params[rows_]) for part, rows_ in NORMS.items()}
        for name, value in logs.items():
            error = abs(float(row[name]) - value) if np.isfinite(value) else float(row[name] != value)
            wrong.setdefault(name, []).append(error)
        real = np.array([value != 0 for value in (*true.params, true.h0, true.C0)])
        components += int(real.sum())
        lost += int((real & (~np.isfinite(jax[draw]) | (jax[draw] == 0))).sum())
    lines = ["| column | median | worst |", "|---|--:|--:|"]
    lines += [f"| `{name}` | {np.median(values):.1e} | {np.max(values):.1e} |" for name, values in wrong.items()]
    return {
        "growth_draws": draws,
        "growth_steps": GROWTH_STEPS,
        "W_hc": W_HC,
        "growth_least": rows["log10_grad"].min(),
        "growth_most": rows["log10_grad"].max(),
        "growth_table": "\n".join(lines),
        "jax_growth_lost": lost,
        "jax_growth_all": components,
    }


def counterexample(folder: Path) -> str:
    """log10 |dh_T/dh_0| of the derivation's counterexample, as a table."""
    from test_range import COUNTEREXAMPLE, recorded

    x = recorded(100_000)
    lines = ["| T | log10 of dh_T/dh_0 | decades per step | growth per step |", "|--:|--:|--:|--:|"]
    for steps in (60, 1_000, 10_000, 50_000, 100_000):
        (log10,) = simulate(folder, COUNTEREXAMPLE, x[:steps], draws=1, h=0.36, C=0.9)["log10_J_hh"]
        lines.append(f"| {steps:,} | {log10:,.3f} | {log10 / steps:.4f} | {10 ** (log10 / steps):.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or write them with their explanation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000, help="draws of a kind")
    parser.add_argument("--long-draws", type=int, default=20, help="of those with thousands of steps")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write")
    arguments = parser.parse_args()
    lines = [HEAD]
    for kind in KINDS:
        lines.append(compare(kind, arguments.long_draws if kind.long else arguments.draws))
        print(lines[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        grown = growth(Path(folder), arguments.long_draws)
        print(grown, flush=True)
        table = counterexample(Path(folder))
    print(table)
    if arguments.write:
        text = TEXT.format(
            jax=autodiff.jax.__version__,
            table="\n".join(lines),
            kinds="\n".join(f"| {escaped(kind.name)} | {escaped(kind.words)} |" for kind in KINDS),
            smallest=SMALLEST,
            largest=LARGEST,
            saturated=np.spacing(700.0) / 2,
            counterexample=table,
            **grown,
        )
        arguments.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
