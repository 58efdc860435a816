"""A program's file seen by address: its functions and its read-only bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gofuzzsec.binary.functions import pcln_table, symbol_table

MAX_FUNCTION = 1 << 20
"""Bytes of one function that are read; generated tables of code are longer, and tell nothing."""

_WRITABLE, _EXECUTABLE = 2, 1  # p_flags


@dataclass(frozen=True, slots=True)
class Function:
    """``address`` as linked; ``name`` as Go's linker writes it, with the package's path."""

    address: int
    size: int
    name: bytes


@dataclass(frozen=True, slots=True)
class _Segment:
    address: int
    size: int
    offset: int
    flags: int


class Memory:
    """The loaded segments of one open ELF file. Reads from the file as it is asked, so that a
    binary of any size costs little memory; *fd* belongs to the caller and must stay open."""

    def __init__(self, fd: int, elf: Any) -> None:
        self._fd = fd
        self._segments = tuple(
            _Segment(s["p_vaddr"], s["p_filesz"], s["p_offset"], s["p_flags"])
            for s in elf.iter_segments()
            if s["p_type"] == "PT_LOAD"
        )

    def _segment(self, address: int) -> _Segment | None:
        for segment in self._segments:
            if segment.address <= address < segment.address + segment.size:
                return segment
        return None

    def read(self, address: int, size: int) -> bytes:
        """At most *size* bytes at *address*; fewer at the end of a segment, none outside."""
        segment = self._segment(address)
        if segment is None:
            return b""
        at = address - segment.address
        return os.pread(self._fd, min(size, segment.size - at), segment.offset + at)

    def is_constant(self, address: int) -> bool:
        """Whether *address* is in read-only data, where the linker puts the text of strings."""
        segment = self._segment(address)
        return segment is not None and not segment.flags & (_WRITABLE | _EXECUTABLE)

    def is_mapped(self, address: int) -> bool:
        """Whether the file has the byte at *address*."""
        return self._segment(address) is not None


def all_functions(elf: Any) -> list[Function]:
    """The functions of a Go binary by address: from the symbol table or, in a stripped binary, from
    the table that the runtime itself uses."""
    rows = symbol_table(elf)
    if not any(name.startswith(b"runtime.") for _, _, name in rows):
        rows = pcln_table(elf)
    return [Function(address, size, name) for address, size, name in sorted(rows)]


def functions_of(functions: Iterable[Function], path: str) -> list[Function]:
    """Those of the package with import path *path* and of its external tests."""
    prefixes = tuple(
        f"{name}{end}".encode() for name in {path, escaped(path)} for end in (".", "_test.")
    )
    return [f for f in functions if f.name.startswith(prefixes) and 0 < f.size <= MAX_FUNCTION]


def hook_addresses(functions: Iterable[Function]) -> frozenset[int]:
    """Where the functions are that a fuzz build calls around comparisons."""
    hooks = (b"runtime.libfuzzerTrace", b"runtime.libfuzzerHook")
    return frozenset(f.address for f in functions if f.name.startswith(hooks))


def escaped(path: str) -> str:
    """An import path as the linker writes it before a name: a dot in its last element, quotes,
    percent signs and what is not printable ASCII become ``%xx`` (cmd/internal/objabi)."""
    slash = path.rfind("/")
    out = []
    for index, byte in enumerate(path.encode()):
        plain = 0x20 < byte < 0x7F and byte not in b'%"'
        dot = byte == ord(".") and index > slash
        out.append(chr(byte) if plain and not dot else f"%{byte:02x}")
    return "".join(out)
