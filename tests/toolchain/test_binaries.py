"""Ready-made binaries: the good, the wrong and the hostile."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import BuildError, UsageError
from gofuzzsec.toolchain import build_program, build_test_binary, open_binary
from gofuzzsec.toolchain.binaries import COUNTERS, MAX_SIZE
from gofuzzsec.toolchain.elf import ElfError, Image, read_build_info, read_program
from gofuzzsec.toolchain.find import host_arch
from gofuzzsec.toolchain.model import FuzzBinary, Go

MAGIC = b"\xff Go buildinf:"


@pytest.fixture
def copy(targets: FuzzBinary, tmp_path: Path) -> Path:
    """A copy of the shared fuzz binary, to be spoilt."""
    return Path(shutil.copy(targets.path, tmp_path / "copy.test"))


def patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def refuse(path: Path, message: str, kind: type[Exception] = UsageError) -> None:
    with pytest.raises(kind, match=message):
        open_binary(path, path.parent)


def test_a_fuzz_binary(targets: FuzzBinary, copy: Path) -> None:
    opened = open_binary(copy, targets.cwd)
    assert (opened.targets, opened.import_path) == (targets.targets, targets.import_path)
    assert opened.go_version == targets.go_version
    assert (opened.package, opened.cwd, opened.path) == (None, targets.cwd, copy)
    assert len(opened.key) == 64
    assert open_binary(targets.path, Path("/")).key == opened.key  # contents, not name
    patch(copy, copy.stat().st_size, b"more")
    assert open_binary(copy, targets.cwd).key != opened.key


def test_without_symbols(copy: Path, targets: FuzzBinary, tmp_path: Path) -> None:
    if strip := shutil.which("strip"):
        subprocess.run([strip, copy], check=True)
        assert open_binary(copy, tmp_path).targets == targets.targets


def test_without_section_headers(copy: Path, targets: FuzzBinary, tmp_path: Path) -> None:
    patch(copy, 40, bytes(8))  # e_shoff
    patch(copy, 60, bytes(4))  # e_shnum, e_shstrndx
    opened = open_binary(copy, tmp_path)
    assert opened.targets == targets.targets
    assert opened.go_version == targets.go_version


def test_built_without_fuzz(go: Go, targets: FuzzBinary, tmp_path: Path) -> None:
    assert targets.package is not None
    plain = build_test_binary(go, targets.package)
    refuse(plain, r"found none: it was built without -fuzz; build one with `go test -c", BuildError)


def test_go_program_that_is_no_test(go: Go) -> None:
    program = build_program(go, {"main.go": "package main\n\nfunc main() {}\n"}, "idle")
    refuse(program, "to be a Go test binary, found the program idle")


def test_program_of_another_language() -> None:
    refuse(Path("/bin/sh").resolve(), "found an ELF program without Go's build information")


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    path = tmp_path / "x.test"
    refuse(path, "found: No such file or directory")
    refuse(tmp_path, "found a directory")
    path.write_bytes(b"")
    refuse(path, "found an empty file")
    path.write_bytes(b"#!/bin/sh\nexit 0\n")
    refuse(path, "found a script, not an ELF program")
    path.write_bytes(b"MZ\x90\0")
    refuse(path, r"begins with b'MZ\\x90\\x00', not an ELF")
    path.write_bytes(b"\x7fELF")
    refuse(path, "cut off after 4 bytes")
    with path.open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    refuse(path, f"found {MAX_SIZE + 1} bytes")
    os.mkfifo(tmp_path / "fifo")  # nobody will ever write to it
    refuse(tmp_path / "fifo", "found no regular file")


def test_wrong_machine(copy: Path) -> None:
    other = {"amd64": (183, "arm64"), "arm64": (62, "amd64")}[host_arch()]
    patch(copy, 18, struct.pack("<H", other[0]))
    refuse(copy, f"to be built for {host_arch()}, found {other[1]}")
    patch(copy, 18, struct.pack("<H", 9999))
    refuse(copy, "found machine 9999")
    patch(copy, 4, b"\x01")
    refuse(copy, "not 64-bit little-endian")


def test_object_file(copy: Path) -> None:
    patch(copy, 16, struct.pack("<H", 1))
    refuse(copy, "an object file or a core dump")


def test_old_go(copy: Path, targets: FuzzBinary) -> None:
    at = copy.read_bytes().index(MAGIC) + 33
    patch(copy, at, b"go1.20.9" if len(targets.go_version) == 8 else b"go1.20.99")
    refuse(copy, "built by Go 1.21 or newer, found go1.20.9", BuildError)


def test_not_executable(copy: Path) -> None:
    copy.chmod(0o644)
    refuse(copy, "`chmod \\+x` it first")


def test_nowhere_to_run(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a directory to run copy"):
        open_binary(copy, tmp_path / "missing")


def test_cut_off_anywhere(copy: Path) -> None:
    size = copy.stat().st_size
    for length in (17, 63, 64, 100, 700, 4096, size // 2, size - 10_000, size - 1):
        shorter = copy.with_name(f"{length}.test")
        shorter.write_bytes(copy.read_bytes()[:length])
        shorter.chmod(0o755)
        refuse(shorter, f"cut off after {length} bytes")


@pytest.fixture(scope="module")
def headers(targets: FuzzBinary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sparse copy: the headers and build information of a real binary, holes elsewhere."""
    path = tmp_path_factory.mktemp("headers") / "holes.test"
    with targets.path.open("rb") as source:
        image = Image(source.fileno())
        program = read_program(image)
        info = program.section(b".go.buildinfo")
        assert info is not None
        (table,) = struct.unpack("<Q", image.read(40, 8))
        keep = [(0, 4096), (table, 64 * len(program.sections)), (info.offset, info.size)]
        for section in program.sections:
            if section.name == b".shstrtab":
                keep.append((section.offset, section.size))
        with path.open("wb") as out:
            for offset, length in keep:
                out.seek(offset)
                out.write(image.read(offset, length))
            out.truncate(image.size)
    return path


