"""A program as the kernel and the dynamic loader lay it out: bytes by address, relocations applied.

Addresses are those of the file (a position-independent program is seen as if loaded at 0).
"""

from __future__ import annotations

import bisect
import itertools
import struct
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.elf import Elf, Section

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_SHT_RELA, _SHT_NOBITS, _SHT_DYNSYM = 4, 8, 11
_SHF_WRITE, _SHF_ALLOC, _SHF_EXECUTE, _SHF_TLS = 1, 2, 4, 0x400
_RELATIVE = {"amd64": (8, 37), "arm64": (1027, 1032)}
"""R_*_RELATIVE and R_*_IRELATIVE: the word becomes base + addend, or what the function at that
address returns; either way the code at the addend is referred to."""
_NAMED = {"amd64": (1, 6, 7), "arm64": (257, 1025, 1026)}
"""R_*_64 (ABS64), R_*_GLOB_DAT, R_*_JUMP_SLOT: the word becomes the address of a symbol."""
_RELA = np.dtype([("at", "<u8"), ("info", "<u8"), ("addend", "<i8")])
_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("index", "<u2"), ("value", "<u8"),
     ("size", "<u8")]
)  # fmt: skip
_NAME_LIMIT = 4096
_LEFT_OUT = tuple(b".gopclntab .gosymtab .typelink .itablink .eh_frame".split())
"""Ends of the names of sections that only describe the rest: no way to get anywhere."""


