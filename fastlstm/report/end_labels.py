"""Labels at the ends of lines, moved apart where they would cover one another."""

from typing import Any

import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from numpy.typing import NDArray


class EndLabel(Annotation):
    """A label to the right of the panel, at the height where its line ends."""


def label_end(axes: Axes, height: float, text: str, colour: Any) -> None:
    """Label a line that ends at a height, in units of the axis."""
    end = EndLabel(
        text, (1.0, height), (5, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
        color=colour, fontsize=9, annotation_clip=False, clip_on=False,
    )  # fmt: skip
    axes.add_artist(end)


def spread(figure: matplotlib.figure.Figure) -> None:
    """Lay out a figure, once and for good, then move its end labels apart, each as little as the others allow."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine("none")  # or every drawing of it would be laid out again, for half of its time
    for axes in figure.axes:
        labels = [artist for artist in axes.get_children() if isinstance(artist, EndLabel)]
        if not labels:
            continue
        box = axes.get_window_extent()
        at = np.array([axes.transData.transform((0, label.xy[1]))[1] for label in labels])
        room = np.array([label.get_window_extent().height for label in labels]).max() * 1.05
        low, high = box.y0 + room / 2, max(box.y0, box.y1 - room / 2)
        for label, place in zip(labels, _apart(np.clip(at, low, high), room, low, high), strict=True):
            label.xy = (1.0, axes.transData.inverted().transform((0, place))[1])


def _apart(heights: NDArray[np.float64], room: float, low: float, high: float) -> NDArray[np.float64]:
    """The heights, moved until neighbours are `room` apart; groups that meet are centred on their mean."""
    order = np.argsort(heights, kind="stable")
    groups: list[tuple[float, int]] = []  # middle and size
    half = room / 2
    for height in heights[order]:
        middle, size = float(height), 1
        while groups and middle - size * half < groups[-1][0] + groups[-1][1] * half:
            before, count = groups.pop()
            middle, size = (before * count + middle * size) / (count + size), count + size
            middle = min(max(middle, low + (size - 1) * half), max(high - (size - 1) * half, low + (size - 1) * half))
        groups.append((middle, size))
    placed = np.concatenate([middle + room * (np.arange(size) - (size - 1) / 2) for middle, size in groups])
    result = np.empty_like(placed)
    result[order] = placed
    return result
