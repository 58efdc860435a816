"""Looking for corpus files that Go would not read."""

from __future__ import annotations

import os
from pathlib import Path

from gofuzzsec.corpus.check import check_path
from gofuzzsec.corpus.directory import CorpusFile, CorpusProblem
from gofuzzsec.corpus.values import GoType

GOOD = b'go test fuzz v1\nstring("x")\n'


def found(path: Path, types: tuple[GoType, ...] | None = None) -> dict[str, bool]:
    """Paths below *path*, each with whether it is sound."""
    return {
        os.path.relpath(entry.path, path): isinstance(entry, CorpusFile)
        for entry in check_path(path, types)
    }


def test_a_folder_with_all_below_it(tmp_path: Path) -> None:
    for name, data in {"a/FuzzX/1": GOOD, "a/FuzzX/2": b"", "b": GOOD}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert found(tmp_path) == {"b": True, "a/FuzzX/1": True, "a/FuzzX/2": False}
    assert found(tmp_path, (GoType.INT,)) == {"b": False, "a/FuzzX/1": False, "a/FuzzX/2": False}


def test_one_file(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(GOOD)
    assert found(tmp_path / "one", (GoType.STRING,)) == {".": True}
    assert found(tmp_path / "none") == {".": False}


def test_what_would_wait_or_go_round_for_ever(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    entries = list(check_path(tmp_path, None))
    assert [entry.path.name for entry in entries] == ["pipe"]
    assert isinstance(entries[0], CorpusProblem)
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert found(tmp_path) == {"pipe": False, "link": False}
