"""From an address in a Go binary to the function it is in.

Names come from the ELF symbol table, or, in a stripped binary, from the table the Go runtime
itself uses for its tracebacks (``.gopclntab``), which stripping leaves. Format of the latter: Go's
``src/internal/abi/symtab.go`` and ``src/runtime/symtab.go`` (pcHeader, moduledata), the layout of
Go 1.18 and later.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from gofuzzsec.errors import RecorderError

_PCLN_MAGICS = frozenset({0xFFFFFFF0, 0xFFFFFFF1})  # Go 1.18, Go 1.20
_STT_FUNC = 2
_SYMBOL = struct.Struct("<IBBHQQ")
_WORD = struct.Struct("<Q")
_FUNCTAB_ENTRY = struct.Struct("<II")
# Words into runtime.moduledata: a pointer to pcHeader, six slices, findfunctab, minpc, maxpc, text.
_MODULEDATA_MINPC, _MODULEDATA_TEXT = 20 * 8, 22 * 8
_NAME_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the file as it is mapped: *offset* in the file, *address*, *size* in bytes."""

    offset: int
    address: int
    size: int


class Symbols:
    """Functions of one binary, sorted by address. Immutable once made."""

    def __init__(
        self,
        functions: Iterable[tuple[int, int, bytes]],
        segments: tuple[Segment, ...],
        position_independent: bool,
    ) -> None:
        """*functions* are (address, size in bytes, name)."""
        ordered = sorted(functions)
        self._starts = [start for start, _, _ in ordered]
        self._sizes = [size for _, size, _ in ordered]
        self._names = [name for _, _, name in ordered]
        self._segments = segments
        self.position_independent = position_independent

    def __len__(self) -> int:
        return len(self._starts)

    def function_at(self, address: int) -> str:
        """Name of the function that *address* (as linked) is in, "" when it is in none."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address > self._starts[index] + self._sizes[index]:
            return ""
        return self._names[index].decode("utf-8", "replace")

    def function_at_offset(self, offset: int) -> str:
        """The same for an offset in the file, which is what strace prints."""
        for segment in self._segments:
            if segment.offset <= offset < segment.offset + segment.size:
                return self.function_at(segment.address + offset - segment.offset)
        return ""

    def names_ending(self, suffix: str) -> list[str]:
        """Names of all functions that end in *suffix*."""
        wanted = suffix.encode()
        return [name.decode("utf-8", "replace") for name in self._names if name.endswith(wanted)]


def read_symbols(path: Path) -> Symbols:
    """The functions of the ELF file *path*; of none when it has neither table.

    Raises RecorderError when it is no 64-bit little-endian ELF file or its tables are broken.
    """
    try:
        with path.open("rb") as handle:
            return _read(ELFFile(handle))
    # pyelftools lets whatever its parsing ran into escape from damaged headers.
    except (ELFError, OSError, ValueError, KeyError, AttributeError, TypeError, struct.error) as e:
        raise RecorderError(
            f"expected the symbols of a Go binary in {path}, found: {e or type(e).__name__}; "
            "build the binary again"
        ) from e


def _read(elf: Any) -> Symbols:
    if elf.elfclass != 64 or not elf.little_endian:
        raise ValueError("not a 64-bit little-endian ELF file")
    segments = tuple(
        Segment(segment["p_offset"], segment["p_vaddr"], segment["p_filesz"])
        for segment in elf.iter_segments()
        if segment["p_type"] == "PT_LOAD"
    )
    functions = _symbol_table(elf)
    if not any(name.startswith(b"runtime.") for _, _, name in functions):
        functions = _pcln_table(elf)
    return Symbols(functions, segments, elf["e_type"] == "ET_DYN")


def _symbol_table(elf: Any) -> list[tuple[int, int, bytes]]:
    section = elf.get_section_by_name(".symtab")
    if section is None:
        return []
    strings = elf.get_section(section["sh_link"]).data()
    data = section.data()
    functions = []
    for name, info, _, index, value, size in _SYMBOL.iter_unpack(data[: len(data) // 24 * 24]):
        if info & 0xF == _STT_FUNC and index:
            functions.append((value, size, _string_at(strings, name)))
    return functions


def _pcln_table(elf: Any) -> list[tuple[int, int, bytes]]:
    section = elf.get_section_by_name(".gopclntab")
    if section is None:
        section = elf.get_section_by_name(".data.rel.ro.gopclntab")
    if section is None:
        return []
    table = section.data()
    if len(table) < 72 or struct.unpack_from("<I", table)[0] not in _PCLN_MAGICS or table[7] != 8:
        return []
    words = struct.unpack_from("<8Q", table, 8)
    count, text, names, entries = words[0], words[2], words[3], words[7]
    if text == 0:  # left out since Go 1.26, and unrelocated in position-independent files before
        text = _text_start(elf, section["sh_addr"], entries, table)
    if text == 0 or entries + count * 8 + 4 > len(table):
        return []
    functions = []
    for index in range(count):
        offset, info = _FUNCTAB_ENTRY.unpack_from(table, entries + index * 8)
        (following,) = struct.unpack_from("<I", table, entries + (index + 1) * 8)
        (name,) = struct.unpack_from("<I", table, entries + info + 4)
        functions.append((text + offset, following - offset, _string_at(table, names + name)))
    return functions


def _text_start(elf: Any, header: int, entries: int, table: bytes) -> int:
    """Where Go's code starts, from runtime.moduledata: that is found by its first word, the
    address of the table's header, and checked by minpc, the address of the first function."""
    (first,) = struct.unpack_from("<I", table, entries)
    pointer = _WORD.pack(header)
    for section in elf.iter_sections():
        if section["sh_type"] != "SHT_PROGBITS" or not section["sh_flags"] & 1:  # writable
            continue
        data = section.data()
        at = data.find(pointer)
        while at >= 0:
            if at + _MODULEDATA_TEXT + 8 <= len(data):
                (text,) = _WORD.unpack_from(data, at + _MODULEDATA_TEXT)
                (lowest,) = _WORD.unpack_from(data, at + _MODULEDATA_MINPC)
                if text and lowest == text + first:
                    return int(text)
            at = data.find(pointer, at + 8)
    return 0


def _string_at(data: bytes, offset: int) -> bytes:
    if offset >= len(data):
        raise ValueError("a name outside its table")
    end = data.find(b"\0", offset, offset + _NAME_LIMIT)
    return data[offset : end if end >= 0 else offset + _NAME_LIMIT]
