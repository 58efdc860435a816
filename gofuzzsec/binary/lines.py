"""From an address to source lines, through inlined calls.

The reading of the tables follows the runtime's own inlineUnwinder (src/runtime/symtabinl.go).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from gofuzzsec.binary.pclntab import INLINE_INDEX, INLINED_CALL, PclnTable, Steps
from gofuzzsec.binary.table import plain_name

_MAX_DEPTH = 128  # inlined calls within each other; the compiler's budget ends them long before
_MAX_CALLS = 1 << 16  # of one function
_FUNCTIONS_KEPT, _ADDRESSES_KEPT = 2048, 1 << 16


@dataclass(frozen=True, slots=True)
class Frame:
    """A function's name without blanks, the file and line of the address in it; "" and 0 when that
    is not known."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} {self.file}:{self.line}" if self.file else self.function


@dataclass(frozen=True, slots=True)
class _Decoded:
    """The tables of one function."""

    entry: int
    name: str
    files: Steps
    lines: Steps
    inlined: Steps
    calls: tuple[tuple[str, int], ...]  # name of the inlined function, offset of its call


class LineTable:
    """Decodes what it is asked for and keeps the newest of it, so that asking again takes a
    microsecond and memory stays bounded."""

    def __init__(self, table: PclnTable) -> None:
        # Not methods of this: a cycle would keep the program's file open until the collector runs.
        decoded = lru_cache(_FUNCTIONS_KEPT)(partial(_decode, table))
        self.frames = lru_cache(_ADDRESSES_KEPT)(partial(_frames, table, decoded))
        """Frames of the instruction at an address, innermost first; none outside of Go's code."""


def _frames(
    table: PclnTable, decoded: Callable[[int], _Decoded], address: int
) -> tuple[Frame, ...]:
    index = table.index_at(address)
    if index < 0:
        return ()
    function = decoded(index)
    at = address - function.entry
    frames: list[Frame] = []
    while len(frames) < _MAX_DEPTH:
        call = _value(function.inlined, at)
        if not 0 <= call < len(function.calls):
            break
        name, parent = function.calls[call]
        frames.append(_frame(table, index, function, name, at))
        at = parent
    frames.append(_frame(table, index, function, function.name, at))
    return tuple(frames)


def _frame(table: PclnTable, index: int, function: _Decoded, name: str, at: int) -> Frame:
    line = _value(function.lines, at)
    file = table.file(index, _value(function.files, at))
    return Frame(name, file, line) if file and line > 0 else Frame(name, "", 0)


def _decode(table: PclnTable, index: int) -> _Decoded:
    inlined = table.pcdata_steps(index, INLINE_INDEX)
    return _Decoded(
        entry=table.entry(index),
        name=plain_name(table.name(int(table.names[index]))),
        files=table.file_steps(index),
        lines=table.line_steps(index),
        inlined=inlined,
        calls=_calls(table, index, max(inlined[1], default=-1) + 1),
    )


def _calls(table: PclnTable, index: int, count: int) -> tuple[tuple[str, int], ...]:
    """The first *count* entries of a function's inline tree."""
    at = table.inline_tree(index)
    if not at or count <= 0:
        return ()
    data = table.elf.read(at, min(count, _MAX_CALLS) * INLINED_CALL.size)
    whole = data[: len(data) // INLINED_CALL.size * INLINED_CALL.size]
    return tuple(
        (plain_name(table.name(name)), parent)
        for _, name, parent, _ in INLINED_CALL.iter_unpack(whole)
    )


def _value(steps: Steps, at: int) -> int:
    """The value at an offset from the function's entry, -1 for none."""
    ends, values = steps
    index = bisect_right(ends, at)
    return values[index] if at >= 0 and index < len(ends) else -1
