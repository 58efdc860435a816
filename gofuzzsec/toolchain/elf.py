"""Just enough of ELF to judge a file that somebody handed over, and Go's build information in it.

Written by hand rather than with pyelftools, which follows the offsets and counts of a hostile file
wherever they lead: here every table is checked against the file's size and a fixed maximum first,
so that looking at any file costs a bounded amount of time and memory.

Sources: the ELF-64 object file format; for the build information, the comment on the layout of
.go.buildinfo in Go's debug/buildinfo (the inline format of Go 1.18 and later).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

MACHINES = {
    3: "386",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}  # e_machine to GOARCH
MAX_SECTIONS = 4096  # a Go binary has about 40
MAX_SEGMENTS = 1024
MAX_NAME = 64  # bytes of a section name; more than any name looked for
MAX_INFO = 16 << 20  # bytes of build information; a large dependency list takes 50 KiB
MAX_SCAN = 256 << 20  # bytes searched for build information when there are no section headers
_MAGIC = b"\xff Go buildinf:"
_NOBITS = 8
_PT_LOAD = 1


class ElfError(Exception):
    """The file is no ELF file that could be a program here; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Section:
    """``size`` is in bytes; a ``nobits`` section takes memory but has nothing in the file."""

    name: bytes
    offset: int
    size: int
    nobits: bool


@dataclass(frozen=True, slots=True)
class Program:
    """What the headers say. ``sections`` is empty when the section headers were removed."""

    arch: str
    sections: tuple[Section, ...]
    segments: tuple[tuple[int, int], ...]  # (file offset, bytes) of each loaded segment

    def section(self, name: bytes) -> Section | None:
        return next((s for s in self.sections if s.name == name), None)


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """``version`` as "go1.26.8"; ``path`` the main package ("" when unknown); ``module`` its
    module's path ("" likewise)."""

    version: str
    path: str
    module: str


class Image:
    """Random access to an open file. Not mapped into memory: somebody may truncate it meanwhile."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, offset: int, size: int) -> bytes:
        """At most *size* bytes at *offset*; fewer or none at the end of the file."""
        if offset >= self.size:
            return b""
        return os.pread(self._fd, min(size, self.size - offset), offset)

    def table(self, offset: int, entry: int, count: int, what: str) -> bytes:
        """*count* entries of *entry* bytes. Raises ElfError when the file is too short."""
        self.check(offset + entry * count, f"its {what} headers end")
        data = self.read(offset, entry * count)
        if len(data) < entry * count:
            raise ElfError("an ELF file that changed while it was read")
        return data

    def check(self, end: int, what: str) -> None:
        """Raise ElfError unless the file has at least *end* bytes."""
        if end > self.size:
            raise ElfError(f"an ELF file cut off after {self.size} bytes: {what} at byte {end}")


def read_program(image: Image) -> Program:
    """Read the headers of a little-endian 64-bit ELF program. Raises ElfError."""
    head = image.read(0, 64)
    if not head.startswith(b"\x7fELF"):
        kind = "a script" if head.startswith(b"#!") else f"a file that begins with {head[:8]!r}"
        raise ElfError(f"{kind}, not an ELF program")
    image.check(64, "its first header ends")
    if len(head) < 64:
        raise ElfError("an ELF file that changed while it was read")
    machine = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    arch = MACHINES.get(machine, f"machine {machine}")
    if head[4] != 2 or head[5] != 1:
        raise ElfError(f"an ELF file for {arch} that is not 64-bit little-endian")
    if int.from_bytes(head[16:18], "little") not in (2, 3):
        raise ElfError("an ELF file that is no program (an object file or a core dump)")
    return Program(arch, _sections(image, head), _segments(image, head))


def _segments(image: Image, head: bytes) -> tuple[tuple[int, int], ...]:
    (offset,) = struct.unpack_from("<Q", head, 32)
    entry, count = struct.unpack_from("<HH", head, 54)
    if not 0 < count <= MAX_SEGMENTS or entry != 56:
        raise ElfError(f"an ELF file with {count} program headers of {entry} bytes")
    found = []
    table = image.table(offset, entry, count, "program")
    for kind, _flags, start, _virtual, _physical, size, _memory, _align in struct.iter_unpack(
        "<IIQQQQQQ", table
    ):
        if kind == _PT_LOAD:
            image.check(start + size, "a segment ends")
            found.append((start, size))
    return tuple(found)


def _sections(image: Image, head: bytes) -> tuple[Section, ...]:
    (offset,) = struct.unpack_from("<Q", head, 40)
    entry, count, names_at = struct.unpack_from("<HHH", head, 58)
    if offset == 0 or count == 0:
        return ()
    if entry != 64 or count > MAX_SECTIONS or names_at >= count:
        raise ElfError(f"an ELF file with {count} section headers of {entry} bytes")
    rows = list(struct.iter_unpack("<IIQQQQIIQQ", image.table(offset, entry, count, "section")))
    names = rows[names_at][4]
    found = []
    for name, kind, _flags, _virtual, start, size, *_ in rows:
        nobits = kind == _NOBITS
        if not nobits:
            image.check(start + size, "a section ends")
        text = image.read(names + name, MAX_NAME).split(b"\0", 1)[0]
        found.append(Section(text, start, size, nobits))
    return tuple(found)


def read_build_info(image: Image, program: Program) -> BuildInfo | None:
    """Go's build information, None when there is none (not made by Go, or by Go before 1.18)."""
    section = program.section(b".go.buildinfo")
    if section is not None and not section.nobits:
        at: int | None = section.offset
    else:
        at = next((hit for s in program.segments if (hit := _find(image, *s)) is not None), None)
    if at is None:
        return None
    head = image.read(at, 32)
    if len(head) < 32 or not head.startswith(_MAGIC) or not head[15] & 2:
        return None  # bit 1: the strings follow inline
    version, after = _string(image, at + 32)
    info, _ = _string(image, after)
    return _parse(version, info)


def _find(image: Image, start: int, size: int) -> int | None:
    """Offset of the magic bytes in one segment."""
    chunk = 1 << 20
    for at in range(start, start + min(size, MAX_SCAN), chunk):
        hit = image.read(at, chunk + len(_MAGIC)).find(_MAGIC)
        if hit >= 0:
            return at + hit
    return None


def _string(image: Image, at: int) -> tuple[bytes, int]:
    """A string that begins with its length as a varint; empty when it does not fit the file."""
    length = 0
    for index, byte in enumerate(image.read(at, 10)):
        length |= (byte & 127) << (7 * index)
        if byte < 128:
            start = at + index + 1
            if length > MAX_INFO or start + length > image.size:
                break
            return image.read(start, length), start + length
    return b"", at


def _parse(version: bytes, info: bytes) -> BuildInfo:
    """Lines of tab-separated fields between two marks of 16 bytes."""
    path = module = ""
    if len(info) >= 33 and info[-17:-16] == b"\n":
        for line in info[16:-16].split(b"\n"):
            fields = line.decode("utf-8", "replace").split("\t")
            if fields[0] == "path" and len(fields) > 1:
                path = fields[1]
            elif fields[0] == "mod" and len(fields) > 1:
                module = fields[1]
    return BuildInfo(version.decode("utf-8", "replace"), path, module)
