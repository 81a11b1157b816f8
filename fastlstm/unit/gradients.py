"""The gradients of a loss on arrays: the loss chosen, kernels run, suspect draws computed again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fastlstm.kernel.arrays import build_gradients
from fastlstm.kernel.forward_pass import Terms
from fastlstm.kernel.lstm import LOSSES, READOUTS
from fastlstm.kernel.passes import allocate_scratch, memory_kind
from fastlstm.kernel.step_gradients import NAMES, Filled, allocate_filled, allocate_steps, build_step_gradients
from fastlstm.kernel.suspicion import AFTER
from fastlstm.names import PARAMETERS
from fastlstm.threads import in_order, once_a_thread
from fastlstm.unit.inputs import (
    Array,
    Inputs,
    Params,
    Readout,
    choice,
    of_each_draw,
    of_each_step,
    refuse_other_index,
    side_by_side,
)
from fastlstm.unit.inputs import inputs as checked_inputs
from fastlstm.unit.results import Gradients, Scaled, StepGradients

Mode = Literal["full", "cec", "local", "window"]
LossKind = Literal["sum", "last", "mse", "bce"]


@dataclass(frozen=True)
class Task:
    """What the gradients are of: arrays that fit together, and what was chosen.

    target: dy where loss is "given", targets for mse and bce, (draws, steps); last: dh_T and dC_T, (draws, 2).
    arithmetic: what computes them, one of kernel/suspicion.py; the arrays are of its type.
    """

    units: Inputs
    target: Array
    last: Array
    first_loss_step: int
    loss: str
    readout: str
    mode: Mode
    window: int
    arithmetic: str

    @property
    def terms(self) -> Terms:
        """The numbers that a kernel is called with, for all draws."""
        steps = self.units.x.shape[1]
        return Terms(steps, LOSSES[self.loss], READOUTS[self.readout], self.first_loss_step, 0.5, self.window)

    def arrays(self, part: slice) -> tuple[Array, Array, Array, Array, Array]:
        """The arrays that it is called with, for some draws."""
        units = self.units
        return units.params[part], units.state[part], self.last[part], units.x[part], self.target[part]

    def again(self, draws: Array) -> "Task":
        """The same for suspect draws, in the arithmetic after this one."""
        arithmetic = AFTER[self.arithmetic]
        dtype, _ = memory_kind(arithmetic)
        target, last = (array[draws].astype(dtype, copy=False) for array in (self.target, self.last))
        units = self.units.of(draws, dtype)
        return replace(self, units=units, target=target, last=last, arithmetic=arithmetic)

    def run(self, work: Callable[[slice], None]) -> None:
        """Call `work` for parts of the draws, on threads."""
        tasks, threads = self.units.slices()
        for _ in in_order(work, tasks, threads=threads):
            pass


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
    inputs: bool = True,
    out: Gradients | None = None,
) -> Gradients:
    """Gradients of a loss L by backpropagation through time, given dy_t = dL/dy_t or a loss by name.

    params, x, h0, C0 and readout as in `forward`; dy has the shape of x, or (steps,).
    mode: "full"; "cec", the truncation of 1997 that keeps only the cell path; "local", which drops everything that
    comes through step t+1; "window", which drops what crosses a border between windows of `window` steps.
    loss: instead of dy, "sum" or "last" of the outputs, or "mse" or "bce" against target, a number, (steps,) or
    (draws, steps). Cross-entropy is right also where y is saturated and dy infinite.
    dh_T, dC_T: what comes in through the last state, numbers or (draws,); with them dy may be left out.
    steps: also the gradients of every step, as `StepGradients`.
    inputs: whether dL/dx is wanted; without it, `x` of the result is empty, (draws, 0).
    out: gradients of the same shapes and type, which are filled and returned: short sequences spare new memory.

    A gradient beyond the range of the type is inf, or 0; with steps=True `log10` and `sign` know it all the same.
    A float32 draw that may leave the range of float32 on its way is computed in float64, from the float32 values, so
    it follows the orbit of float64; and so does its trace, if that is where it may leave it.
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
    if steps and (out is not None or not inputs):
        raise ValueError(
            "steps=True gives dL/dx with the gradients of every step, in new arrays; leave inputs and out out"
        )
    units = checked_inputs(params, x, h0, C0)
    from_last = of_each_draw("dh_T", dh_T, units), of_each_draw("dC_T", dC_T, units)
    last = side_by_side(*from_last, len(units.x), units.dtype)
    kind, targets = _loss(units, dy, loss, target, readout, alone=not any(map(np.any, from_last)))
    first_loss_step = units.x.shape[1] - 1 if kind == "last" else 0
    chosen = kind, readout, mode, _window(mode, window)
    task = Task(units, targets, last, first_loss_step, *chosen, arithmetic=units.dtype)
    if out is not None:
        _refuse_unfit(out, task, inputs=inputs)
    return run_step_gradients(task) if steps else run_gradients(task, inputs=inputs, out=out)


