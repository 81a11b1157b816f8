"""Gradients from given arrays, against every peer."""

import importlib
from collections.abc import Callable
from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np

from benchmarks.performance.peers import Missing, Peer, Ready, Setting
from benchmarks.performance.problem import Problem
from benchmarks.performance.results import Findings, Table
from benchmarks.performance.sections import Effort
from benchmarks.performance.timing import Contestant, Times, interleave, ratio, repeated, timed

TITLE = "Gradients from given arrays"
TEXT = """\
All 14 gradients by full backpropagation through time; the loss is the sum of the outputs (dy = 1). Parameters and
inputs are N(0, 1), h_0 = C_0 = 0. fastlstm takes the arrays as a caller has them, (draws, 14) and (draws, steps), and
also computes the gradients by x, h_0 and C_0, which the peers are spared; the line "no dL/dx" is spared those by x, and
fills arrays that are there already, as C does.
Each peer has its data where and as it likes them, and the setting in which it was fastest beforehand. Before a peer is
timed, its gradients are compared with fastlstm's. C is compared with fastlstm on one processor, the others with
fastlstm on all of them.

A cell has the time of the fastest run and the median, in ns a step, and in brackets the time of the peer over that of
fastlstm in the same rounds, of the fastest runs. For C, which has one thread, the second ratio is that of processor
time, which a busy machine disturbs less. `benchmarks/performance.json` has the median ratios and the settings too."""

PEER_FILES = ("jax_peer", "drjit_peer", "torch_peer", "c_peer", "numpy_peer")
WORK = 2**23  # draw-steps of a problem
OURS, OURS_ONE, FEWER = "fastlstm", "fastlstm, one thread", "fastlstm, one thread, no dL/dx"


class Entry(NamedTuple):
    """A peer in its best setting, and its gradients of some draws."""

    peer: Peer
    setting: Setting
    contestant: Contestant
    error: float


def find_peers() -> tuple[list[Peer], list[str]]:
    """The peers that are there, and why others are not."""
    peers: list[Peer] = []
    missing = []
    for name in PEER_FILES:
        try:
            peers += importlib.import_module(f"benchmarks.performance.peers.{name}").PEERS
        except Missing as error:
            missing.append(str(error))
    return peers, missing


def problem(dtype: str, steps: int) -> Problem:
    return Problem(dtype, WORK // steps // 256 * 256, steps)


def tune(peer: Peer, given: Problem, best: Setting | None, thorough: bool) -> Setting:
    """The fastest of a peer's settings, by three short runs each; one that is far off is not run again."""
    settings = list(peer.settings(given, best))[:: 1 if thorough else 4]
    if len(settings) == 1:
        return settings[0]
    fastest, chosen = inf, settings[0]
    for setting in settings:
        ready = peer.load(given, setting)
        ready.call()
        once, _ = timed(Contestant(peer.name, ready.call, 1))
        if once / (ready.draws * given.steps * ready.at_once) > 2 * fastest:
            continue
        contestant = ready_to_run(peer, ready, given)
        seconds = min(timed(contestant)[0] for _ in range(3)) / contestant.units
        if seconds < fastest:
            fastest, chosen = seconds, setting
    return chosen


def ready_to_run(peer: Peer, ready: Ready, given: Problem) -> Contestant:
    run = repeated(peer.name, ready.call, ready.draws * given.steps, at_once=ready.at_once)
    return run._replace(one_processor=peer.one_thread)


def enter(peer: Peer, given: Problem, best: Setting | None, thorough: bool) -> Entry:
    """Tune a peer, and hold its gradients against fastlstm's."""
    setting = tune(peer, given, best, thorough)
    ready = peer.load(given, setting)
    error = given.check(peer.name, np.asarray(ready.solution()))
    return Entry(peer, setting, ready_to_run(peer, ready, given), error)


def measure(effort: Effort, tell: Callable[[str], None]) -> Findings:
    findings = Findings()
    peers, findings.left_out = find_peers()
    findings.tables.append(Table("Contestants", ["", "what it is"], [[peer.name, peer.note] for peer in peers]))
    for dtype in ("float32", "float64"):
        best: dict[str, Setting] = {}
        able = list(peers)  # what is too long for a peer in one type may be the shortest in the next
        for steps in (100, 10, 1000) if effort.thorough else (100,):
            inputs = problem(dtype, steps)
            entries = []
            for peer in list(able):
                tell(f"gradients, {dtype}, T = {steps}: tuning {peer.name}")
                try:
                    entries.append(enter(peer, inputs, best.get(peer.name), effort.thorough))
                except Missing as error:
                    if (reason := f"{peer.name}: {error}") not in findings.left_out:
                        findings.left_out.append(reason)
                    able.remove(peer)
                    continue
                best.setdefault(peer.name, entries[-1].setting)
            tell(f"gradients, {dtype}, T = {steps}: measuring")
            ours = Contestant(OURS, inputs.solve, inputs.draws * steps)
            alone = ours._replace(name=OURS_ONE, one_processor=True)
            fewer = alone._replace(name=FEWER, run=partial(inputs.solve, inputs=False, out=inputs.filled))
            contest = [ours, alone, fewer, *(entry.contestant for entry in entries)]
            record(findings, inputs, entries, interleave(contest, seconds=effort.seconds))
            if not np.array_equal(inputs.solve(), inputs.solution):
                raise AssertionError("a peer changed the arithmetic of this process: fastlstm's bits are others now")
    return findings


def record(findings: Findings, given: Problem, entries: list[Entry], times: dict[str, Times]) -> None:
    """The table of a problem, the figures that have targets, and a bar for each contestant."""
    table = Table(
        f"{given.dtype}, T = {given.steps}",
        ["", "ns a step", "median", "slower", "median", "processor", "setting"],
        note=f"{given.draws:,} draws, {len(times[OURS].wall)} rounds.",
    )
    for name in (OURS, OURS_ONE, FEWER):
        spent = times[name].summary()
        table.rows.append([name, spent["min"], spent["median"], "", "", "", ""])
    bars: list[tuple[str | float, float]] = [(name, times[name].summary()["min"]) for name in (OURS, OURS_ONE)]
    for entry in entries:
        peer = entry.peer
        spent = times[peer.name].summary()
        slower = ratio(times[peer.name], times[OURS_ONE if peer.one_thread else OURS])
        setting = ", ".join(f"{name} {value}" for name, value in entry.setting.items())
        processor = slower["processor"] if peer.one_thread else ""
        row = [peer.name, spent["min"], spent["median"], slower["min"], slower["median"], processor, setting]
        table.rows.append(row)
        if given.steps == 100 and peer.name in FIGURES:
            findings.figures[f"{FIGURES[peer.name]}_{given.dtype}"] = slower["min"]
        if peer.name == "C":
            findings.figures[f"c_{given.steps}_{given.dtype}"] = ratio(times["C"], times[FEWER])["min"]
        bars.append((f"{peer.name}, one thread" if peer.one_thread else peer.name, spent["min"]))
    findings.series[table.title] = bars
    findings.tables.append(table)


FIGURES = {"JAX, at its best": "jax", "Dr.Jit, unrolled": "drjit", "C": "c"}
