"""Random sets of mistakes, and what counts as named."""

import random
from collections.abc import Iterator

from fastlstm.diagnosis import Verdict
from fastlstm.diagnosis.bench import ROUNDING, Bench, Candidate, bench_for, off
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.mistake import compose
from fastlstm.diagnosis.probes import Takes
from fastlstm.oracles.naive import NAMES

ALL_OUTPUTS = (*NAMES, "h0", "C0", "dx")
NOT_ON_ORDINARY_DRAWS = {"S.clip", "S.clipg", "F2.clip"}
NEEDS_A_BATCH = {"S./D"}


def lines_of(ids: tuple[str, ...] | list[str]) -> dict[str, str] | None:
    """The changed lines of some mistakes."""
    return compose(CATALOGUE[id] for id in ids)


def bench() -> Bench:
    """What every candidate gives, for the 14 gradients, dx, h0 and C0."""
    return bench_for("gradients", Takes(), ALL_OUTPUTS, False)


def random_sets(size: int, seed: int) -> Iterator[tuple[str, ...]]:
    """Mistakes that can be made together, in lines of their own, each of which shows beside the others."""
    chance = random.Random(seed)
    pool = [id for id in CATALOGUE if id not in NOT_ON_ORDINARY_DRAWS | NEEDS_A_BATCH]
    while True:
        ids = tuple(sorted(chance.sample(pool, size)))
        replaced = [name for id in ids for name, change in CATALOGUE[id].changes.items() if not _adds(change)]
        if len(replaced) == len(set(replaced)) and lines_of(ids) is not None and _all_show(ids):
            yield ids


def _adds(change: str | tuple[str, str]) -> bool:
    return not isinstance(change, str) or "{}" in change


def _all_show(ids: tuple[str, ...]) -> bool:
    whole = [bench().columns(Candidate(ids), n) for n in range(4)]
    for id in ids:
        fewer = Candidate(tuple(other for other in ids if other != id))
        values = [bench().columns(fewer, n) for n in range(4)]
        if values[0] is not None and all(off(a, b).max() < ROUNDING for a, b in zip(values, whole, strict=True)):
            return False
    return True


def is_named(verdict: Verdict, ids: tuple[str, ...]) -> bool:
    """Whether these mistakes, and no others, are stated, or stand among the sets with the same numbers."""
    return set(ids) in [{finding.id for finding in actual} for actual in (verdict.mistakes, *verdict.equals)]


def claims_falsely(verdict: Verdict, ids: tuple[str, ...]) -> bool:
    """Whether mistakes are stated that do not give the numbers of the true ones on the probes, whatever their names."""
    if not verdict.mistakes:
        return False
    stated = Candidate(tuple(finding.id for finding in verdict.mistakes))
    if any(id not in CATALOGUE for id in stated.ids):
        return True
    pairs = [(bench().columns(stated, n), bench().columns(Candidate(ids), n)) for n in range(4)]
    return any(one is None or other is None or off(one, other).max() > 1e-6 for one, other in pairs)
