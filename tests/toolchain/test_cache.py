"""The build cache: one build per key, whole entries or none, old ones go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gofuzzsec.errors import BuildError, ToolchainError
from gofuzzsec.toolchain.cache import RECORD, build_entry, cache_dir, lookup, made_cache_dir, prune

KEY = "0123456789abcdef"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "binaries"


def write(out: Path) -> dict[str, object]:
    out.write_bytes(b"program")
    return {"targets": ["FuzzX"]}


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOFUZZSEC_CACHE", "relative")
    assert cache_dir() == tmp_path / "relative"
    monkeypatch.delenv("GOFUZZSEC_CACHE")
    monkeypatch.setenv("HOME", "/home/of")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/gofuzzsec")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_dir() == Path("/home/of/.cache/gofuzzsec")


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("GOFUZZSEC_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(ToolchainError, match="set GOFUZZSEC_CACHE"):
        cache_dir()


def test_built_once(root: Path) -> None:
    first, record = build_entry(KEY, "x.test", write)
    assert first == root / KEY / "x.test"
    assert first.read_bytes() == b"program"
    assert record["targets"] == ["FuzzX"]

    def never(out: Path) -> dict[str, object]:
        raise AssertionError("built again")

    again, same = build_entry(KEY, "x.test", never)
    assert (again, same) == (first, record)


@pytest.mark.parametrize("damage", ["record", "json", "format", "size", "binary"])
def test_damaged_entry_is_built_again(root: Path, damage: str) -> None:
    binary, _ = build_entry(KEY, "x.test", write)
    record = binary.parent / RECORD
    if damage == "record":
        record.unlink()
    elif damage == "json":
        record.write_text("[")
    elif damage == "format":
        record.write_text(json.dumps({**json.loads(record.read_text()), "format": 0}))
    elif damage == "size":
        binary.write_bytes(b"prog")
    else:
        binary.unlink()
    assert lookup(KEY) is None
    assert build_entry(KEY, "x.test", write)[0].read_bytes() == b"program"
    assert lookup(KEY) is not None


def test_failed_build_leaves_nothing(root: Path) -> None:
    def fail(out: Path) -> dict[str, object]:
        out.write_bytes(b"half")
        raise BuildError("no")

    with pytest.raises(BuildError):
        build_entry(KEY, "x.test", fail)
    assert [path.name for path in root.iterdir()] == [f"{KEY}.lock"]


def test_remains_of_a_killed_builder_go(root: Path) -> None:
    left = root / f"{KEY}.new-gone"
    left.mkdir(parents=True)
    (left / "x.test").write_bytes(b"half")
    build_entry(KEY, "x.test", write)
    assert not left.exists()


def test_two_builders_build_once() -> None:
    both = threading.Barrier(2)
    builds: list[Path] = []

    def build(out: Path) -> dict[str, object]:
        builds.append(out)
        return write(out)

    def ask() -> Path:
        both.wait()
        return build_entry(KEY, "x.test", build)[0]

    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(ask) for _ in range(2)]
    assert results[0].result() == results[1].result()
    assert len(builds) == 1


def test_unusable_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "file"))
    with pytest.raises(ToolchainError, match="set GOFUZZSEC_CACHE"):
        made_cache_dir("binaries")
    with pytest.raises(ToolchainError, match="set GOFUZZSEC_CACHE"):
        build_entry(KEY, "x.test", write)


def test_full_disk_is_a_message(root: Path) -> None:
    def full(out: Path) -> dict[str, object]:
        raise OSError(28, "No space left on device")

    with pytest.raises(ToolchainError, match="No space left on device; make room"):
        build_entry(KEY, "x.test", full)


def test_prune_removes_only_what_is_old_and_idle(root: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep

    def copy(out: Path) -> dict[str, object]:
        shutil.copy(sleep, out)
        return {}

    for key in ("old", "running", "new"):
        build_entry(key, "sleep", copy)
    for key in ("old", "running"):
        os.utime(root / key / RECORD, (1, 1))
    with subprocess.Popen([root / "running" / "sleep", "1000"]) as process:
        try:
            assert prune(root, days=30) == ["old"]
        finally:
            process.kill()
    assert lookup("old") is None
    assert lookup("running") is not None
    assert lookup("new") is not None


def test_use_keeps_an_entry_young(root: Path) -> None:
    build_entry(KEY, "x.test", write)
    os.utime(root / KEY / RECORD, (1, 1))
    assert lookup(KEY) is not None
    assert prune(root, days=30) == []
