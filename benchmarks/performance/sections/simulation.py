"""Simulation: draws made in the kernel, both passes, and measures; no rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.sections.gradients import problem
from benchmarks.performance.timing import Contestant, interleave, ratio, repeated, timed
from benchmarks.performance.work import DRAWS, STEPS, job, simulation
from fastlstm.measures import DEFAULT_GROUPS, selected
from fastlstm.runs import as_spec
from fastlstm.sweep.simulation import Simulation

TITLE = "Simulation without rows"
TEXT = """\
Parameters and inputs are drawn N(0, 1), 100 steps, and measured: norms, gates and carousel, the default groups.
fastlstm draws with Philox in its kernel, JAX with `jax.random` in its program; both compute the same columns, which are
compared first on 256 draws of fastlstm's. JAX takes its best batch size, one or two calls at once. Bare gradients are
those of the section above, T = 100, in the same rounds."""

WORST = {"float32": 1e-3, "float64": 1e-7}  # of nine draws in ten, in each column; JAX takes means of flags in float32


def wrong_columns(dtype: str, program: Any) -> list[str]:
    """The columns in which the JAX program differs from fastlstm on draws that fastlstm made."""
    spec = as_spec(job(dtype, draws=256) | {"store": {"dtype": dtype}})
    (point,) = spec.points()
    made = [Simulation(spec, point).make(draw) for draw in range(256)]
    columns = program(np.stack([one.params for one in made]), np.stack([one.x for one in made]))
    wrong = []
    for name in (measure.name for measure in selected(DEFAULT_GROUPS)):
        ours = np.array([one.measures[name] for one in made], np.float64)
        theirs = np.asarray(columns[name], np.float64)
        with np.errstate(invalid="ignore"):
            error = np.abs(ours - theirs) / np.maximum(1, np.abs(ours))
        if not np.quantile(np.where(ours == theirs, 0, error), 0.9) < WORST[dtype]:
            wrong.append(name)
    return wrong


def jax_contestant(dtype: str, *, thorough: bool, tell: Callable[[str], None]) -> tuple[Contestant, str]:
    """JAX in its best setting. Raises ImportError where it is not installed."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from benchmarks.performance.peers.jax_script import measure as measure_one
    from benchmarks.performance.peers.jax_script import simulate

    if wrong := wrong_columns(dtype, jax.jit(jax.vmap(measure_one))):
        raise AssertionError(f"JAX and fastlstm differ in {', '.join(wrong)} ({dtype})")
    key = jax.random.key(1)
    best: tuple[float, Contestant, str] | None = None
    for batch in (256, 1024, 4096, 16384) if thorough else (1024,):
        for at_once in (1, 2):
            tell(f"simulation, {dtype}: tuning JAX, batch {batch}")

            def call(batch: int = batch) -> None:
                jax.block_until_ready(simulate(key, batch=batch, steps=STEPS, dtype=dtype))

            entry = repeated("JAX", call, batch * STEPS, at_once=at_once)
            seconds = min(timed(entry)[0] for _ in range(3)) / entry.units
            if best is None or seconds < best[0]:
                best = seconds, entry, f"batch {batch}, at_once {at_once}"
    assert best is not None
    return best[1:]


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    for dtype in ("float32", "float64"):
        inputs = problem(dtype, STEPS)
        bare = Contestant("bare gradients", inputs.solve, inputs.draws * STEPS)
        whole = Contestant("fastlstm", simulation(dtype, draws=DRAWS), DRAWS * STEPS)
        contest = [whole, bare]
        setting = ""
        try:
            peer, setting = jax_contestant(dtype, thorough=effort.thorough, tell=tell)
            contest.append(peer)
        except ImportError:
            findings.left_out.append("JAX is not installed: pip install --group peers")
        tell(f"simulation, {dtype}: measuring")
        times = interleave(contest, seconds=effort.seconds)
        table = Table(dtype, ["", "ns a step", "median", "against fastlstm", "median", "setting"])
        for name in times:
            spent, against = times[name].summary(), ratio(times[name], times["fastlstm"])
            chosen = setting if name == "JAX" else ""
            table.rows.append([name, spent["min"], spent["median"], against["min"], against["median"], chosen])
        findings.figures[f"measured_{dtype}"] = ratio(times["fastlstm"], times["bare gradients"])["min"]
        findings.tables.append(table)
    return findings
