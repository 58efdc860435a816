"""From an address in a Go binary to the function it is in.

The tables that say so are read by `gofuzzsec.binary`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.binary.elf import read_elf
from gofuzzsec.binary.functions import function_rows
from gofuzzsec.errors import BinaryError, RecorderError


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

    def address_of(self, offset: int) -> int | None:
        """The address, as linked, of an *offset* in the file, which is what strace prints."""
        for segment in self._segments:
            if segment.offset <= offset < segment.offset + segment.size:
                return segment.address + offset - segment.offset
        return None

    def names_ending(self, suffix: str) -> list[str]:
        """Names of all functions that end in *suffix*."""
        wanted = suffix.encode()
        return [name.decode("utf-8", "replace") for name in self._names if name.endswith(wanted)]


def read_symbols(path: Path) -> Symbols:
    """The functions of the ELF file *path*; of none when it has neither table.

    Raises RecorderError when it is no program for a machine known here or its tables are broken.
    """
    try:
        elf = read_elf(path)
        functions = function_rows(elf)
    except BinaryError as error:
        raise RecorderError(f"expected the symbols of a Go binary: {error}") from error
    segments = tuple(Segment(s.offset, s.address, s.size) for s in elf.segments)
    return Symbols(functions, segments, elf.position_independent)
