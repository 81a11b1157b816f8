"""docs/performance.png: time of a step against the peers and with the length, and time with the number of draws."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.performance.results import shown

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"  # told apart by every eye (Okabe and Ito)
COLOURS = {"float32": BLUE, "float64": ORANGE}


def draw(sections: Mapping[str, Any], path: Path) -> None:
    """Make the picture of what has been measured."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    series = {name: points for part in sections.values() for name, points in part["series"].items()}
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for axis, dtype in zip(axes[0], COLOURS, strict=True):
        bars(axis, series.get(f"{dtype}, T = 100", []), f"Gradients, {dtype}, T = 100", COLOURS[dtype])
    by_steps, by_draws = axes[1]
    for dtype, colour in COLOURS.items():
        line(by_steps, series.get(f"steps, {dtype}", []), colour, dtype)
    by_steps.set(title="Gradients by length", xlabel="steps T", ylabel="ns a step", ylim=(0, None))
    if by_steps.lines:
        by_steps.legend(frameon=False)
    line(by_draws, series.get("draws", []), BLUE, "float32")
    by_draws.set(title="fastlstm run, 10 steps, float32, no rows", xlabel="draws", ylabel="seconds")
    if "draws" in series:
        by_draws.set_yscale("log")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def line(axis: Any, points: list[Any], colour: str, label: str) -> None:
    """Points joined, over a logarithmic axis; nothing where nothing was measured."""
    if points:
        axis.plot([x for x, _ in points], [y for _, y in points], "o-", color=colour, label=label)
        axis.set_xscale("log")


def bars(axis: Any, points: list[Any], title: str, colour: str) -> None:
    """Contestants from the top, fastlstm in colour, the time at the end of each bar."""
    names = [name for name, _ in points]
    colours = [colour if name.startswith("fastlstm") else GREY for name in names]
    drawn = axis.barh(names, [y for _, y in points], color=colours)
    axis.bar_label(drawn, [shown(y) for _, y in points], padding=3)
    axis.invert_yaxis()
    axis.set(title=title, xlabel="ns a step, fastest run")
    axis.margins(x=0.15)
