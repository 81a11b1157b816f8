"""Mistakes that are made of others, line by line: M3 is B2.none with B3.none. Numbers cannot tell which was made."""

from functools import cache

from fastlstm.diagnosis.bench import Candidate
from fastlstm.diagnosis.catalogue import CATALOGUE
from fastlstm.diagnosis.mistake import BOOK, compose


def _changed(id: str) -> frozenset[tuple[str, str]]:
    """The lines that a mistake leaves, where they differ from the book's."""
    return frozenset((compose([CATALOGUE[id]]) or {}).items()) - frozenset(BOOK.items())


@cache
def made_of() -> dict[str, frozenset[str]]:
    """The mistakes whose lines are those of some smaller ones together -> these."""
    changed = {id: _changed(id) for id in CATALOGUE}
    parts = {id: frozenset(other for other in changed if changed[other] < lines) for id, lines in changed.items()}
    return {id: ids for id, ids in parts.items() if ids and frozenset().union(*map(_changed, ids)) == changed[id]}


def other_spellings(candidate: Candidate) -> list[Candidate]:
    """The same changed lines as other sets: a mistake in place of its parts, or its parts in place of it."""
    if candidate.differentiated:
        return []
    ids, spellings = frozenset(candidate.ids), []
    for whole, parts in made_of().items():
        if whole in ids:
            spellings.append((ids - {whole}) | parts)
        if parts <= ids:
            spellings.append((ids - parts) | {whole})
    return [Candidate(tuple(sorted(spelling))) for spelling in spellings]
