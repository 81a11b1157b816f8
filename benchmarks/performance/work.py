"""The simulations that several sections measure."""

from collections.abc import Callable
from typing import Any

from fastlstm.runs import as_spec
from fastlstm.sweep.simulation import Simulation, slice_size
from fastlstm.threads import available_threads, in_order

STEPS = 100
DRAWS = 8 * 65536  # of a simulation: whole slices for up to eight threads


def job(dtype: str, *, draws: int, steps: int = STEPS, rows: str = "all") -> dict[str, Any]:
    """A spec that leaves the rest to the defaults: all parameters and inputs N(0, 1), loss `sum`."""
    params = {"default": {"normal": {"mean": 0.0, "std": 1.0}}}
    return {"draws": draws, "steps": steps, "dtype": dtype, "params": params, "store": {"rows": rows}}


def spec_text(dtype: str, *, draws: int, steps: int = STEPS, rows: str = "all") -> str:
    """The same as the text of a TOML file."""
    return as_spec(job(dtype, draws=draws, steps=steps, rows=rows)).normalised()


def simulation(
    dtype: str, *, draws: int, threads: int | None = None, groups: tuple[str, ...] | None = None
) -> Callable[[], None]:
    """Draws, both passes and measures, and no more: the columns are thrown away."""
    spec = as_spec(job(dtype, draws=draws))
    (point,) = spec.points()
    made = Simulation(spec, point, groups=groups)
    size = slice_size(spec, STEPS)

    def one(first: int) -> None:
        made.columns(first, min(size, draws - first))

    def run() -> None:
        for _ in in_order(one, range(0, draws, size), threads=threads or available_threads()):
            pass

    return run
