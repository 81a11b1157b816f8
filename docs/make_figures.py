"""Draw the figures of docs/findings.md from the runs in results/: python docs/make_figures.py, after make sims."""

import runpy
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fastlstm
from fastlstm.report import fates, style
from fastlstm.report.end_labels import spread
from fastlstm.report.run_data import RunData

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
DOTS_PER_INCH = 110
# Okabe and Ito 2008: told apart by the colour-blind
BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
AT_LEAST = 5  # draws beyond the last point of a tail
LEGEND = {"frameon": True, "framealpha": 0.9, "edgecolor": "none", "fontsize": 8.5}


def rows(name: str) -> pd.DataFrame:
    """The rows of a run."""
    return fastlstm.read(ROOT / "results" / name).draws()


def panels(count: int, *, height: float = 3.4, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(1, count, figsize=(9.6, height), sharey=sharey, layout="constrained", squeeze=False)
    for axis in axes[0]:
        axis.grid(visible=True, color="#e0e0e0", linewidth=0.7)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes[0])


def lives() -> Figure:
    """What becomes of the gradient over the mean forget and input gate, and the class of the output gate."""
    run = RunData(fastlstm.read(ROOT / "results" / "atlas"), "atlas")
    with style.drawing():
        (drawn,) = fates.draw(run)
    spread(drawn.figure)
    return drawn.figure


def carousel() -> Figure:
    """The paths through 1000 steps as forget gates open, behind open and behind shut input gates."""
    df = rows("carousel")
    paths = {
        "$C_0 \\to C_T$, along the cell": ("log10_J_CC", BLUE),
        "$h_0 \\to C_T$, into the cell": ("log10_J_Ch", ORANGE),
        "$C_0 \\to h_T$, out of the cell": ("log10_J_hC", GREEN),
        "$h_0 \\to h_T$": ("log10_J_hh", VERMILION),
    }
    figure, axes = panels(2, sharey=True)
    for axis, b_i in zip(axes, (-12, 0), strict=True):
        middle = df[df.b_i == b_i].groupby("b_f")[[column for column, _ in paths.values()]].median()
        for name, (column, colour) in paths.items():
            axis.plot(middle.index, middle[column], "o-", color=colour, label=name, markersize=4)
        state = "shut" if b_i < 0 else "about half open"
        axis.set(title=f"input gates {state} (b_i = {b_i})", xlabel="forget bias b_f", ylim=(-500, 0.5))
        axis.set_yscale("symlog", linthresh=1)
        axis.set_yticks([0, -1, -10, -100], labels=["0", "-1", "-10", "-100"])
    axes[0].set_ylabel("log10 of the derivative, median")
    axes[0].legend(**LEGEND, loc="lower right")
    return figure


def survival(axis: Axes, values: pd.Series, **style: object) -> None:
    """The share of values above K, on log-log axes; `values` are log10."""
    finite = np.sort(values.to_numpy(np.float64))[::-1]
    share = np.arange(1, len(finite) + 1) / len(finite)
    inside = (finite >= -1) & (share * len(finite) >= AT_LEAST)
    thinned = np.unique(np.geomspace(1, inside.sum(), 400).astype(int)) - 1
    axis.loglog(10 ** finite[inside][thinned], share[inside][thinned], **style)


def output_gate() -> Figure:
    """The tail of |dh_T/dh_0|, and the growth of the replayed counterexample."""
    figure, (left, right) = panels(2, height=3.8)
    drawn = rows("heavy_tail")
    for steps, colour in zip((5, 10, 20), (BLUE, SKY, GREEN), strict=True):
        survival(left, drawn.log10_J_hh[drawn.steps == steps], color=colour, label=f"W_ho from 4 to 40, T = {steps}")
    fixed = rows("output_gate")
    one = fixed.log10_J_hh[(fixed.W_ho == 20) & (fixed.steps == 5)]
    survival(left, one, color=VERMILION, linestyle="--", label="W_ho = 20, T = 5")
    K = np.array([0.5, 1e5])
    left.loglog(K, 1 / (2 * K), color="black", linewidth=1.5, label="bound 1 / (2K)")
    left.set(title="how often the output gate explodes", xlabel="K", ylim=(1e-8, 1.5), xlim=(0.1, 1e5))
    left.set_ylabel("P(|dh_T/dh_0| > K), over random h_0")
    left.legend(**LEGEND, loc="lower left")
    for name, weight, colour in (("counterexample", 20, VERMILION), ("counterexample_below_four", 3.9, BLUE)):
        df = rows(name)
        lags = sorted(int(column.rpartition("_")[2]) for column in df if column.startswith("log10_dh_lag_"))
        for point, line in ((0, "-"), (1, ":")):
            some = df[df.point.astype(int) == point]
            shown = [some[f"log10_dh_lag_{lag}"].median() for lag in lags]
            start = "recorded" if point == 0 else "random"
            right.plot(lags, shown, line, marker="o", markersize=4, color=colour, label=f"W_ho = {weight}, {start} h_0")
    right.set(title="the replayed counterexample, T = 60", xlabel="steps back from the last")
    right.set_ylabel("log10 |dL/dh|, median")
    right.legend(**LEGEND)
    return figure


