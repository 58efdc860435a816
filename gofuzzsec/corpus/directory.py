"""Folders of corpus files, as Go keeps them: ``testdata/fuzz/FuzzX`` and the fuzz cache."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.corpus.format import file_name, unmarshal
from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.errors import CorpusError
from gofuzzsec.files import write_atomic

MAX_FILE_SIZE = 100 << 20
"""Go's shared memory, 100 MiB, holds no larger input."""


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A readable entry: ``data`` is what the file at ``path`` holds, ``values`` its meaning."""

    path: Path
    data: bytes
    values: Input


@dataclass(frozen=True, slots=True)
class CorpusProblem:
    """An entry that was left out; ``text`` says what was expected and what was found."""

    path: Path
    text: str


def types_of(values: Sequence[Value]) -> tuple[GoType, ...]:
    """The argument types of *values*, in order."""
    return tuple(value.type for value in values)


def read_corpus(
    folder: Path, types: Sequence[GoType] | None
) -> tuple[list[CorpusFile], list[CorpusProblem]]:
    """All entries of *folder*, by name, and what could not be used.

    *types* are those of the target; None takes any. Folders inside are passed over as Go does; a
    symbolic link, a pipe, a file above `MAX_FILE_SIZE`, with another format or with other types
    becomes a problem. A folder that is not there is an empty one.
    """
    files: list[CorpusFile] = []
    problems: list[CorpusProblem] = []
    try:
        names = _entry_names(folder)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [CorpusProblem(folder, f"expected a folder of inputs, found: {error.strerror}")]
    for name in names:
        entry = read_entry(folder / name, types)
        if isinstance(entry, CorpusFile):
            files.append(entry)
        else:
            problems.append(entry)
    return files, problems


def read_entry(path: Path, types: Sequence[GoType] | None) -> CorpusFile | CorpusProblem:
    """The one entry at *path*, or what is wrong with it; *types* as in `read_corpus`."""
    try:
        data = _read(path)
        values = unmarshal(data)
        _check_types(values, types)
    except OSError as error:
        return CorpusProblem(path, f"cannot be read: {error.strerror}")
    except CorpusError as error:
        return CorpusProblem(path, str(error))
    return CorpusFile(path, data, values)


def write_entry(folder: Path, data: bytes) -> Path:
    """Put a marshalled input into *folder* under its own name; the path of the file.

    A file that already holds exactly *data* is left alone; one that was cut short is replaced.
    Raises OSError when the folder cannot be written.
    """
    path = folder / file_name(data)
    if not _holds(path, data):
        write_atomic(path, data)
    return path


def _entry_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))


def _holds(path: Path, data: bytes) -> bool:
    try:
        return _read(path) == data
    except (OSError, CorpusError):
        return False  # writing it anew puts it right, or says what is wrong


def _read(path: Path) -> bytes:
    """The bytes of a regular file. Raises OSError, or CorpusError when it is no plain small file.

    Opened without following links and without waiting, then looked at: a name may be swapped
    for a pipe at any time.
    """
    if path.is_symlink():
        raise CorpusError("expected a regular file, found a symbolic link: put a copy there")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    with os.fdopen(os.open(path, flags), "rb") as handle:
        status = os.fstat(handle.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError("expected a regular file, found a pipe, socket or device")
        data = handle.read(MAX_FILE_SIZE + 1)
    if len(data) > MAX_FILE_SIZE:
        size = max(status.st_size, len(data))
        raise CorpusError(f"expected at most {MAX_FILE_SIZE} bytes, found {size}")
    return data


def _check_types(values: Input, types: Sequence[GoType] | None) -> None:
    if types is None or types_of(values) == tuple(types):
        return
    expected, found = (", ".join(kinds) for kinds in (types, types_of(values)))
    raise CorpusError(f"expected the target's arguments ({expected:.200}), found ({found:.200})")
