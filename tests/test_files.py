"""Atomic writes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gofuzzsec.files import write_atomic


def test_new_and_replaced_files_hold_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_atomic(path, b"first")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o644
    write_atomic(path, b"second" * 100_000, mode=0o600)
    assert path.read_bytes() == b"second" * 100_000
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["file"]  # noqa: PTH208


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    path = tmp_path / "file"
    if exists:
        path.write_bytes(b"old")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == (["file"] if exists else [])
    assert not exists or path.read_bytes() == b"old"


def test_a_file_system_without_nameless_files_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refusing(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", refusing)
    write_atomic(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_new_file_has_no_name_before_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = os.write

    def spying(fd: int, data: bytes) -> int:
        seen.append([entry.name for entry in tmp_path.iterdir()])
        return real(fd, data)

    monkeypatch.setattr(os, "write", spying)
    write_atomic(tmp_path / "file", b"data")
    assert seen == [[]]
