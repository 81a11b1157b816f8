"""The gradients of a loss on arrays: the loss chosen, kernels run, rare draws computed again with wide numbers."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fastlstm.kernel.arrays import build_gradients
from fastlstm.kernel.passes import allocate_scratch
from fastlstm.kernel.step_gradients import NAMES, Filled, allocate_filled, allocate_steps, build_step_gradients
from fastlstm.names import PARAMETERS
from fastlstm.threads import in_order
from fastlstm.unit.inputs import (
    Array,
    Inputs,
    Params,
    Readout,
    choice,
    inputs,
    of_each_draw,
    of_each_step,
    refuse_other_index,
)
from fastlstm.unit.results import Gradients, Scaled, StepGradients

Mode = Literal["full", "cec", "local", "window"]
LossKind = Literal["sum", "last", "mse", "bce"]


@dataclass(frozen=True)
class Task:
    """What the gradients are of: arrays that fit together, and the choices that a kernel is compiled for.

    target: dy where loss is "given", targets for mse and bce, (draws, steps); last: dh_T and dC_T, (draws, 2).
    """

    units: Inputs
    target: Array
    last: Array
    first_loss_step: int
    loss: str
    readout: str
    mode: Mode
    window: int

    def choices(self, *, wide: bool) -> tuple[str, Mode, str, str, bool]:
        """What a kernel is built for."""
        return self.units.dtype, self.mode, self.loss, self.readout, wide

    def arguments(self, part: slice) -> tuple[Array, Array, Array, Array, Array, int, int]:
        """What it is called with for some draws."""
        units = self.units
        return (
            units.params[part], units.state[part], self.last[part], units.x[part], self.target[part],
            self.first_loss_step, self.window,
        )  # fmt: skip

    def of(self, draws: Array) -> "Task":
        """The same for some draws only."""
        units = self.units
        chosen = Inputs(units.params[draws], units.state[draws], units.x[draws], units.dtype)
        return replace(self, units=chosen, target=self.target[draws], last=self.last[draws])


def gradients(
    params: Params,
    x: ArrayLike,
    dy: ArrayLike | None = None,
    *,
    h0: ArrayLike = 0.0,
    C0: ArrayLike = 0.0,
    mode: Mode = "full",
    window: int | None = None,
    loss: LossKind | None = None,
    target: ArrayLike | None = None,
    readout: Readout = "sigmoid",
    dh_T: ArrayLike = 0.0,
    dC_T: ArrayLike = 0.0,
    steps: bool = False,
) -> Gradients:
    """Gradients of a loss L by backpropagation through time, given dy_t = dL/dy_t or a loss by name.

    params, x, h0, C0 and readout as in `forward`; dy has the shape of x, or (steps,).
    mode: "full"; "cec", the truncation of 1997 that keeps only the cell path; "local", which drops everything that
    comes through step t+1; "window", which drops what crosses a border between windows of `window` steps.
    loss: instead of dy, "sum" or "last" of the outputs, or "mse" or "bce" against target, a number, (steps,) or
    (draws, steps). Cross-entropy is right also where y is saturated and dy infinite.
    dh_T, dC_T: what comes in through the last state, numbers or (draws,); with them dy may be left out.
    steps: also the gradients of every step, as `StepGradients`.

    A gradient beyond the range of the type is inf, or 0; with steps=True `log10` and `sign` know it all the same.
    Raises ValueError for what does not fit together. Equations: docs/derivation.md, B1 to B16, L1 to L4, M1 to M4.

    Examples
    --------
    The gradient of the last output, for a thousand draws; and what the one-step gradient gets wrong in it.

    >>> import numpy as np
    >>> import fastlstm
    >>> random = np.random.default_rng(1)
    >>> params, x = random.normal(size=(1000, 14)), random.normal(size=(1000, 50))
    >>> dy = np.zeros(50)
    >>> dy[-1] = 1.0
    >>> full = fastlstm.gradients(params, x, dy)
    >>> full["W_hi"].shape, full.params.shape, full.x.shape
    ((1000,), (1000, 14), (1000, 50))
    >>> local = fastlstm.gradients(params, x, dy, mode="local")
    >>> bool((np.sign(local["W_hi"]) != np.sign(full["W_hi"])).mean() > 0.05)
    True
    """
    choice("mode", mode, Mode)
    choice("readout", readout, Readout)
    refuse_other_index({"x": x, "dy": dy, "target": target})
    units = inputs(params, x, h0, C0)
    last = np.stack([of_each_draw("dh_T", dh_T, units), of_each_draw("dC_T", dC_T, units)], axis=1)
    kind, targets = _loss(units, dy, loss, target, readout, alone=not last.any())
    first_loss_step = units.x.shape[1] - 1 if kind == "last" else 0
    task = Task(units, targets, last, first_loss_step, kind, readout, mode, _window(mode, window))
    return run_step_gradients(task) if steps else run_gradients(task)


def _loss(
    units: Inputs,
    dy: ArrayLike | None,
    loss: LossKind | None,
    target: ArrayLike | None,
    readout: Readout,
    *,
    alone: bool,
) -> tuple[str, Array]:
    """The loss as the kernel names it, and dy or the targets."""
    if loss is None:
        if target is not None:
            raise ValueError("target is for a loss; give loss='mse' or 'bce' with it")
        if dy is None and alone:
            raise ValueError("there is no loss; give dy, or loss, or a gradient dh_T or dC_T of the last state")
        return "given", np.broadcast_to(np.zeros(1, units.dtype), units.x.shape) if dy is None else of_each_step(
            "dy", dy, units
        )
    choice("loss", loss, LossKind)
    if dy is not None:
        raise ValueError(f"dy and loss={loss!r} are both given; the loss has a dy of its own")
    if loss == "bce" and readout == "linear":
        raise ValueError("loss='bce' needs outputs between 0 and 1; take readout='sigmoid', or loss='mse'")
    if (loss in ("mse", "bce")) != (target is not None):
        raise ValueError(f"loss={loss!r} {'needs a target' if target is None else 'takes no target'}")
    if target is None or np.ndim(target) == 0:
        return loss, np.broadcast_to(np.asarray(0.0 if target is None else target, units.dtype), units.x.shape)
    return loss, of_each_step("target", target, units)


def _window(mode: Mode, window: int | None) -> int:
    """The steps of a window; 1 where the mode has none."""
    if (mode == "window") != (window is not None):
        raise ValueError(f"mode={mode!r} {'needs window, its number of steps' if window is None else 'has no window'}")
    if window is not None and (not isinstance(window, int | np.integer) or window < 1):
        raise ValueError(f"window is {window!r}; it must be a whole number of steps, at least 1")
    return 1 if window is None else int(window)


def run_gradients(task: Task) -> Gradients:
    """Gradients; draws that leave the range of plain numbers are computed once more with wide ones."""
    out = GradientArrays(task.units)
    out.fill(task)
    suspect = np.flatnonzero(out.suspect)
    if len(suspect):
        suspects = task.of(suspect)
        exact = GradientArrays(suspects.units)
        exact.fill(suspects, wide=True)
        for plain, wide in ((out.params, exact.params), (out.state, exact.state), (out.x, exact.x)):
            plain[suspect] = wide
    return Gradients(out.params, out.x, out.state[:, 0], out.state[:, 1])


class GradientArrays:
    """What a gradient kernel fills for some draws."""

    def __init__(self, units: Inputs) -> None:
        draws, steps = units.x.shape
        self.params = np.empty((draws, len(PARAMETERS)), units.dtype)
        self.state = np.empty((draws, 2), units.dtype)
        self.x = np.empty((draws, steps), units.dtype)
        self.suspect = np.empty((draws, 1), units.dtype)

    def fill(self, task: Task, *, wide: bool = False) -> None:
        """Run a kernel, plain or wide, over all draws."""
        kernel = build_gradients(*task.choices(wide=wide))
        dtype, steps = task.units.dtype, task.units.x.shape[1]

        def work(part: slice) -> None:
            scratch = allocate_scratch(dtype, steps, inputs=True, wide=wide)
            out = self.params[part], self.state[part], self.x[part], self.suspect[part]
            kernel(*task.arguments(part), scratch, *out)

        tasks, threads = task.units.slices()
        for _ in in_order(work, tasks, threads=threads):
            pass


def run_step_gradients(task: Task) -> StepGradients:
    """Gradients at every step too; the numbers of draws in which one left the range are kept as wide ones."""
    out = _fill_steps(task, wide=False)
    rare = np.flatnonzero(out.suspect)
    rare_steps: dict[str, Scaled] = {}
    if len(rare):
        exact = _fill_steps(task.of(rare), wide=True)
        for plain, wide in zip(out[:4], exact[:4], strict=True):
            plain[rare] = wide
        rare_steps = {name: Scaled(*both) for name, *both in zip(NAMES, exact.steps, exact.steps_k, strict=True)}
        for plain, scaled in zip(out.steps, rare_steps.values(), strict=True):
            plain[rare] = scaled.values()
    steps = dict(zip(NAMES, out.steps, strict=True))
    params, state = Scaled(out.params, out.params_k), Scaled(out.state, out.state_k)
    h0, C0 = (Scaled(state.sizes[:, place], state.exponents[:, place]) for place in (0, 1))
    return StepGradients(
        params.values(), steps["x"], h0.values(), C0.values(),
        steps, rare, rare_steps, {"params": params, "h0": h0, "C0": C0},
    )  # fmt: skip


def _fill_steps(task: Task, *, wide: bool) -> Filled:
    draws, steps = task.units.x.shape
    dtype = task.units.dtype
    kernel = build_step_gradients(*task.choices(wide=wide))
    out: Filled = allocate_filled(dtype, draws, steps, wide=wide)

    def work(part: slice) -> None:
        scratch = allocate_scratch(dtype, steps, inner=True, wide=wide)
        rows = allocate_steps(dtype, steps, wide=wide)
        sliced = [array[:, part] if array.ndim == 3 else array[part] for array in out]
        kernel(*task.arguments(part), scratch, rows, *sliced)

    tasks, threads = task.units.slices()
    for _ in in_order(work, tasks, threads=threads):
        pass
    return out