@given(data=st.data())
def test_headers_of_any_kind_are_bounded(headers: Path, data: st.DataObject) -> None:
    """Whatever the tables say: a description or an ElfError."""
    with headers.open("rb") as file:
        real = Image(file.fileno())
        (table,) = struct.unpack("<Q", real.read(40, 8))
        info = real.read(0, 0)
        program = read_program(real)
        info_at = next(s.offset for s in program.sections if s.name == b".go.buildinfo")
        changes: dict[int, bytes] = {}
        for _ in range(data.draw(st.integers(1, 4))):
            base, span = data.draw(
                st.sampled_from([(0, 64), (64, 500), (table, 64 * 20), (info_at, 120)])
            )
            offset = base + data.draw(st.integers(0, span - 1))
            changes[offset] = data.draw(
                st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7])
                | st.binary(min_size=1, max_size=8)
            )

        class Spoilt(Image):
            def read(self, offset: int, size: int) -> bytes:
                found = bytearray(super().read(offset, size))
                for at, new in changes.items():
                    for index, byte in enumerate(new, at - offset):
                        if 0 <= index < len(found):
                            found[index] = byte
                return bytes(found)

        assert info == b""
        try:
            image = Spoilt(file.fileno())
            seen = read_build_info(image, read_program(image))
        except ElfError:
            return
        assert seen is None or len(seen.version) < 1 << 24


def test_counters_are_found(targets: FuzzBinary) -> None:
    with targets.path.open("rb") as file:
        section = read_program(Image(file.fileno())).section(COUNTERS)
    assert section is not None
    assert section.nobits
    assert section.size > 100


def test_file_that_shrinks_while_it_is_read(copy: Path) -> None:
    with copy.open("rb") as file:
        image = Image(file.fileno())
        os.truncate(copy, 70)
        with pytest.raises(ElfError, match="changed while it was read"):
            read_program(image)
        os.truncate(copy, 10)
        with pytest.raises(ElfError, match="changed while it was read"):
            read_program(image)
