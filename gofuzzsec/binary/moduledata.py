"""Two addresses that only runtime.moduledata knows: where Go's code and its function data begin.

The record is found by its first word, the address of the function table, and proved by a later one,
the address of the first function. In a position-independent file its words are filled in when the
program is loaded, so they are read as the relocations will leave them. Layout: Go's
src/runtime/symtab.go, the same from 1.18 on up to the word after ``text``; of the later words only
one is wanted, and which it is depends on the version, so each that may be it is tried.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gofuzzsec.binary.elf import MAX_SECTION, Elf

_MINPC, _TEXT = 20, 22  # words: a pointer, six slices, findfunctab, minpc, maxpc, text
_WORDS = 48  # the words before textsectmap, and a few more
_GOFUNC = range(36, _WORDS)  # 38 in Go 1.18, 40 from 1.20, 43 in 1.27
_WRITABLE = 2  # p_flags
_RELATIVE = {"amd64": 8, "arm64": 1027}  # R_X86_64_RELATIVE, R_AARCH64_RELATIVE
_MAX_HITS = 16


@dataclass(frozen=True, slots=True)
class Module:
    """``text`` is where Go's code begins; ``candidates`` are addresses of read-only data, one of
    which is where Go's function data begins."""

    text: int
    candidates: tuple[int, ...]


def find_module(elf: Elf, table: int, first: int, text: int) -> Module:
    """The record of the function table at *table*, whose first function is *first* bytes into the
    code; *text* is what the table itself says of the code's start, 0 for nothing. Raises
    BinaryError."""
    for words in _records(elf, table):
        if elf.offset_of(words[_MINPC]) is not None and words[_MINPC] == words[_TEXT] + first:
            candidates = (words[at] for at in _GOFUNC if words[at])
            return Module(words[_TEXT], tuple(a for a in candidates if elf.offset_of(a)))
    if text == 0 or elf.offset_of(text + first) is None:
        raise elf.image.broken("a Go program that does not say where its code begins")
    return Module(text, ())


def _records(elf: Elf, table: int) -> Iterator[tuple[int, ...]]:
    """What may be the record: words from each place where the address *table* is kept."""
    pointer = struct.pack("<Q", table)
    relocations = _relocations(elf)
    places = relocations[0][relocations[1] == table][:_MAX_HITS].tolist()
    left = MAX_SECTION
    for segment in elf.segments:
        if segment.flags & _WRITABLE and segment.size <= left:
            left -= segment.size
            data = elf.read(segment.address, segment.size)
            at = data.find(pointer)
            while at >= 0 and len(places) < _MAX_HITS:
                places.append(segment.address + at)
                at = data.find(pointer, at + 8)
    for place in places:
        data = elf.read(place, _WORDS * 8)
        if len(data) == _WORDS * 8:
            words = list(struct.unpack(f"<{_WORDS}Q", data))
            where, to = relocations
            for index in np.flatnonzero((where >= place) & (where < place + _WORDS * 8)).tolist():
                words[(int(where[index]) - place) // 8] = int(to[index])
            yield tuple(words)


def _relocations(elf: Elf) -> tuple[np.ndarray, np.ndarray]:
    """Addresses of words that the loader fills in with addresses of this program, and those."""
    section = elf.section(b".rela.dyn", b".rela") if elf.position_independent else None
    data = elf.content(section) if section is not None else b""
    rows = np.frombuffer(data[: len(data) // 24 * 24], "<u8").reshape(-1, 3)
    rows = rows[rows[:, 1] == _RELATIVE[elf.arch]]
    return rows[:, 0], rows[:, 2]
