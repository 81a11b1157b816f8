"""Orders of the 14 parameters: which gate comes first, and what stands side by side."""

from dataclasses import dataclass
from functools import cache
from itertools import permutations

from fastlstm.oracles.naive import NAMES

_WITHIN = {
    "W_h, W_x, b of each gate": lambda gates: [f"{part}{k}" for k in gates for part in ("W_h", "W_x", "b_")],
    "W_x, W_h, b of each gate": lambda gates: [f"{part}{k}" for k in gates for part in ("W_x", "W_h", "b_")],
    "all W_x, all W_h, all b": lambda gates: [f"{part}{k}" for part in ("W_x", "W_h", "b_") for k in gates],
    "all W_h, all W_x, all b": lambda gates: [f"{part}{k}" for part in ("W_h", "W_x", "b_") for k in gates],
}
_USERS = {"ifco": "PyTorch, Keras", "ifoc": "CNTK, MXNet", "icfo": "TensorFlow 1", "iofc": "ONNX, Caffe2"}


@dataclass(frozen=True)
class Layout:
    """An order of the gates, as letters of f, i, o, c, and what stands side by side within it. W_y and b_y end it."""

    gates: str = "fioc"
    within: str = "W_h, W_x, b of each gate"

    @property
    def names(self) -> list[str]:
        """The 14 names in this order."""
        return [*_WITHIN[self.within](self.gates), "W_y", "b_y"]

    @property
    def places(self) -> list[int]:
        """Where each of the names stands in the order of the project."""
        return [NAMES.index(name) for name in self.names]

    @property
    def sentence(self) -> str:
        """The order in words."""
        users = f" (as in {_USERS[self.gates]})" if self.gates in _USERS else ""
        return f"gates {' '.join(self.gates)}{users}; {self.within}"

    @classmethod
    def parse(cls, order: str) -> "Layout":
        """The layout of letters such as "ifgo", where g and c both name the candidate. Raises ValueError."""
        gates = order.replace("g", "c").replace(" ", "")
        if sorted(gates) != sorted("fioc"):
            raise ValueError(f"order is {order!r}; it must have each of the letters f, i, o, g once, such as 'ifgo'")
        return cls(gates)


@cache
def layouts() -> tuple[Layout, ...]:
    """Every layout; the project's own is the first."""
    return tuple(Layout("".join(gates), within) for gates in permutations("fioc") for within in _WITHIN)
