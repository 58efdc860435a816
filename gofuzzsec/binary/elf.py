"""A program's file: its headers, its sections and its bytes by address.

Written by hand rather than with pyelftools, which follows the offsets and counts of a hostile file
wherever they lead and reads a table row by row: here every table is checked against the file's size
and a fixed maximum before it is read, and large ones are read whole, so that any file costs a
bounded amount of time and memory. Source: the ELF-64 object file format.

Files are read, not mapped into memory: somebody may build the program anew meanwhile, and a mapped
file that shrinks kills its reader.
"""

from __future__ import annotations

import os
import stat
import struct
import weakref
import zlib
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import BinaryError

ARCHITECTURES = {62: "amd64", 183: "arm64"}
"""e_machine to GOARCH, of the machines that can be read."""

MAX_FILE = 4 << 30
"""Bytes of a file; the largest Go test binaries have some 500 MB."""
MAX_SECTION = 256 << 20
"""Bytes of one section that are read, also uncompressed; ten times those of a binary of 300 MB."""
_MAX_SECTIONS = 4096  # a Go binary has about 40
_MAX_SEGMENTS = 1024
_MAX_NAME = 64  # bytes of a section name; more than any name looked for
_MAX_NAMES = 1 << 20  # bytes of all section names
_EXECUTABLE, _SHARED = 2, 3  # e_type
_SHT_NOBITS = 8
_SHF_COMPRESSED = 0x800
_ELFCOMPRESS_ZLIB = 1
_MAX_INFLATION = 32  # times that a section grows; debugging information is four times as large
_PT_LOAD = 1


class Image:
    """The bytes of one regular file, which stays open for as long as this lives.

    Another file in its place is not noticed; when the file itself is written to, there is an error
    instead of bytes that do not fit what was read before.
    """

    def __init__(self, path: Path) -> None:
        """Raises BinaryError for what is no regular file of sensible size."""
        self.path = path
        self._fd = self._open()
        weakref.finalize(self, os.close, self._fd)
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise self.broken("a directory" if stat.S_ISDIR(status.st_mode) else "no regular file")
        self.size = status.st_size
        if not 0 < self.size <= MAX_FILE:
            raise self.broken(f"a file of {self.size} bytes")
        self._identity = _identity(status)

    def _open(self) -> int:
        try:  # O_NONBLOCK: a FIFO is not even waited for
            return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self.broken((error.strerror or "an error").lower()) from error

    def broken(self, what: str) -> BinaryError:
        """The error to raise when the file turns out to be *what*."""
        return BinaryError(
            f"expected a Go program for linux on amd64 or arm64 at {self.path}, found {what}; "
            "name the program's file, or build it again"
        )

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Exactly *size* bytes at *offset*, which are *what*. Raises BinaryError."""
        if offset + size > self.size:
            raise self.broken(f"{what} at bytes {offset} to {offset + size} of {self.size}")
        if size > MAX_SECTION:
            raise self.broken(f"{what} of {size} bytes")
        try:
            data = os.pread(self._fd, size, offset)
            same = _identity(os.fstat(self._fd)) == self._identity
        except OSError as error:
            raise self.broken((error.strerror or "an error").lower()) from error
        if len(data) < size or not same:
            raise self.broken("that it changed since it was first read")
        return data


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Section:
    """``address`` as linked, 0 for what is not loaded; ``size`` in bytes; ``link`` the index of the
    section with its strings."""

    name: bytes
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the file as it is mapped: ``size`` bytes, which the file has."""

    address: int
    offset: int
    size: int
    flags: int


