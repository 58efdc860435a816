"""The machine code of a whole program as units that refer to each other and to data.

A unit is a function, or a stretch of code that no table names (linker stubs, C code of a stripped
program). Every byte of every executable section belongs to exactly one unit, so that nothing can
hide between functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.static import amd64, arm64
from gofuzzsec.binary.static.references import (
    ADDRESS,
    NOTHING,
    NUMBER,
    PAGE,
    Addresses,
    Found,
    Kinds,
    Part,
)
from gofuzzsec.binary.static.space import Region, Space

_CHUNK = 128 << 10
"""Bytes of code read at a time; the disassembler's output takes 60 times as much."""
_PADDING = 64
"""More bytes than this between two functions are code of their own, not alignment."""

Row = tuple[int, int, str, bool]
"""Address, size in bytes, name, and whether it may not come from Go's compiler."""


@dataclass(frozen=True, slots=True)
class Units:
    """Stretches of code by address; unit i is [starts[i], ends[i]). Those that are not ``compiled``
    by Go are written in assembly or C, or nobody knows."""

    starts: Addresses
    ends: Addresses
    names: tuple[str, ...]
    compiled: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, address: int) -> int:
        """The unit that holds *address*, -1 for none."""
        index = int(np.searchsorted(self.starts, address, "right")) - 1
        return index if index >= 0 and address < int(self.ends[index]) else -1

    def holding(self, addresses: Addresses) -> Addresses:
        """`at` for many."""
        index = np.searchsorted(self.starts, addresses, "right") - 1
        inside = (index >= 0) & (addresses < self.ends[index])
        return np.where(inside, index, -1)


@dataclass(frozen=True, slots=True)
class Code:
    """All references between units and from units to data, ordered by place: those of unit i are
    ``[first[i], first[i + 1])`` of ``at``, ``target`` and ``kind``.

    ``calls`` are the places of system call instructions, ``legacy`` those of calls by 32-bit
    numbers; ``unclear`` are units with bytes that could not be disassembled, in which all that may
    be an address counts as one.
    """

    units: Units
    at: Addresses
    target: Addresses
    kind: Kinds
    first: Addresses
    calls: tuple[int, ...]
    legacy: tuple[int, ...]
    unclear: tuple[int, ...]

    def references(self, unit: int) -> Iterator[tuple[int, int, int]]:
        """(place, target, kind) of each reference of *unit*."""
        part = slice(int(self.first[unit]), int(self.first[unit + 1]))
        return zip(
            self.at[part].tolist(), self.target[part].tolist(), self.kind[part].tolist(),
            strict=True,
        )  # fmt: skip


def units_of(space: Space, functions: Iterable[Row]) -> Units:
    """Cut the executable sections at *functions* and fill what is left between them."""
    known: dict[int, Row] = {}
    for row in functions:
        if row[0] not in known or known[row[0]][1] < row[1]:
            known[row[0]] = row
    rows: list[Row] = []
    for region in space.regions:
        if region.executable:
            rows += _cut(region, [known[a] for a in sorted(known) if _inside(region, a)])
    starts = np.array([row[0] for row in rows], np.int64)
    ends = np.array([row[0] + row[1] for row in rows], np.int64)
    compiled = np.array([not row[3] for row in rows], bool)
    return Units(starts, ends, tuple(row[2] for row in rows), compiled)


def _inside(region: Region, address: int) -> bool:
    return region.address <= address < region.address + region.size


def _cut(region: Region, rows: list[Row]) -> Iterator[Row]:
    section = region.name.decode("ascii", "replace")
    limit = region.address + region.size
    first = rows[0][0] if rows else limit
    if first > region.address:
        yield region.address, first - region.address, f"({section})", True
    following = [*(row[0] for row in rows[1:]), limit][: len(rows)]
    for (address, size, name, foreign), after in zip(rows, following, strict=True):
        end = address + size if size else after
        if after - end <= _PADDING:
            yield address, after - address, name, foreign
        else:
            yield address, end - address, name, foreign
            yield end, after - end, f"({section}+{end - region.address:#x})", True


