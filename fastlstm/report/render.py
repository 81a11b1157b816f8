"""Drawn figures as bytes: SVG, PDF or PNG files, and SVG that stands in a page and follows it into dark mode."""

import io
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.text import Text

from fastlstm.report.end_labels import spread
from fastlstm.report.figure import Drawing
from fastlstm.report.style import PAGE_COLOURS

FORMATS = ("svg", "pdf", "png")  # in the order in which files of one figure are written
_DOTS = 200  # per inch of a PNG, and of what is drawn as dots in an SVG
SHOWN = 100  # pixels of a page for an inch
_PHONE, _LEGIBLE = 366, 8  # pixels that a phone leaves for a figure, and those of the smallest letters to be read there
_METADATA: dict[str, dict[str, Any]] = {  # without versions and dates, the same figure gives the same bytes
    "svg": {"Date": None, "Creator": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "png": {"Software": None},
}
_BACKENDS = {"svg": "backend_svg", "pdf": "backend_pdf", "png": "backend_agg"}


def rendered(drawing: Drawing, form: str) -> bytes:
    """The bytes of a file. The same figure gives the same bytes with the same matplotlib."""
    spread(drawing.figure)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": drawing.name, "svg.fonttype": "path"}):
        _write(drawing.figure, form, buffer)
    return buffer.getvalue()


def _write(figure: matplotlib.figure.Figure, form: str, file: Any) -> None:
    """What savefig writes, which draws a figure a first time only to lay it out; that is done."""
    dots, measuring = figure.dpi, figure.canvas
    figure.dpi = _DOTS
    canvas = import_module(f"matplotlib.backends.{_BACKENDS[form]}").FigureCanvas(figure)
    getattr(canvas, f"print_{form}")(file, metadata=_METADATA[form])
    figure.dpi = dots
    figure.set_canvas(measuring)


def pages(drawings: Iterable[Drawing]) -> bytes:
    """One PDF with a page for each figure."""
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = io.BytesIO()
    with PdfPages(buffer, metadata=_METADATA["pdf"]) as book:
        for drawing in drawings:
            spread(drawing.figure)
            _write(drawing.figure, "pdf", book)
    return buffer.getvalue()


def inline(svg: bytes, *, title: str, prefix: str) -> str:
    """An SVG file as a part of a page: named by its title, its names told apart from those of others by the prefix."""
    text = svg.decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\b(id="|xlink:href="#|href="#|url\(#)', rf"\g<1>{prefix}", text)
    text = text.replace("xlink:href", "href").replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    text = text.replace(' xmlns="http://www.w3.org/2000/svg"', "")
    for colour, name in PAGE_COLOURS.items():
        text = text.replace(colour, f"var({name})")
    start = f'<svg role="img" aria-label="{title}"'
    return re.sub(r'<svg (?:width|height)="[^"]*" (?:width|height)="[^"]*"', lambda _: start, _shorter(text), count=1)


def _shorter(text: str) -> str:
    """Without comments, and with two decimals of numbers from 1 on."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"\n\s*", "\n", re.sub(r"\b([1-9]\d*\.\d{2})\d+", r"\1", text))


def needs_width(figure: matplotlib.figure.Figure) -> bool:
    """Whether the smallest letters of a drawn figure cannot be read where it is as narrow as a phone."""
    points = [
        float(text.get_fontsize()) for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()
    ]
    pixels = min(points) * SHOWN / 72  # at its full width
    return bool(pixels * _PHONE < _LEGIBLE * SHOWN * figure.get_figwidth())


def share_scales(drawings: Sequence[Drawing]) -> None:
    """Give the same panels of several drawings the same limits and the same scale of colours."""
    for panels in zip(*(drawing.figure.axes for drawing in drawings), strict=False):
        for limits in ("xlim", "ylim"):
            ends = np.array([getattr(axes, f"get_{limits}")() for axes in panels])
            union = (ends.min(axis=1).min(), ends.max(axis=1).max())
            for axes in panels:
                falling = np.subtract(*getattr(axes, f"get_{limits}")()) > 0
                getattr(axes, f"set_{limits}")(union[::-1] if falling else union)
        images = [
            image for axes in panels for image in (*axes.images, *axes.collections) if image.get_array() is not None
        ]
        if images:
            ends = np.array([image.get_clim() for image in images])
            for image in images:
                image.set_clim(ends[:, 0].min(), ends[:, 1].max())
