"""Take a ready-made fuzz binary: look before running it, and say precisely what is wrong."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path

from gofuzzsec.errors import BuildError, UsageError
from gofuzzsec.toolchain.elf import (
    BuildInfo,
    ElfError,
    Image,
    Program,
    read_build_info,
    read_program,
)
from gofuzzsec.toolchain.find import OLDEST, host_arch, parse_version
from gofuzzsec.toolchain.listing import list_targets
from gofuzzsec.toolchain.model import FuzzBinary

MAX_SIZE = 4 << 30
"""Bytes of a binary that are hashed at most: the largest Go test binaries have some 500 MB."""

COUNTERS = b".go.fuzzcntrs"
"""Section the linker gathers the 8-bit coverage counters in; only `-fuzz` builds have one. It is
loaded memory, so that stripping symbols leaves it."""

_HOW = "build one with `go test -c -fuzz=. -o NAME.test PACKAGE`"


def open_binary(path: Path, cwd: Path) -> FuzzBinary:
    """A fuzz binary that somebody built before; its workers will run in *cwd*.

    Reads the ELF headers first and runs the file only (with ``-test.list``) when they say that it
    is a Go test binary with coverage counters for this machine. Raises UsageError when the file is
    something else and BuildError when it is a test binary that cannot be fuzzed.
    """
    path = path.absolute()
    if not cwd.is_dir():
        raise UsageError(f"expected a directory to run {path.name} in, found none at {cwd}")
    with _open(path) as handle:
        info = _examine(path, handle)
        key = hashlib.file_digest(handle, "sha256").hexdigest()
    if not os.access(path, os.X_OK):
        raise UsageError(f"expected to be allowed to run {path}; `chmod +x` it first")
    import_path = info.path.removesuffix(".test") or path.name.removesuffix(".test")
    return FuzzBinary(
        path=path,
        key=key,
        import_path=import_path,
        package=None,
        targets=list_targets(path, cwd.absolute()),
        cwd=cwd.absolute(),
        go_version=info.version,
    )


def has_c_code(path: Path) -> bool:
    """Whether the Go program at *path* may hold C code: it is linked by the C linker then, and
    wants the dynamic loader. Raises UsageError when it cannot be read."""
    with _open(path) as handle:
        try:
            return read_program(Image(handle.fileno())).section(b".interp") is not None
        except ElfError as error:
            raise UsageError(
                f"expected {path} to be a Go program, found {error}; {_HOW}"
            ) from error


def _open(path: Path) -> io.BufferedReader:
    """Open a regular file of sensible size; a FIFO or device is not even waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(
            f"expected a fuzz binary at {path}, found: {error.strerror}; {_HOW}"
        ) from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= MAX_SIZE:
        os.close(fd)
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
        if stat.S_ISREG(status.st_mode):
            kind = f"{status.st_size} bytes" if status.st_size else "an empty file"
        raise UsageError(f"expected a fuzz binary at {path}, found {kind}; {_HOW}")
    return os.fdopen(fd, "rb")


def _examine(path: Path, handle: io.BufferedReader) -> BuildInfo:
    """Raise unless the file is a fuzz binary for this machine."""
    image = Image(handle.fileno())
    try:
        program = read_program(image)
    except ElfError as error:
        raise UsageError(
            f"expected {path} to be a Go test binary, found {error}; {_HOW}"
        ) from error
    if program.arch != host_arch():
        raise UsageError(
            f"expected {path} to be built for {host_arch()}, found {program.arch}; "
            f"{_HOW} with GOARCH={host_arch()}"
        )
    info = read_build_info(image, program)
    if info is None:
        raise UsageError(
            f"expected {path} to be a Go test binary, found an ELF program without Go's build "
            f"information; {_HOW}"
        )
    _judge(path, program, info)
    return info


def _judge(path: Path, program: Program, info: BuildInfo) -> None:
    """Raise unless this is an instrumented test binary of a Go that is new enough."""
    version = parse_version(info.version)
    if version is not None and version < OLDEST:
        raise BuildError(
            f"expected {path} to be built by Go {OLDEST[0]}.{OLDEST[1]} or newer, "
            f"found {info.version}; {_HOW}"
        )
    counters = program.section(COUNTERS)
    if counters is not None and counters.size > 0:
        return
    if info.path and not info.path.endswith(".test"):
        raise UsageError(
            f"expected {path} to be a Go test binary, found the program {info.path}; {_HOW}"
        )
    if program.sections:
        raise BuildError(
            f"expected {path} to have coverage counters, found none: it was built without -fuzz; "
            f"{_HOW}"
        )