def read_code(space: Space, units: Units, *, paired: bool) -> Code:
    """Disassemble everything. *paired*: no code but Go's is in the program (see `arm64.find`)."""
    found: list[Found] = []
    for first, last in _chunks(units):
        found += _read(space, units, first, last, paired)
    at, target, kind = (
        np.concatenate([getattr(part, name) for part in found]) for name in ("at", "target", "kind")
    )
    # Go's compiler takes addresses relative to where the code is, and never as numbers.
    numbers = kind == NUMBER
    keep = _is_useful(space, units, at, target, kind) & ~(numbers & _compiled(units, at))
    kind[numbers] = ADDRESS
    at, target, kind = at[keep], target[keep], kind[keep]
    unknown = np.concatenate([part.unknown for part in found])
    return Code(
        units, at, target, kind,
        first=np.append(np.searchsorted(at, units.starts), len(at)),
        calls=tuple(np.concatenate([part.calls for part in found]).tolist()),
        legacy=tuple(np.concatenate([part.legacy for part in found]).tolist()),
        unclear=tuple(np.unique(units.holding(unknown)).tolist()),
    )  # fmt: skip


def jump_targets(space: Space, code: Code, unit: int) -> frozenset[int]:
    """Addresses amid *unit* in the jump tables that it refers to."""
    start, end = int(code.units.starts[unit]), int(code.units.ends[unit])
    found: set[int] = set()
    read: set[int] = set()
    for _, target, kind in code.references(unit):
        while kind in (ADDRESS, PAGE) and target not in read:
            read.add(target)
            word = space.word(target)
            if word is None or not start < word < end:
                break
            found.add(word)
            target += 8
    return frozenset(found)


def _chunks(units: Units) -> Iterator[tuple[int, int]]:
    """Runs of adjoining units of about `_CHUNK` bytes: [first, last)."""
    first = 0
    for index in range(1, len(units) + 1):
        if index == len(units) or (
            units.starts[index] != units.ends[index - 1]
            or units.ends[index] - units.starts[first] > _CHUNK
        ):
            yield first, index
            first = index


def _read(space: Space, units: Units, first: int, last: int, paired: bool) -> list[Found]:
    address, end = int(units.starts[first]), int(units.ends[last - 1])
    code = space.read(address, end - address)
    if space.arch == "arm64":
        return [arm64.find(code, address, paired=paired)]
    found = amd64.find(code, address, fixed=space.fixed)
    if last - first > 1 and not np.isin(units.starts[first:last], found.starts).all():
        # Data among the code led the disassembler past the beginning of a function.
        each = (_read(space, units, one, one + 1, paired) for one in range(first, last))
        return [part for parts in each for part in parts]
    unclear = np.unique(units.holding(found.unknown)).tolist()
    return [found, *(_guess(space, units, unit, found) for unit in unclear)]


def _guess(space: Space, units: Units, unit: int, found: Found) -> Found:
    """Every reference and system call that an instruction at any byte of *unit* could hold, beside
    those that were *found*."""
    start, end = int(units.starts[unit]), int(units.ends[unit])
    body = np.frombuffer(space.read(start, end - start), np.uint8)
    if len(body) < 4:
        return Found.of([(NOTHING, NOTHING, ADDRESS)])
    windows = np.lib.stride_tricks.sliding_window_view(body, 4)
    value = np.ascontiguousarray(windows).view(np.int32).reshape(-1).astype(np.int64)
    at = start + np.arange(len(value))
    parts: list[Part] = []
    for behind in (0, 1, 2, 4):  # bytes of an immediate between the distance and the next
        target = at + 4 + behind + value
        exact = np.isin(target, units.starts) | _is_data(space, target)
        parts.append((at[exact], target[exact], ADDRESS))
    pairs = start + np.flatnonzero((body[:-1] == 0x0F) & (body[1:] == 0x05))
    return Found.of(parts, calls=pairs[~np.isin(pairs, found.calls)])


def _compiled(units: Units, at: Addresses) -> npt.NDArray[np.bool_]:
    return np.asarray(units.compiled[units.holding(at)])


def _is_data(space: Space, target: Addresses) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(target), bool)
    for region in space.regions:
        if not region.executable:
            inside |= (target >= region.address) & (target < region.address + region.size)
    return inside


def _is_useful(
    space: Space, units: Units, at: Addresses, target: Addresses, kind: Kinds
) -> npt.NDArray[np.bool_]:
    """References that lead out of their unit to something that the program has."""
    to = units.holding(target)
    own = units.holding(at) == to
    entry = own & (kind == ADDRESS) & np.isin(target, units.starts)
    page = (kind == PAGE) & (target < space.high) & (target + arm64.PAGE_BYTES > space.low)
    return np.asarray(((to >= 0) & ~own) | entry | _is_data(space, target) | page)