def _refuse_unfit(out: Gradients, task: Task, *, inputs: bool) -> None:
    """Raises ValueError if arrays cannot be filled, or if filling them would change what the gradients are of."""
    draws, steps = task.units.x.shape
    sizes = {"params": (draws, len(PARAMETERS)), "x": (draws, steps if inputs else 0), "h0": (draws,), "C0": (draws,)}
    for name, shape in sizes.items():
        array = out[name] if name != "params" else out.params
        if array.shape != shape or array.dtype != task.units.dtype or not array.flags.writeable:
            wanted = f"{shape} in {task.units.dtype}, to be written to"
            raise ValueError(f"out.{name} has shape {array.shape} in {array.dtype}; it must be {wanted}")
        if any(np.may_share_memory(array, other) for other in task.arrays(slice(None))):
            raise ValueError(f"out.{name} shares memory with an argument, which would change while it is read")


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


def run_gradients(task: Task, *, inputs: bool = True, out: Gradients | None = None) -> Gradients:
    """Gradients, in new arrays or in those of `out`; draws that may leave the range are computed again."""
    kernel = build_gradients(task.arithmetic, task.mode, inputs)
    draws, steps = task.units.x.shape
    if out is None:
        shapes = (draws, len(PARAMETERS)), (draws, steps if inputs else 0), (draws,), (draws,)
        out = Gradients(*(np.empty(shape, task.units.dtype) for shape in shapes))
    filled, suspect = out, np.empty((draws, 1), np.uint8)
    scratch = once_a_thread(lambda: allocate_scratch(task.arithmetic, steps, inputs=inputs))

    def work(part: slice) -> None:
        to_fill = filled.params, filled.h0[:, None], filled.C0[:, None], filled.x, suspect
        kernel(*task.arrays(part), task.terms, scratch(), *(array[part] for array in to_fill))

    task.run(work)
    rare = np.flatnonzero(suspect.view(np.bool_))
    if len(rare):
        exact = run_gradients(task.again(rare), inputs=inputs)
        with np.errstate(over="ignore"):  # inf where they leave the range of the type
            for values, others in zip(vars(filled).values(), vars(exact).values(), strict=True):
                values[rare] = others
    return filled


def run_step_gradients(task: Task) -> StepGradients:
    """Gradients at every step too.

    A draw that is suspect is computed again. One of which only the numbers of a step are suspect takes these alone from
    there, so that all else is what `run_gradients` gives.
    """
    out = _fill_steps(task)
    params, state = Scaled.of(out.params, out.params_k), Scaled.of(out.state, out.state_k)
    steps = dict(zip(NAMES, out.steps, strict=True))
    rare, rare_steps = np.flatnonzero(out.suspect.any(axis=1)), dict[str, Scaled]()
    if task.arithmetic == "wide":
        rare = np.arange(len(out.params))
        rare_steps = {name: Scaled(*both) for name, *both in zip(NAMES, out.steps, out.steps_k, strict=True)}
        steps = {name: scaled.values(task.units.dtype) for name, scaled in rare_steps.items()}
    elif len(rare):
        exact = run_step_gradients(task.again(rare))
        whole = out.suspect[rare, 0] != 0.0
        params.put(rare[whole], exact.scaled("params"), whole)
        state.put(rare[whole], exact.scaled("state"), whole)
        rare_steps = {name: exact.scaled(name) for name in NAMES}
        for name, scaled in rare_steps.items():
            taken = whole if name == "x" else np.full(len(rare), fill_value=True)
            steps[name][rare[taken]] = scaled.values(task.units.dtype)[taken]
    h0, C0 = state.values(task.units.dtype).T
    return StepGradients(
        params.values(task.units.dtype), steps["x"], h0, C0,
        steps, rare, rare_steps, {"params": params, "state": state},
    )  # fmt: skip


def _fill_steps(task: Task) -> Filled:
    draws, steps = task.units.x.shape
    kernel = build_step_gradients(task.arithmetic, task.mode)
    out: Filled = allocate_filled(task.arithmetic, draws, steps)

    scratch = once_a_thread(lambda: allocate_scratch(task.arithmetic, steps, inner=True))
    rows = once_a_thread(lambda: allocate_steps(task.arithmetic, steps))

    def work(part: slice) -> None:
        sliced = [array[:, part] if array.ndim == 3 else array[part] for array in out]
        kernel(*task.arrays(part), task.terms, scratch(), rows(), *sliced)

    task.run(work)
    return out
