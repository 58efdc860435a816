"""Files that are damaged, foreign or made to hurt: an error, at once, or a program that works."""

from __future__ import annotations

import os
import resource
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.binary import GoProgram, function_probe, probe_points, resolve
from gofuzzsec.binary.dwarf import field_offsets
from gofuzzsec.binary.elf import Section, read_elf
from gofuzzsec.binary.layout import go_layout
from gofuzzsec.errors import EXIT_USAGE, BinaryError, UsageError
from gofuzzsec.toolchain.model import Go
from tests.binary.programs import Source

SLACK = 400 << 20  # bytes of memory that a file of 2 MB may cost at most
SECONDS = 5.0  # a second is meant; the rest is for a machine that is busy


@contextmanager
def bounded() -> Iterator[None]:
    """Fail what takes too long; what takes too much memory meets an end of it."""
    with Path("/proc/self/statm").open() as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SLACK, before[1]))
    began = time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.process_time() - began < SECONDS


def everything(path: Path) -> GoProgram:
    """Read the file, and ask all that may be asked."""
    program = GoProgram.read(path)
    for ask in (probe_points, go_layout, lambda p: resolve(p, "main.main"), lambda p: p.build_id):
        try:
            ask(program)
        except (BinaryError, UsageError):
            continue
    for function in list(program.functions)[:: max(1, len(program.functions) // 40)]:
        program.frames(function.address, call=False)
        program.frames(function.end, call=True)
        try:
            function_probe(program, function)
        except BinaryError:
            continue
    return program


def refused(path: Path, words: str) -> None:
    with bounded(), pytest.raises(BinaryError, match=words) as caught:
        everything(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_status == EXIT_USAGE


@pytest.fixture(scope="module")
def data(small: Path) -> bytes:
    return small.read_bytes()


@pytest.fixture(scope="module")
def sections(small: Path) -> dict[str, Section]:
    return {section.name.decode(): section for section in read_elf(small).sections}


@pytest.fixture
def scratch(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "program"
        path.write_bytes(content)
        return path

    return write


PLACES = (".gopclntab", ".symtab", ".go.buildinfo", ".debug_info", ".debug_abbrev", ".go.module")


@settings(max_examples=60)
@given(
    place=st.sampled_from(("headers", "sections", *PLACES)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=16)), max_size=6),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_damage(
    data: bytes,
    sections: dict[str, Section],
    small: Path,
    place: str,
    changes: list[tuple[float, bytes]],
    cut: float,
) -> None:
    start, size = 0, 1024
    if place in sections:
        start, size = sections[place].offset, sections[place].size
    elif place == "sections":
        start, size = struct.unpack_from("<Q", data, 40)[0], 64 * len(sections)
    broken = bytearray(data)
    for position, junk in changes:
        # Tables begin with what says where all the rest is.
        at = start + int(position**4 * max(0, size - 16))
        broken[at : at + len(junk)] = junk
    path = small.with_name("damaged")
    path.write_bytes(broken[: int(cut * len(broken))])
    with bounded():
        try:
            everything(path)
        except BinaryError as error:
            assert "expected" in str(error)


def test_what_is_no_go_program(
    go: Go, scratch: Callable[[bytes], Path], data: bytes, sources: Source, tmp_path: Path
) -> None:
    refused(scratch(b"\0"), "no ELF file")
    refused(scratch(b""), "a file of 0 bytes")
    refused(scratch(b"#!/bin/sh\nexit 1\n"), "a script")
    refused(scratch(b"\x7fELF\x02\x01"), "an ELF file of 6 bytes")
    refused(scratch(data[:4] + b"\x01" + data[5:]), "not 64-bit little-endian")
    refused(scratch(data[:5] + b"\x02" + data[6:]), "not 64-bit little-endian")
    refused(scratch(data[:16] + b"\x01" + data[17:]), "an object file or a core dump")
    refused(scratch(data[:18] + b"\xf3" + data[19:]), r"another machine \(ELF machine 243\)")
    refused(tmp_path, "a directory")
    refused(tmp_path / "none", "no such file or directory")
    os.mkfifo(tmp_path / "fifo")
    refused(tmp_path / "fifo", "no regular file")
    foreign = shutil.which("true")
    assert foreign is not None
    refused(Path(foreign), "without Go's build information")
    arm = sources.build(go, "small", "small-386", GOARCH="386")
    refused(arm, "not 64-bit little-endian")


def test_versions_that_cannot_be(scratch: Callable[[bytes], Path], data: bytes, go: Go) -> None:
    version = go.text.encode()
    at = data.index(bytes([len(version)]) + version, data.index(b"\xff Go buildinf:") + 16)
    broken = bytearray(data)
    broken[at + 1 : at + 3] = b"no"
    refused(scratch(bytes(broken)), "a Go program of the version b'no")
    broken[at - 17] = 0  # flags: no strings here, but their addresses
    refused(scratch(bytes(broken)), r"of Go before 1\.18; build it with Go 1\.21")
    broken[at - 32 :][:4] = b"none"
    broken[at - 32 : at - 28] = b"none"
    refused(scratch(bytes(broken)), "damaged build information")


def headers(data: bytes, name: bytes) -> int:
    """Where the header of the section *name* is."""
    table, count, names = *struct.unpack_from("<Q", data, 40), *struct.unpack_from("<HH", data, 60)
    (strings,) = struct.unpack_from("<Q", data, table + 64 * names + 24)
    for at in range(table, table + 64 * count, 64):
        start = strings + struct.unpack_from("<I", data, at)[0]
        if data[start : data.index(b"\0", start)] == name:
            return int(at)
    raise LookupError(name)


def test_headers_that_promise_too_much(scratch: Callable[[bytes], Path], data: bytes) -> None:
    for offset, value, words in (
        (56, b"\xff\xff", "65535 program headers"),
        (60, b"\xff\xff", "65535 section headers"),
        (32, b"\xff" * 8, "program headers at bytes"),
        (40, b"\xff" * 8, "section headers at bytes"),
        (62, b"\xff\xff", "section headers of 64 bytes"),
    ):
        refused(scratch(data[:offset] + value + data[offset + len(value) :]), words)
    for name in (b".gopclntab", b".symtab", b".go.buildinfo", b".shstrtab"):
        at = headers(data, name) + 32
        for size in (1 << 63, 1 << 40, len(data) * 2):
            broken = data[:at] + size.to_bytes(8, "little") + data[at + 8 :]
            refused(scratch(broken), "at bytes|of [0-9]+ bytes")


def test_a_sparse_file_costs_no_memory(scratch: Callable[[bytes], Path], data: bytes) -> None:
    at = headers(data, b".gopclntab") + 32
    path = scratch(data[:at] + (1 << 31).to_bytes(8, "little") + data[at + 8 :])
    os.truncate(path, 3 << 30)
    refused(path, r"\.gopclntab of 2147483648 bytes")
    os.truncate(path, 1 << 40)
    refused(path, "a file of 1099511627776 bytes")


def test_tables_with_absurd_counts(
    scratch: Callable[[bytes], Path], data: bytes, sections: dict[str, Section]
) -> None:
    table = sections[".gopclntab"].offset

    def changed(at: int, value: bytes) -> Path:
        return scratch(data[: table + at] + value + data[table + at + len(value) :])

    refused(changed(0, b"\xfa\xff\xff\xff"), "the mark 0xfffffffa, which is not that of Go 1.18")
    refused(changed(7, b"\x04"), "a damaged table of Go functions")
    refused(changed(8, b"\xff" * 8), "a damaged table of 18446744073709551615 Go functions")
    refused(changed(8, struct.pack("<Q", 1_900_000)), "1900000 Go functions cut off")
    refused(changed(8, bytes(8)), "a damaged table of 0 Go functions")
    for word in range(3, 8):
        refused(changed(8 + 8 * word, b"\xff" * 8), "a damaged table")
    (functions,) = struct.unpack_from("<Q", data, table + 64)
    refused(changed(functions + 8, b"\xff" * 4), "a damaged list of Go functions")
    refused(changed(functions + 4, b"\xff" * 4), "a damaged list of Go functions")
    (record,) = struct.unpack_from("<I", data, table + functions + 4)
    for name in (b"\xff" * 4, b"\x02\0\0\0"):  # outside, and in the middle of another
        refused(changed(functions + record + 4, name), "a damaged list of Go functions")


def test_functions_without_code(scratch: Callable[[bytes], Path], data: bytes, small: Path) -> None:
    """Program headers that leave out the code, or the data that says where it is."""
    whole = GoProgram.read(small)
    (start,) = struct.unpack_from("<Q", data, 32)
    for at in range(start, start + 56 * struct.unpack_from("<H", data, 56)[0], 56):
        kind, flags = struct.unpack_from("<II", data, at)
        if kind == 1 and flags & 1:
            broken = data[: at + 32] + struct.pack("<Q", 65536) + data[at + 40 :]
            refused(scratch(broken), "without their code")
        if kind == 1 and flags & 2:
            broken = data[: at + 32] + struct.pack("<Q", 0) + data[at + 40 :]
            refused(scratch(broken), "does not say where its code begins")
    assert whole.functions.named("main.main")


def test_values_that_never_end(
    scratch: Callable[[bytes], Path], data: bytes, sections: dict[str, Section]
) -> None:
    """Tables of lines in which no step gets any further, or every one by a byte."""
    table, size = sections[".gopclntab"].offset, sections[".gopclntab"].size
    (values, functions) = struct.unpack_from("<QQ", data, table + 56)
    for filling in (b"\x02\x01", b"\x02\x00", b"\x80", b"\xff", b"\x00"):
        middle = (filling * size)[: functions - values - 1]
        broken = data[: table + values + 1] + middle + data[table + functions :]
        with bounded():
            everything(scratch(broken))
    assert functions < size


def compressed(data: bytes, name: bytes, content: bytes, size: int) -> bytes:
    """The program with another section of this name: *content*, said to become *size* bytes."""
    at = headers(data, name)
    packed = struct.pack("<IIQQ", 1, 0, size, 1) + content
    header = bytearray(data[at : at + 64])
    struct.pack_into("<Q", header, 8, 0x800)
    struct.pack_into("<QQ", header, 24, len(data), len(packed))
    return data[:at] + bytes(header) + data[at + 64 :] + packed


@pytest.mark.parametrize("claimed", [1 << 16, 1 << 20, 1 << 27, 1 << 62])
def test_sections_that_inflate(
    scratch: Callable[[bytes], Path], data: bytes, small: Path, claimed: int
) -> None:
    bomb = zlib.compressobj(9)
    packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(128)) + bomb.flush()
    refused(scratch(compressed(data, b".gopclntab", packed, claimed)), "found .*gopclntab")
    broken = scratch(compressed(data, b".debug_info", packed, claimed))
    with bounded():
        program = GoProgram.read(broken)
        assert field_offsets(program.elf, "runtime.g") == {}
        assert go_layout(program) == go_layout(GoProgram.read(small)), "by the version"


def test_debugging_information_that_loops(scratch: Callable[[bytes], Path], data: bytes) -> None:
    """The structure's name again and again, in units that all say how to read it."""
    unit = b"\x01runtime.g\0" * 500
    body = (struct.pack("<IHIB", len(unit) + 7, 4, 0, 8) + unit) * 2000
    broken = compressed(data, b".debug_info", zlib.compress(body, 0), len(body))
    kinds = b"".join(
        bytes([code, 0x13, 1, 3, 8]) + b"\x0b\x0b" * 200 + b"\0\0" for code in range(1, 128)
    )
    broken = compressed(broken, b".debug_abbrev", zlib.compress(kinds + b"\0", 0), len(kinds) + 1)
    with bounded():
        assert field_offsets(GoProgram.read(scratch(broken)).elf, "runtime.g") == {}
