"""Folders of corpus files, friendly and hostile."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from gofuzzsec.corpus import (
    CorpusFile,
    GoType,
    Value,
    file_name,
    marshal,
    read_corpus,
    read_entry,
    types_of,
    write_entry,
)
from gofuzzsec.corpus.directory import MAX_FILE_SIZE

DATA = marshal([Value(GoType.BYTES, b"seed"), Value(GoType.INT, 7)])
TYPES = (GoType.BYTES, GoType.INT)


def problem_with(path: Path, types: tuple[GoType, ...] | None = None) -> str:
    files, problems = read_corpus(path.parent, types)
    assert not files
    (problem,) = problems
    assert problem.path == path
    return problem.text


def test_entries_come_by_name_with_their_values(tmp_path: Path) -> None:
    other = marshal([Value(GoType.BYTES, b""), Value(GoType.INT, 1)])
    (tmp_path / "b").write_bytes(DATA)
    (tmp_path / "a").write_bytes(other)
    (tmp_path / "folder").mkdir()
    files, problems = read_corpus(tmp_path, TYPES)
    assert [(file.path.name, file.data) for file in files] == [("a", other), ("b", DATA)]
    assert [types_of(file.values) for file in files] == [TYPES, TYPES]
    assert not problems


def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    assert read_corpus(tmp_path / "none", None) == ([], [])


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA)
    files, problems = read_corpus(tmp_path / "x", None)
    assert not files
    assert "expected a folder of inputs" in problems[0].text


def test_types_that_do_not_fit_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    assert isinstance(read_entry(path, None), CorpusFile)
    text = problem_with(path, (GoType.STRING,))
    assert text == "expected the target's arguments (string), found ([]byte, int)"


def test_broken_content_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(DATA[:-2])
    assert "line 3: expected ')'" in problem_with(tmp_path / "x")


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(DATA)
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "link").symlink_to(target)
    assert "symbolic link" in problem_with(folder / "link")


def test_pipes_sockets_and_devices_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "found a pipe" in problem_with(tmp_path / "pipe")
    (tmp_path / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert "cannot be read" in problem_with(tmp_path / "socket")


def test_files_too_large_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as handle:
        handle.truncate(MAX_FILE_SIZE + 1)
    text = problem_with(path)
    assert text == f"expected at most {MAX_FILE_SIZE} bytes, found {MAX_FILE_SIZE + 1}"


def test_unreadable_files_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(DATA)

    def denied(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert problem_with(tmp_path / "x") == "cannot be read: Permission denied"


def test_write_names_the_file_by_its_content(tmp_path: Path) -> None:
    path = write_entry(tmp_path / "new" / "folder", DATA)
    assert path == tmp_path / "new" / "folder" / file_name(DATA)
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_write_leaves_the_same_content_alone(tmp_path: Path) -> None:
    path = write_entry(tmp_path, DATA)
    os.utime(path, (1, 1))
    assert write_entry(tmp_path, DATA) == path
    assert path.stat().st_mtime == 1


def test_write_replaces_what_does_not_belong(tmp_path: Path) -> None:
    path = tmp_path / file_name(DATA)
    path.write_bytes(DATA[:5])
    assert write_entry(tmp_path, DATA).read_bytes() == DATA
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"not ours")
    path.unlink()
    path.symlink_to(elsewhere)
    write_entry(tmp_path, DATA)
    assert path.read_bytes() == DATA and not path.is_symlink()
    assert elsewhere.read_bytes() == b"not ours"
