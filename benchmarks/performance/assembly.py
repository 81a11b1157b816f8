"""Loops in compiled code, and the vector operations in them. For the assembly of x86-64 as LLVM prints it."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_LABEL = re.compile(r"^(\.LBB\d+_\d+):")
_INSTRUCTION = re.compile(r"^\t([a-z]\w*)(?:\s+(.*))?$")
# Loads, stores and copies: they do not use the units that do arithmetic, or only wait for memory
_MOVES = ("vmov", "vbroadcast", "vpbroadcast", "vzeroupper", "vgather", "vscatter", "vpgather", "vpscatter")


class Block(NamedTuple):
    """Instructions without a jump in between, and the blocks that may come next."""

    instructions: list[tuple[str, str]]
    following: list[int]


class Loop(NamedTuple):
    """Its blocks, and those of the loops inside it."""

    blocks: frozenset[int]
    inside: frozenset[int]


class Operations(NamedTuple):
    """Vector arithmetic: instructions on whole registers, and how many of them shift bits to the left."""

    arithmetic: int
    shifts: int


def blocks_of(assembly: str) -> list[Block]:
    """The blocks of the first function, in their order; the function begins with block 0."""
    lines: list[str] = []
    begun = False
    for line in assembly.splitlines():
        begun = begun or "@function" in line
        if line.startswith(".Lfunc_end"):
            break
        if begun:
            lines.append(line)
    texts: list[list[tuple[str, str]]] = [[]]
    place: dict[str, int] = {}
    for line in lines:
        if label := _LABEL.match(line):
            if texts[-1]:
                texts.append([])
            place[label[1]] = len(texts) - 1
        elif instruction := _INSTRUCTION.match(line):
            texts[-1].append((instruction[1], instruction[2] or ""))
            if instruction[1].startswith(("j", "ret")):
                texts.append([])
    blocks = []
    for number, text in enumerate(texts):
        name, operand = text[-1] if text else ("", "")
        following = [place[operand]] if name.startswith("j") and operand in place else []
        if not name.startswith(("jmp", "ret")) and number + 1 < len(texts):
            following.append(number + 1)
        blocks.append(Block(text, following))
    return blocks


def loops_of(blocks: list[Block]) -> list[Loop]:
    """The natural loops: what leads back to a block that all ways into the loop pass through."""
    before: list[set[int]] = [set() for _ in blocks]
    for number, block in enumerate(blocks):
        for following in block.following:
            before[following].add(number)
    bodies: dict[int, set[int]] = {}
    dominators = _dominators(blocks, before)
    for number, block in enumerate(blocks):
        for head in block.following:
            if head in dominators[number]:
                body = bodies.setdefault(head, {head})
                waiting = [number]
                while waiting:
                    if (place := waiting.pop()) not in body:
                        body.add(place)
                        waiting += before[place]
    loops = []
    for body in bodies.values():
        inner = (other for other in bodies.values() if other < body)
        loops.append(Loop(frozenset(body), frozenset().union(*inner)))
    return loops


def _dominators(blocks: list[Block], before: list[set[int]]) -> list[set[int]]:
    """For each block those that every way to it passes through, itself included."""
    every = set(range(len(blocks)))
    dominators = [{0}, *(set(every) for _ in blocks[1:])]
    changed = True
    while changed:
        changed = False
        for number in range(1, len(blocks)):
            ways = [dominators[place] for place in before[number]]
            new = {number} | (set.intersection(*ways) if ways else set())
            changed = changed or new != dominators[number]
            dominators[number] = new
    return dominators


def operations(blocks: list[Block], which: Iterable[int], register: str) -> Operations:
    """Vector arithmetic on registers of a kind (zmm, ymm or xmm) in some blocks."""
    names = [
        name
        for number in which
        for name, operands in blocks[number].instructions
        if name.startswith("v") and not name.startswith(_MOVES) and f"%{register}" in operands
    ]
    return Operations(len(names), sum(name.startswith("vpsll") for name in names))
