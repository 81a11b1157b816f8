"""What a section finds: tables for readers, figures that have a target, and series for the picture."""

from dataclasses import asdict, dataclass, field
from typing import Any

Cell = str | int | float


@dataclass
class Table:
    """Numbers in their cells; how they are shown is decided where they are shown."""

    title: str
    columns: list[str]
    rows: list[list[Cell]] = field(default_factory=list)
    note: str = ""


@dataclass
class Findings:
    """What one section found. A series is a list of (x or label, y) by its name."""

    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[tuple[str | float, float]]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def shown(cell: Cell) -> str:
    """A cell as text: three significant digits, thousands apart."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 1000:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"