@dataclass(frozen=True, slots=True)
class Region:
    """One loaded section. ``data`` is empty for zero-initialised memory; ``size`` in bytes."""

    name: bytes
    address: int
    size: int
    data: Bytes
    writable: bool
    executable: bool

    def words(self) -> tuple[int, Words]:
        """Its aligned 8-byte words, and the address of the first."""
        skip = -self.address % 8
        body = self.data[skip : skip + max(0, len(self.data) - skip) // 8 * 8]
        return self.address + skip, body.view(np.uint64)


@dataclass(frozen=True, slots=True)
class DataSymbol:
    """A variable, constant or table that the symbol table names."""

    address: int
    size: int
    name: bytes


@dataclass(frozen=True, slots=True)
class Space:
    """``imports`` maps words that the dynamic loader fills to the names it looks up for them;
    ``exports`` are functions that other libraries may call."""

    arch: str
    entry: int
    fixed: bool
    regions: tuple[Region, ...]
    imports: dict[int, str]
    exports: tuple[int, ...]
    symbols: tuple[DataSymbol, ...]
    interpreter: str
    _starts: list[int] = field(default_factory=list)

    def region(self, address: int) -> Region | None:
        """The section that holds *address*."""
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        found = self.regions[at]
        return found if address < found.address + found.size else None

    def named(self, *names: bytes) -> Region | None:
        """The first section with one of *names*."""
        return next((region for region in self.regions if region.name in names), None)

    def read(self, address: int, size: int) -> bytes:
        """At most *size* initialised bytes at *address*."""
        region = self.region(address)
        if region is None:
            return b""
        at = address - region.address
        return region.data[at : at + size].tobytes()

    def word(self, address: int) -> int | None:
        """The 8-byte word at *address*; None where the file has none."""
        data = self.read(address, 8)
        return int.from_bytes(data, "little") if len(data) == 8 else None

    @property
    def low(self) -> int:
        return self._starts[0]

    @property
    def high(self) -> int:
        return max(region.address + region.size for region in self.regions)


def space_of(elf: Elf) -> Space:
    """Read all loaded sections of *elf*. Raises BinaryError for a file without any."""
    regions = sorted(
        (_region(elf, s) for s in elf.sections if _is_loaded(s)), key=lambda r: r.address
    )
    _check(elf, regions)
    if not any(region.executable for region in regions):
        raise elf.image.broken("an ELF file whose section headers were removed")
    space = Space(
        arch=elf.arch, entry=elf.entry, fixed=not elf.position_independent,
        regions=tuple(regions), imports={}, exports=_exports(elf), symbols=_data_symbols(elf),
        interpreter=_interpreter(elf), _starts=[region.address for region in regions],
    )  # fmt: skip
    for section in elf.sections:
        if section.kind == _SHT_RELA and section.flags & _SHF_ALLOC:
            _relocate(elf, space, section)
    return space


def _check(elf: Elf, regions: list[Region]) -> None:
    """Sections that are not where the segments are loaded from would hide what runs."""
    for one, other in itertools.pairwise(regions):
        if one.address + one.size > other.address:
            raise elf.image.broken(f"sections that overlap at {other.address:#x}")
    if regions and regions[-1].address + regions[-1].size >= 1 << 63:
        raise elf.image.broken(f"a section at {regions[-1].address:#x}")
    for section in filter(_is_loaded, elf.sections):
        inside = section.kind == _SHT_NOBITS or any(
            segment.address <= section.address
            and section.address + section.size <= segment.address + segment.size
            and section.address - segment.address == section.offset - segment.offset
            for segment in elf.segments
        )
        if not inside:
            name = section.name.decode("ascii", "replace")
            raise elf.image.broken(f"a section {name} that is not loaded from where it is")


def _is_loaded(section: Section) -> bool:
    if not section.flags & _SHF_ALLOC or not section.size or section.kind == _SHT_RELA:
        return False
    tls = section.flags & _SHF_TLS and section.kind == _SHT_NOBITS
    return not tls and not section.name.endswith(_LEFT_OUT)


def _region(elf: Elf, section: Section) -> Region:
    data = elf.content(section)
    return Region(
        section.name, section.address, section.size, np.frombuffer(bytearray(data), np.uint8),
        bool(section.flags & _SHF_WRITE), bool(section.flags & _SHF_EXECUTE),
    )  # fmt: skip


def _interpreter(elf: Elf) -> str:
    section = elf.section(b".interp")
    if section is None:
        return ""
    return elf.content(section, 4096).rstrip(b"\0").decode("utf-8", "backslashreplace")


def _symbols(elf: Elf, section: Section) -> tuple[npt.NDArray[np.void], bytes]:
    """A symbol table's rows and the bytes of its names."""
    data = elf.content(section)
    if section.link >= len(elf.sections):
        raise elf.image.broken("a symbol table without names")
    return (
        np.frombuffer(data[: len(data) // 24 * 24], _SYMBOL),
        elf.content(elf.sections[section.link]),
    )


def _name(strings: bytes, offset: int) -> bytes:
    end = strings.find(b"\0", offset, offset + _NAME_LIMIT)
    return strings[offset : end if end >= 0 else offset + _NAME_LIMIT]


def _data_symbols(elf: Elf) -> tuple[DataSymbol, ...]:
    """Objects with a size, by address; none in a stripped program. The linker's collective symbols
    (``type:*``, ``go:func.*``) hold many objects and name none of them."""
    section = elf.section(b".symtab")
    if section is None:
        return ()
    rows, strings = _symbols(elf, section)
    kinds = rows["info"] & 0xF
    rows = rows[(kinds <= 1) & (rows["index"] != 0) & (rows["index"] < 0xFF00) & (rows["size"] > 0)]
    found = [
        DataSymbol(int(row["value"]), int(row["size"]), name)
        for row in rows[np.argsort(rows["value"], kind="stable")]
        if not (name := _name(strings, int(row["name"]))).endswith(b".*")
    ]
    return tuple(found)


def _exports(elf: Elf) -> tuple[int, ...]:
    section = next((s for s in elf.sections if s.kind == _SHT_DYNSYM), None)
    if section is None:
        return ()
    rows, _ = _symbols(elf, section)
    chosen = rows[(rows["info"] & 0xF == 2) & (rows["index"] != 0)]
    return tuple(int(value) for value in chosen["value"])


def _relocate(elf: Elf, space: Space, section: Section) -> None:
    """Write what the loader would write, as far as it is known without the libraries."""
    data = elf.content(section)
    rows = np.frombuffer(data[: len(data) // 24 * 24], _RELA)
    kinds = rows["info"] & np.uint64(0xFFFFFFFF)
    plain = rows[np.isin(kinds, _RELATIVE[elf.arch])]
    for region in space.regions:
        at = plain["at"].astype(np.int64) - region.address
        inside = (at >= 0) & (at <= len(region.data) - 8)
        if inside.any():
            places, values = at[inside], plain["addend"][inside].view(np.uint8).reshape(-1, 8)
            region.data[places[:, None] + np.arange(8)] = values
    named = rows[np.isin(kinds, _NAMED[elf.arch])]
    if not len(named) or section.link >= len(elf.sections):
        return
    symbols, strings = _symbols(elf, elf.sections[section.link])
    for row in named:
        index, place = int(row["info"]) >> 32, int(row["at"])
        if index >= len(symbols):
            continue
        symbol = symbols[index]
        if symbol["index"] == 0:
            space.imports[place] = _name(strings, int(symbol["name"])).decode("utf-8", "replace")
        elif (held := space.region(place)) is not None:
            value = (int(symbol["value"]) + int(row["addend"])) & (1 << 64) - 1
            start = place - held.address
            if start + 8 <= len(held.data):
                held.data[start : start + 8] = np.frombuffer(struct.pack("<Q", value), np.uint8)