def biases() -> Figure:
    """What forget biases, chrono and uniform gates keep."""
    figure, (left, right) = panels(2)
    df = rows("forget_bias")
    for std, colour in zip(sorted(df.default_normal_std.unique()), (BLUE, GREEN, VERMILION), strict=True):
        for steps, line in ((10, ":"), (100, "-")):
            some = df[(df.default_normal_std == std) & (df.steps == steps)]
            middle = some.groupby("b_f").log10_dC0.median()
            label = f"std {std:g}, T = {steps}"
            left.plot(middle.index, middle, line, marker="o", markersize=4, color=colour, label=label)
    left.set(title="forget bias", xlabel="b_f", ylabel="log10 |dL/dC_0|, median", ylim=(-62, 2))
    left.legend(**LEGEND, title="all other parameters")
    chrono, uniform = rows("chrono"), rows("uniform_gate")
    chrono = chrono[chrono.b_f_chrono_t_max == 1000]
    uniform = uniform[uniform.steps == 1000]
    for name, frame, colour in (("chrono, T_max = 1000", chrono, BLUE), ("uniform gate", uniform, ORANGE)):
        for std, line in ((frame.default_normal_std.min(), "-"), (1.0, "--")):
            some = frame[frame.default_normal_std == std].memory_time
            label = f"{name}, weights {'0' if std < 1e-6 else 'N(0, 1)'}"
            survival(right, np.log10(some), color=colour, linestyle=line, label=label)
    m = np.array([1.0, 1e5])
    right.loglog(m, 1 / m, color="black", linewidth=1, linestyle=":", label="1 / m")
    right.set(title="memory times", xlabel="m, steps", ylabel="P(memory time > m)", xlim=(1, 1e5), ylim=(1e-7, 1.5))
    right.legend(**LEGEND, loc="lower left")
    return figure


def reach() -> Figure:
    """The gradient against the lag, at four initialisations and two inputs, and for long sequences."""
    figure, axes = panels(3, sharey=False)
    for axis, (name, title) in zip(axes, (("presets", "white noise"), ("sunspots", "sunspot numbers")), strict=False):
        df = rows(name)
        lags = sorted(int(column.rpartition("_")[2]) for column in df if column.startswith("log10_dC_lag_"))
        shades = zip(("pytorch", "keras", "chrono", "uniform_gate"), (VERMILION, ORANGE, BLUE, GREEN), strict=True)
        for preset, colour in shades:
            middle = df[df.preset == preset][[f"log10_dC_lag_{lag}" for lag in lags]].median()
            axis.plot(lags, middle, "o-", markersize=3.5, color=colour, label=preset)
        axis.set(title=title, xlabel="lag, steps", xscale="log", ylim=(-20, 0.5))
    axes[0].set_ylabel("log10 |dL/dC| at that lag, median")
    axes[0].legend(**LEGEND)
    df = rows("horizon")
    longest = df[df.steps == df.steps.max()]
    lags = sorted(int(column.rpartition("_")[2]) for column in df if column.startswith("log10_dC_lag_"))
    shades = zip(((0, 0), (4, 0), (8, 0), (4, -8), (8, -8)), (VERMILION, ORANGE, SKY, GREEN, BLUE), strict=True)
    for (b_f, b_i), colour in shades:
        some = longest[(longest.b_f == b_f) & (longest.b_i == b_i)]
        middle = [some[f"log10_dC_lag_{lag}"].median() - some.log10_dC_lag_1.median() for lag in lags]
        axes[2].plot(lags, middle, "o-", markersize=3.5, color=colour, label=f"b_f = {b_f}, b_i = {b_i}")
    axes[2].set(title="T = 10,000, against lag 1", xlabel="lag, steps", xscale="log", ylim=(-40, 1))
    axes[2].legend(**LEGEND, loc="lower left")
    return figure


def chaos() -> Figure:
    """How many random units without input have a positive exponent, and after how many steps."""
    df = rows("chaos")
    figure, axes = panels(2)
    for axis, (above, title) in zip(axes, ((0.0, "lyapunov_1 > 0"), (0.05, "lyapunov_1 > 0.05 per step")), strict=True):
        for steps, colour in zip((500, 1000, 2000), (SKY, BLUE, "black"), strict=True):
            some = df[df.steps == steps].groupby("default_normal_std").lyapunov_1
            share = some.apply(lambda values, above=above: (values > above).mean())
            axis.plot(share.index, 100 * share, "o-", markersize=4, color=colour, label=f"T = {steps}")
        axis.set(title=title, xlabel="standard deviation of weights and biases", xscale="log", ylabel="% of the draws")
        axis.set_xticks([0.5, 1, 2, 4, 8, 16], labels=["0.5", "1", "2", "4", "8", "16"])
        axis.minorticks_off()
    axes[0].legend(**LEGEND)
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "lives": lives,
    "carousel": carousel,
    "output_gate": output_gate,
    "biases": biases,
    "reach": reach,
    "chaos": chaos,
}


def main() -> None:
    FIGURES.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        figure = draw()
        figure.savefig(FIGURES / f"{name}.png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        plt.close(figure)
    runpy.run_path(str(ROOT / "examples" / "attractor.py"))["draw"](FIGURES / "attractor.png")


if __name__ == "__main__":
    main()
