"""What makes a bound open, and the cache of bounds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.errors import BinaryError, UsageError
from gofuzzsec.syscalls import bound as bounds
from gofuzzsec.syscalls import bound_cache
from gofuzzsec.syscalls.bound import Bound, static_bound
from gofuzzsec.toolchain.model import Go
from tests.binary.static.conftest import Graphs
from tests.conftest import MakeModule
from tests.requirements import require_cgo


@pytest.fixture
def program(shapes: Graphs, monkeypatch: pytest.MonkeyPatch) -> GoProgram:
    """A program, and copies of it, whose graph is read once: here it is about what comes after."""
    graph = shapes("amd64")
    monkeypatch.setattr(CallGraph, "read", lambda _: graph)
    return graph.program


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; its folder of bounds."""
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "static"


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Working a bound out fails the test: it has to come from the cache."""
    monkeypatch.setattr(bounds, "bound_of", lambda *_: pytest.fail("worked out again"))


def test_a_bound_is_kept_and_found_again(
    program: GoProgram, cache: Path, request: pytest.FixtureRequest
) -> None:
    first = static_bound(program, ["viaClosure"])
    request.getfixturevalue("never")

    assert static_bound(program.path, ["main.viaClosure", "viaClosure"]) == first
    assert first.roots == ("main.viaClosure",)
    assert len(list(cache.glob("*.json"))) == 1


def test_a_damaged_entry_is_worked_out_again(program: GoProgram, cache: Path) -> None:
    first = static_bound(program, ["nothing"])
    (kept,) = cache.glob("*.json")
    whole = kept.read_bytes()
    record = json.loads(whole)
    damages = [
        b"",
        whole[:-20],
        b"[" * 100_000,
        json.dumps(record | {"calls": 5}).encode(),
        json.dumps(record | {"reached": "many"}).encode(),
        json.dumps(record | {"roots": ["main.viaClosure"]}).encode(),
        json.dumps({key: value for key, value in record.items() if key != "unknown"}).encode(),
    ]
    for damaged in damages:
        kept.write_bytes(damaged)
        assert bound_cache.kept(program, ("main.nothing",)) is None, damaged[:40]
    assert static_bound(program, ["nothing"]) == first
    assert kept.read_bytes() == whole


def test_entries_nobody_asks_for_are_removed(program: GoProgram, cache: Path) -> None:
    static_bound(program, ["nothing"])
    (old,) = cache.glob("*.json")
    os.utime(old, (0, 0))

    static_bound(program, ["viaSlice"])

    assert not old.exists()
    assert len(list(cache.glob("*.json"))) == 1


def test_another_program_has_another_entry(program: GoProgram, cache: Path, tmp_path: Path) -> None:
    """The key is the content, not the name or the build id."""
    static_bound(program, ["nothing"])
    copy = shutil.copy(program.path, tmp_path / "copy")
    with Path(copy).open("ab") as file:
        file.write(b"\0")
    static_bound(Path(copy), ["nothing"])

    assert len(list(cache.glob("*.json"))) == 2


def test_unknown_roots_and_calls_are_usage_errors(program: GoProgram, cache: Path) -> None:
    with pytest.raises(UsageError, match="viaClosre"):
        static_bound(program, ["viaClosre"])
    found = static_bound(program, ["nothing"])
    with pytest.raises(UsageError, match="'acct', one that nothing reachable makes"):
        found.path_to("acct")
    with pytest.raises(UsageError, match="'accct', no system call of amd64"):
        found.path_to("accct")


def test_what_is_no_go_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x7fELF")
    with pytest.raises(BinaryError):
        static_bound(tmp_path / "file")


CGO = """\
package main

// #include <unistd.h>
// static long direct(void) {
// 	long r;
// 	__asm__ volatile ("syscall" : "=a"(r) : "0"(107) : "rcx", "r11");
// 	return r;
// }
// static int library(void) { return getppid(); }
import "C"

//go:noinline
func quiet() {}

func main() { C.library(); C.direct(); quiet() }
"""


def test_c_code_opens_the_bound(go: Go, module: MakeModule, tmp_path: Path) -> None:
    require_cgo()
    folder = module({"main.go": CGO})
    path = tmp_path / "cgo"
    subprocess.run(
        [str(go.path), "build", "-o", str(path), "."],
        cwd=folder, check=True, env={**os.environ, "CGO_ENABLED": "1"},
    )  # fmt: skip
    found = static_bound(path)

    assert found.is_open
    assert {"c-library", "cgo", "loader"} <= {opening.kind for opening in found.opens}
    assert "getppid" in {opening.what for opening in found.opens}
    assert "geteuid" in found.names  # call 107, made by C code of the program itself


def test_a_bound_is_open_for_what_the_process_may_do(program: GoProgram) -> None:
    def made(kind: str) -> Bound:
        return Bound(
            "amd64", "go1.26", ("main",), (), (), (bounds.Opening(kind, "x", ()),), (), 1, 1
        )

    assert not made("exec").is_open
    assert all(made(kind).is_open for kind in ("c-library", "cgo", "loader", "plugin", "legacy"))
