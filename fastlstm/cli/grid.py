"""Rows and columns that fit a terminal, laid out by rich."""

import io
from collections.abc import Mapping, Sequence
from typing import TextIO

from fastlstm.cli.output import Shown, has_colours, width
from fastlstm.printable import printable

_GAP = 2
_LEAST_WRAPPED = 24  # columns of a text that is wrapped
_UNBOUNDED = 100_000


def grid(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    stream: TextIO,
    right: bool = False,
    wrap: str | None = None,
    styles: Mapping[str, str] | None = None,
) -> Shown:
    """A table whose cells are made printable; the last columns that do not fit a terminal are left out, and named.

    right: columns are aligned to the right; wrap: the title of a column that may be broken into lines;
    styles: the colour of a cell that says just that.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(cell) for cell in row] for row in rows]
    columns = [list(column) for column in zip(titles, *cells, strict=True)]
    needed = [max(map(cell_len, column)) for column in columns]
    if wrap is not None:
        place = titles.index(wrap)
        needed[place] = min(needed[place], _LEAST_WRAPPED)
    room = width(stream) or _UNBOUNDED
    kept = len(titles)
    while kept > 1 and sum(needed[:kept]) + _GAP * (kept - 1) > room:
        kept -= 1
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="")
    for title in titles[:kept]:
        table.add_column(Text(title), justify="right" if right else "left", no_wrap=title != wrap, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, style=(styles or {}).get(cell, "")) for cell in row[:kept]))
    colours = has_colours(stream)
    console = Console(
        file=io.StringIO(), width=room, force_terminal=colours, color_system="standard" if colours else None,
        legacy_windows=False, highlight=False, markup=False, emoji=False,
    )  # fmt: skip
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]
    if left_out := titles[kept:]:
        lines.append(f"left out, since the terminal is narrow: {', '.join(left_out)}; --json has all")
    return Shown("\n".join(lines))
