"""Which function each coverage counter of a fuzz build belongs to, and where it is counted.

A fuzz build (`go test -c -fuzz`) has one byte for each block of each instrumented function. The
linker gathers them in one section, and a worker's snapshot is that section from its first byte to
its last (``internal/fuzz.coverage``: from ``_counters`` to ``_ecounters``; the boosted agent keeps
that order), so that a counter's index is its offset. Nothing in the file names a counter's
function, but its code does: only the block that a counter stands for counts in it. Code inlined
into a function counts for that function, in counters of its own there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gofuzzsec.binary.lines import Frame
from gofuzzsec.binary.program import GoProgram
from gofuzzsec.binary.static.code import Code, read_code, units_of
from gofuzzsec.binary.static.references import Addresses
from gofuzzsec.binary.static.space import Space, space_of
from gofuzzsec.errors import BinaryError

SECTION = b".go.fuzzcntrs"
_LEAST_CODE = 8
"""Bytes of code that a counter takes at least; Go's compiler needs some 30."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Index is the counter's place in a snapshot. ``functions`` names the function whose code
    holds the counter (not one that was inlined there), "" for one that no code counts in;
    ``addresses`` is the instruction where counting begins, 0 likewise."""

    functions: tuple[str, ...]
    addresses: tuple[int, ...]
    _by_name: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.functions)

    def of(self, function: str) -> tuple[int, ...]:
        """The counters in *function*, ascending; none for one that is not instrumented."""
        if not self._by_name:
            found: dict[str, list[int]] = {}
            for index, name in enumerate(self.functions):
                found.setdefault(name, []).append(index)
            self._by_name.update({name: tuple(indices) for name, indices in found.items()})
        return self._by_name.get(function, ()) if function else ()

    def frames(self, program: GoProgram, index: int) -> tuple[Frame, ...]:
        """Source places of a counter of *program*: innermost inlined function first, then what it
        is inlined into. Empty for a counter that no code counts in."""
        address = self.addresses[index]
        return program.frames(address, call=False) if address else ()


def counters_of(program: GoProgram | Path, code: Code | None = None) -> Counters:
    """The counters of a fuzz build. *code* is its code, if that was read already (a call graph has
    it): that spares a second a 20 MB binary.

    Raises BinaryError for what is no Go program, or was built without ``-fuzz``.
    """
    program = program if isinstance(program, GoProgram) else GoProgram.read(program)
    section = program.elf.section(SECTION)
    if section is None or not section.size:
        raise BinaryError(
            f"expected coverage counters in {program.path}, found none: it was built without "
            "-fuzz; build it with `go test -c -fuzz=. -o NAME.test PACKAGE`"
        )
    space = space_of(program.elf)
    room = sum(region.size for region in space.regions if region.executable)
    if section.size > room // _LEAST_CODE:
        raise program.elf.image.broken(f"{section.size} counters in {room} bytes of code")
    if code is None:
        rows = ((f.address, f.size, f.name, f.assembly) for f in program.functions)
        code = read_code(space, units_of(space, rows), paired=not program.has_cgo)
    return _owners(space, code, section.address, section.size)


def _owners(space: Space, code: Code, first: int, size: int) -> Counters:
    """Whose code counts in each of *size* counters from the address *first* on."""
    inside = (code.target >= first) & (code.target < first + size)
    at, index = code.at[inside], code.target[inside] - first
    counted = _counts(space, at)
    at, index = at[counted], index[counted]
    indices, firsts = np.unique(index, return_index=True)
    units = code.units.holding(at[firsts]).tolist()
    functions, addresses = [""] * size, [0] * size
    for number, unit, address in zip(indices.tolist(), units, at[firsts].tolist(), strict=True):
        functions[number], addresses[number] = code.units.names[unit], address
    return Counters(tuple(functions), tuple(addresses))


def _counts(space: Space, at: Addresses) -> np.ndarray:
    """Which of the instructions *at* read or write memory; those that only take an address belong
    to who handles all counters, as internal/fuzz does."""
    taking = _takes_amd64 if space.arch == "amd64" else _takes_arm64
    return np.array([not taking(space.read(place, 8)) for place in at.tolist()], bool)


def _takes_amd64(code: bytes) -> bool:
    """``LEA``, behind any REX prefix (Intel SDM, volume 2, 2.2.1)."""
    opcode = code[1:2] if code and code[0] & 0xF0 == 0x40 else code[:1]
    return opcode == b"\x8d"


def _takes_arm64(code: bytes) -> bool:
    """``ADRP`` followed by ``ADD`` (immediate) of its register, or ``ADR``: Arm ARM, C4.1."""
    word = int.from_bytes(code[:4], "little")
    if word & 0x9F000000 == 0x10000000:
        return True
    following = int.from_bytes(code[4:8], "little")
    adds = following & 0xFFC00000 == 0x91000000 and following >> 5 & 31 == word & 31
    return word & 0x9F000000 == 0x90000000 and adds