@dataclass(frozen=True, slots=True)
class Elf:
    """What the headers of one program say."""

    image: Image
    arch: str
    entry: int
    position_independent: bool
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]

    def section(self, *names: bytes) -> Section | None:
        """The first section with one of *names*."""
        return next((s for s in self.sections if s.name in names), None)

    def content(self, section: Section, limit: int = MAX_SECTION) -> bytes:
        """A section's bytes, uncompressed. Raises BinaryError when they are more than *limit*."""
        what = section.name.decode("ascii", "replace")
        if section.kind == _SHT_NOBITS:
            return b""
        if section.size > limit:
            raise self.image.broken(f"{what} of {section.size} bytes")
        data = self.image.read(section.offset, section.size, what)
        return self._inflated(data, what, limit) if section.flags & _SHF_COMPRESSED else data

    def _inflated(self, data: bytes, what: str, limit: int) -> bytes:
        if len(data) < 24:
            raise self.image.broken(f"{what} cut off")
        kind, _, size = struct.unpack_from("<IIQ", data)
        if kind != _ELFCOMPRESS_ZLIB or size > min(limit, len(data) * _MAX_INFLATION):
            raise self.image.broken(f"{what} of {size} bytes, compressed by method {kind}")
        try:
            whole = zlib.decompressobj().decompress(memoryview(data)[24:], size)
        except zlib.error as error:
            raise self.image.broken(f"damaged data in {what}") from error
        if len(whole) != size:
            raise self.image.broken(f"damaged data in {what}")
        return whole

    def segment_at(self, address: int) -> Segment | None:
        """The segment that the byte at *address* is in; None when the file has it not."""
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.size:
                return segment
        return None

    def offset_of(self, address: int) -> int | None:
        """Where in the file the byte at *address* is; None when the file has it not."""
        segment = self.segment_at(address)
        return None if segment is None else segment.offset + address - segment.address

    def read(self, address: int, size: int) -> bytes:
        """At most *size* bytes at *address*; fewer at a segment's end, none outside of all."""
        segment = self.segment_at(address)
        if segment is None:
            return b""
        at = address - segment.address
        return self.image.read(segment.offset + at, min(size, segment.size - at), "a piece of it")


def read_elf(path: Path) -> Elf:
    """Read the headers of a program for a machine in `ARCHITECTURES`. Raises BinaryError."""
    image = Image(path)
    head = image.read(0, min(64, image.size), "its first header")
    if not head.startswith(b"\x7fELF"):
        raise image.broken("a script" if head.startswith(b"#!") else f"no ELF file ({head[:8]!r})")
    if len(head) < 64:
        raise image.broken(f"an ELF file of {len(head)} bytes")
    if head[4] != 2 or head[5] != 1:
        raise image.broken("an ELF file that is not 64-bit little-endian")
    kind, machine, _, entry, programs, sections = struct.unpack_from("<HHIQQQ", head, 16)
    if kind not in (_EXECUTABLE, _SHARED):
        raise image.broken("an ELF file that is no program (an object file or a core dump)")
    arch = ARCHITECTURES.get(machine)
    if arch is None:
        raise image.broken(f"a program for another machine (ELF machine {machine})")
    row, count, section_row, section_count, names = struct.unpack_from("<HHHHH", head, 54)
    return Elf(
        image=image,
        arch=arch,
        entry=entry,
        position_independent=kind == _SHARED,
        sections=_sections(image, sections, section_row, section_count, names),
        segments=_segments(image, programs, row, count),
    )


def _segments(image: Image, offset: int, row: int, count: int) -> tuple[Segment, ...]:
    if row != 56 or not 0 < count <= _MAX_SEGMENTS:
        raise image.broken(f"an ELF file with {count} program headers of {row} bytes")
    table = image.read(offset, row * count, "program headers")
    found = []
    for kind, flags, start, address, _, size, _, _ in struct.iter_unpack("<IIQQQQQQ", table):
        if kind == _PT_LOAD:
            if start + size > image.size or address + size >= 1 << 64:
                raise image.broken(f"an ELF file cut off: a segment ends at byte {start + size}")
            found.append(Segment(address, start, size, flags))
    return tuple(found)


def _sections(image: Image, offset: int, row: int, count: int, names: int) -> tuple[Section, ...]:
    if offset == 0 or count == 0:
        return ()
    if row != 64 or count > _MAX_SECTIONS or names >= count:
        raise image.broken(f"an ELF file with {count} section headers of {row} bytes")
    table = image.read(offset, row * count, "section headers")
    rows = list(struct.iter_unpack("<IIQQQQIIQQ", table))
    text = image.read(rows[names][4], min(rows[names][5], _MAX_NAMES), "section names")
    found = []
    for name, kind, flags, address, start, size, link, *_ in rows:
        title = text[name : name + _MAX_NAME].split(b"\0", 1)[0]
        found.append(Section(title, kind, flags, address, start, size, link))
    return tuple(found)
