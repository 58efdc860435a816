"""The basic blocks of one function: where control can go from where, without what it does.

Go's compiler ends no block with a call, except of functions that never return. An indirect jump
goes to the entries of the jump tables that the function refers to.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.static import amd64, arm64
from gofuzzsec.binary.static.code import Code, jump_targets
from gofuzzsec.binary.static.references import BRANCH, CALL, Addresses, Found
from gofuzzsec.binary.static.space import Space

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Blocks:
    """``starts`` are ascending addresses, the function's entry first; ``following`` are, for each
    block, the numbers of those that can run next."""

    starts: tuple[int, ...]
    following: tuple[tuple[int, ...], ...]

    def at(self, address: int) -> int:
        """The block that holds *address*, which is the function's."""
        return bisect_right(self.starts, address) - 1


def blocks_of(space: Space, code: Code, unit: int, final: frozenset[int]) -> Blocks:
    """The blocks of *unit*. *final* are addresses of functions that do not return."""
    start, end = int(code.units.starts[unit]), int(code.units.ends[unit])
    body = space.read(start, end - start)
    if space.arch == "arm64":
        found = arm64.find(body, start, paired=True)
        ends, fixed = _ends_arm64(body)
    else:
        found = amd64.find(body, start, fixed=False)
        ends, fixed = _ends_amd64(body, found.starts - start)
    tables = jump_targets(space, code, unit)
    return _cut(start, end, found, ends | _calls_final(found, final), fixed, tables)


def _cut(
    start: int, end: int, found: Found, ends: _Mask, fixed: _Mask, tables: frozenset[int]
) -> Blocks:
    """*ends* are the instructions behind which control does not go on; *fixed* those of them that
    go where a reference says, or nowhere."""
    jumps = found.kind == BRANCH
    at, target = found.at[jumps], found.target[jumps]
    inside = (target >= start) & (target < end)
    after = np.append(found.starts[1:], end)  # of each instruction, the address behind it
    behind = after[np.isin(found.starts, at) | ends]
    leaders = np.unique(
        np.concatenate([[start], target[inside], behind[behind < end], sorted(tables)])
    ).astype(np.int64)
    last = np.searchsorted(found.starts, np.append(leaders[1:], end)) - 1  # instruction of a block
    ways: list[set[int]] = [set() for _ in leaders]
    for block, place in enumerate(last.tolist()):
        if place >= 0 and not ends[place] and block + 1 < len(leaders):
            ways[block].add(block + 1)
        if place >= 0 and ends[place] and not fixed[place]:
            ways[block].update(np.searchsorted(leaders, sorted(tables)).tolist())
    holders = np.searchsorted(leaders, at[inside], "right") - 1
    goals = np.searchsorted(leaders, target[inside])
    for block, goal in zip(holders.tolist(), goals.tolist(), strict=True):
        ways[block].add(goal)
    return Blocks(tuple(leaders.tolist()), tuple(tuple(sorted(way)) for way in ways))


def _calls_final(found: Found, final: frozenset[int]) -> _Mask:
    calls = (found.kind == CALL) & np.isin(found.target, np.fromiter(final, np.int64))
    return np.isin(found.starts, found.at[calls])


def _ends_amd64(body: bytes, offsets: Addresses) -> tuple[_Mask, _Mask]:
    """Jumps that are always taken, returns and traps; and which of them are no indirect jumps
    (Intel SDM, volume 2, appendix A)."""
    code = np.frombuffer(body + bytes(4), np.uint8)
    prefixed = (code[offsets] & 0xF0 == 0x40) | (code[offsets] == 0x3E)
    first = code[offsets + prefixed]
    second = code[offsets + prefixed + 1]
    indirect = (first == 0xFF) & (second >> 3 & 7 == 4)
    plain = np.isin(first, (0xE9, 0xEB, 0xC3, 0xC2, 0xCC, 0xF4))
    plain |= (first == 0x0F) & (second == 0x0B)
    return plain | indirect, plain


def _ends_arm64(body: bytes) -> tuple[_Mask, _Mask]:
    """B, RET, BRK and UDF; BR is the indirect jump (Arm ARM, C4.1)."""
    words = np.frombuffer(body[: len(body) // 4 * 4], "<u4").astype(np.int64)
    indirect = words & 0xFFFFFC1F == 0xD61F0000
    plain = (words >> 26 == 0b000101) | (words & 0xFFFFFC1F == 0xD65F0000)
    plain |= (words & 0xFFE0001F == 0xD4200000) | (words >> 16 == 0)
    return plain | indirect, plain
