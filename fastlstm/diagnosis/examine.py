"""diagnose and assert_gradients: ask a function, compare, search, and say what was found."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastlstm.diagnosis.asking import Asker
from fastlstm.diagnosis.bench import Bench, Candidate, bench_for, off
from fastlstm.diagnosis.comparison import Agreement
from fastlstm.diagnosis.formula_text import link
from fastlstm.diagnosis.layouts import Layout
from fastlstm.diagnosis.mistake import compose
from fastlstm.diagnosis.outputs import Kind, columns, computed, label
from fastlstm.diagnosis.probes import DRAWS, LENGTHS, ordinary_probes, strong_probe
from fastlstm.diagnosis.search import COARSEST, GAP, Match, OutOfTime, Progress, Search
from fastlstm.diagnosis.spellings import other_spellings
from fastlstm.diagnosis.verdict import LIMITS, Departure, Finding, Verdict, findings, named, number, paragraphs
from fastlstm.oracles.naive import Array

SECONDS = 10.0  # of processor time, the longest search
_ASKED = f"T = {', '.join(map(str, LENGTHS))}; {DRAWS} draws each"


def diagnose(
    function: Callable[..., Any],
    *,
    kind: Kind = "gradients",
    order: str | None = None,
    progress: Progress | None = None,
    leave_out: Sequence[str] = (),
) -> Verdict:
    """Say whether somebody's LSTM gradients are right, and if not, name the mistake.

    function takes (params, x, dy, h0, C0), or the first two, three or four of them: params (draws, 14) in the order of
    PARAMETERS, x and dy (draws, steps), h0 and C0 (draws,), or one draw without the first axis. It returns the 14
    gradients, (draws, 14), or a mapping of any of W_hf .. b_y, h0, C0 (draws,), dh, dC, df, di, do, dg, dz_f, dz_i,
    dz_o, dz_c, dx (draws, steps). Without dy its loss is the sum of y_t; without h0 or C0 the state starts at 0.
    kind: "forward" for a forward pass, which takes (params, x, h0, C0) and returns a mapping of any of f, i, o, g, C,
    h, y (draws, steps), or the loss.
    order: of the gates in params and in the 14 that it returns, such as "ifgo"; found out if it is not given.
    progress: called with a line when the search takes longer. leave_out: ids of mistakes that count as unknown.

    A function that cannot be called, or returns what cannot be read, raises NoAnswer, a ValueError. The search ends
    after 10 seconds of processor time. The catalogue of mistakes, and what their numbers can tell: docs/diagnose.md.

    Examples
    --------
    >>> import fastlstm
    >>> fastlstm.diagnose(fastlstm.gradients).right
    True
    >>> def shortened(params, x, dy):  # nothing comes back through h
    ...     return fastlstm.gradients(params, x, dy, mode="cec").params
    >>> [mistake.id for mistake in fastlstm.diagnose(shortened).mistakes]
    ['B2.none']
    """
    if kind not in ("gradients", "forward"):
        raise ValueError(f"kind is {kind!r}; it must be 'gradients' or 'forward'")
    return _diagnose(function, kind, Layout.parse(order) if order else None, progress or _quiet, frozenset(leave_out))


def assert_gradients(function: Callable[..., Any], *, order: str | None = None) -> None:
    """Raise AssertionError, with the text of the verdict, unless `diagnose` finds a function's gradients right.

    Examples
    --------
    >>> import fastlstm
    >>> fastlstm.assert_gradients(fastlstm.gradients)
    """
    verdict = diagnose(function, order=order)
    if not verdict.right:
        raise AssertionError(str(verdict))


def _quiet(line: str) -> None:
    """Without progress."""


def _diagnose(
    function: Callable[..., Any], kind: Kind, layout: Layout | None, progress: Progress, leave_out: frozenset[str]
) -> Verdict:
    asker = Asker(function, kind, layout or Layout())
    answers = [asker.ask(probe) for probe in ordinary_probes(asker.takes)]
    bench = bench_for(kind, asker.takes, asker.names, asker.batched)
    if verdict := _worthless(asker, bench, answers):
        return verdict
    order = layout.sentence if layout and layout != Layout() else ""
    search = Search(bench, answers, asker.is_single, time.process_time() + SECONDS, progress, leave_out)
    comparison = Agreement(bench, answers, search.tolerance)
    match = search.single()
    if match and Candidate() in match.sets:
        return _agreement(asker, bench, match, order)
    if match and layout is None and asker.in_one_array and any(candidate.differentiated for candidate in match.sets):
        # f and i in each other's place, with the gradients of that, is another order of the gates
        own = comparison.own_order(in_one_array=True)
        if own and (verdict := _diagnose(function, kind, own, progress, leave_out)).right:
            return verdict
    if match is None:
        if verdict := _one_slip(asker, comparison):
            return verdict
        try:
            match = search.pair()
            if match is None and layout is None and (own := comparison.own_order(in_one_array=asker.in_one_array)):
                verdict = _diagnose(function, kind, own, progress, leave_out)
                if verdict.right or verdict.mistakes:
                    return verdict
            match = match or search.ladder()
        except OutOfTime:
            progress(f"no answer within {SECONDS:.0f} seconds")
    if match is None:
        return _unknown(asker, comparison, search, order)
    return _named(asker, comparison, match, order)


def _worthless(asker: Asker, bench: Bench, answers: Sequence[Array]) -> Verdict | None:
    """Answers without a number to compare: not finite, or all 0."""
    for probe, values in zip(bench.probes, answers, strict=True):
        if not np.isfinite(values).all():
            name, t = columns(bench.names, probe.steps)[int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])]
            output = label(name) if t is None else f"{name}_{t}"
            text = f"{asker.name}: wrong. {output} is not a finite number at T = {probe.steps}, on ordinary draws."
            return Verdict(False, text, departs=Departure(output, probe.steps, float("inf")))
    if not any(values.any() for values in answers):
        name, t = columns(bench.names, bench.probes[0].steps)[0]
        text = (
            f"{asker.name}: wrong. All values are 0 in every draw. dz_t/dC_t is 0, since z_t is computed before C_t; "
            "a chain through it gives this."
        )
        return Verdict(False, text, departs=Departure(label(name), bench.probes[0].steps, 1.0))
    return None


def _agreement(asker: Asker, bench: Bench, match: Match, order: str) -> Verdict:
    """Right on the ordinary draws; strong ones show whether something is clipped."""
    probe = strong_probe(asker.takes)
    answers = asker.ask(probe)
    with np.errstate(all="ignore"):
        made = [computed(probe, bench.names, compose(candidate.mistakes) or {}) for candidate in match.sets]
    distances = np.array([off(values, answers).max() for values in made])
    best, right = int(distances.argmin()), float(distances[match.sets.index(Candidate())])
    head = f"{asker.name}: right"
    if right > max(GAP * distances[best], 1e-11) and distances[best] < COARSEST:
        mistakes = findings(match.sets[best])
        text = f"{asker.name}: wrong on draws with large parameters. On ordinary draws ({_ASKED}) all agree."
        departs = Departure(label(bench.names[0]), probe.steps, right)
        return Verdict(False, paragraphs(text, map(str, mistakes), LIMITS), mistakes, departs=departs, order=order)
    if right > 30 * COARSEST:
        text = (
            f"{asker.name}: right on ordinary draws ({_ASKED}), wrong on draws with large parameters, by {right:.2g} "
            "of a column's size. Look for clipping, and for 1 - s(z) or exp(-z) where a gate saturates."
        )
        return Verdict(False, paragraphs(text, LIMITS), departs=Departure(label(bench.names[0]), probe.steps, right))
    count = sum(len(columns(bench.names, probe.steps)) for probe in bench.probes)
    head += (
        f". All {count} columns agree to {max(match.distance, 1e-14):.0e} ({_ASKED}), and on {len(probe.params)} draws "
    )
    head += "with large parameters."
    hidden = sorted(id for candidate in match.sets for id in candidate.ids if not candidate.differentiated)
    unseen = f"These outputs cannot show: {', '.join(hidden)}." if hidden else ""
    return Verdict(True, paragraphs(head, order and f"Its order: {order}.", unseen, LIMITS), order=order)


def _one_slip(asker: Asker, comparison: Agreement) -> Verdict | None:
    """The right numbers with one factor, or in another order."""
    departs = comparison.departure()
    if factors := comparison.factor():
        factor = f"{factors[0]:.6g}" if np.ptp(factors) < 1e-3 * abs(factors[0]) else _by_length(factors)
        finding = Finding("S.factor", ("B1",), f"all outputs are the right ones times {factor}", (), (), link("B1"))
    elif asker.in_one_array and (layout := comparison.returned_order()):
        sentence = f"the 14 gradients are right, but returned in the order {layout.sentence}"
        finding = Finding("order", (), sentence, (), (), "docs/diagnose.md#orders-of-the-gates")
    else:
        return None
    text = paragraphs(f"{asker.name}: wrong. {comparison.described()}", str(finding), LIMITS)
    return Verdict(False, text, (finding,), departs=departs)


def _by_length(factors: Sequence[float]) -> str:
    return ", ".join(f"{factor:.6g} at T = {steps}" for factor, steps in zip(factors, LENGTHS, strict=True))


def _named(asker: Asker, comparison: Agreement, match: Match, order: str) -> Verdict:
    """The mistakes that give the numbers."""
    sets = dict.fromkeys([*match.sets, *(other for candidate in match.sets for other in other_spellings(candidate))])
    mistakes, *equals = map(findings, sets)
    count = sum(answers.shape[1] for answers in comparison.answers)
    gives = "gives your numbers" if len(mistakes) == 1 else "together give your numbers"
    text = paragraphs(
        f"{asker.name}: wrong. {comparison.described()}",
        order and f"Its order: {order}.",
        f"{number(len(mistakes), 'mistake').capitalize()} {gives} ({count} of {count} columns to "
        f"{max(match.distance, 1e-14):.0e}; {_ASKED}; the next candidate is off by {match.next_distance:.2g}):",
        map(str, mistakes),
        f"The same numbers come from: {named(equals)}." if equals else "",
        LIMITS,
    )
    return Verdict(False, text, mistakes, tuple(equals), comparison.departure(), order)


def _unknown(asker: Asker, comparison: Agreement, search: Search, order: str) -> Verdict:
    """No known mistake: where the numbers depart, and what to look at."""
    parts = []
    for step in search.partly:
        own = sum(int((comparison.distances(n) < search.tolerance).sum()) for n in range(len(comparison.answers)))
        if step.ids and step.agreeing > own:
            ids = " + ".join(step.ids)
            parts.append(f"{step.agreeing} of {step.columns} columns agree with {ids}, {own} with the right gradients.")
    text = paragraphs(
        f"{asker.name}: wrong. No known mistake. {comparison.described()}",
        order and f"Its order: {order}.",
        f"Known mistakes in {', '.join(looked)} depart in the same outputs: look there."
        if (looked := comparison.suspects())
        else "",
        parts,
        LIMITS,
    )
    return Verdict(False, text, departs=comparison.departure(), order=order)
