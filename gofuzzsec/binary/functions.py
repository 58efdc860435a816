"""Where the functions of a Go binary are.

Names come from the ELF symbol table, or, in a stripped binary, from the table the Go runtime
itself uses for its tracebacks (``.gopclntab``), which stripping leaves. Format of the latter: Go's
``src/internal/abi/symtab.go`` and ``src/runtime/symtab.go`` (pcHeader, moduledata), the layout of
Go 1.18 and later.

Everything here raises what pyelftools' parsing and ``struct`` run into in damaged files, and reads
no more than the file holds.
"""

from __future__ import annotations

import os
import struct
from typing import Any

_PCLN_MAGICS = frozenset({0xFFFFFFF0, 0xFFFFFFF1})  # Go 1.18, Go 1.20
_STT_FUNC = 2
_SYMBOL = struct.Struct("<IBBHQQ")
_WORD = struct.Struct("<Q")
_FUNCTAB_ENTRY = struct.Struct("<II")
# Words into runtime.moduledata: a pointer to pcHeader, six slices, findfunctab, minpc, maxpc, text.
_MODULEDATA_MINPC, _MODULEDATA_TEXT = 20 * 8, 22 * 8
_NAME_LIMIT = 1000
_MOST_DATA = 1 << 30  # bytes of one section, also uncompressed

Row = tuple[int, int, bytes]
"""Address as linked, size in bytes, name."""


def function_table(elf: Any) -> list[Row]:
    """All functions of *elf* (an ELFFile), from the table that has those of the runtime."""
    functions = symbol_table(elf)
    if not any(name.startswith(b"runtime.") for _, _, name in functions):
        functions = pcln_table(elf)
    return functions


def symbol_table(elf: Any) -> list[Row]:
    """Functions in ``.symtab``; none when it was stripped."""
    section = elf.get_section_by_name(".symtab")
    if section is None:
        return []
    strings = _content(elf, elf.get_section(section["sh_link"]))
    data = _content(elf, section)
    functions = []
    for name, info, _, index, value, size in _SYMBOL.iter_unpack(data[: len(data) // 24 * 24]):
        if info & 0xF == _STT_FUNC and index:
            functions.append((value, size, _string_at(strings, name)))
    return functions


def pcln_table(elf: Any) -> list[Row]:
    """Functions in ``.gopclntab``; none when this is no Go binary of 1.18 or later."""
    section = elf.get_section_by_name(".gopclntab")
    if section is None:
        section = elf.get_section_by_name(".data.rel.ro.gopclntab")
    if section is None:
        return []
    table = _content(elf, section)
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
        data = _content(elf, section)
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


def _content(elf: Any, section: Any) -> bytes:
    """A section's bytes. Raises ValueError when its header asks for more than the file has."""
    if section["sh_type"] != "SHT_NOBITS":
        end = elf.stream.seek(0, os.SEEK_END)
        if section["sh_offset"] + section["sh_size"] > end or section.data_size > _MOST_DATA:
            raise ValueError(f"a section of {section.data_size} bytes in a file of {end}")
        return bytes(section.data())
    return b""
