"""From an address in a Go binary to the function it is in.

The tables that say so are read by `gofuzzsec.binary.functions`.
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

from gofuzzsec.binary.functions import function_table
from gofuzzsec.errors import RecorderError


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
    return Symbols(function_table(elf), segments, elf["e_type"] == "ET_DYN")
