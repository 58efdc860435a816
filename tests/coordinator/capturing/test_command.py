"""Commands under the kernel's recorder: which calls are whose, in functions and in whole."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from gofuzzsec.coordinator.capturing.model import Captured
from gofuzzsec.errors import BinaryError, UsageError
from gofuzzsec.syscalls.model import CallOutcome, Origin
from tests.coordinator.capturing.conftest import Build, Capture, counts

LIB = "example.org/captured/lib"


def test_the_whole_process_and_its_children(
    capture: Capture, captured: Path, tmp_path: Path
) -> None:
    seen = capture(captured, "files", tmp_path)
    assert seen.status == 0 and seen.everything.recording.complete
    assert seen.windows == (seen.everything,)
    own = counts(seen.everything)
    assert own["mkdirat"] == 3
    assert own["newfstatat"] == 1
    assert "mmap" in counts(seen.everything, Origin.RUNTIME)
    assert "mkdirat" not in counts(seen.everything, Origin.RUNTIME)
    assert not counts(seen.everything, Origin.HARNESS)
    child = counts(capture(captured, "child", shutil.which("true") or "").everything)
    assert child["execve"] >= 1 and child["exit_group"] >= 2


def test_what_outlives_the_command_is_told(capture: Capture) -> None:
    script = "sleep 1000 >/dev/null 2>&1 & echo $!"
    with NamedTemporaryFile("r") as said:
        seen = capture("/bin/sh", "-c", f"({script}) > {said.name}")
        left = int(said.read())
    os.kill(left, 0)  # it is running indeed
    os.kill(left, signal.SIGKILL)
    assert not seen.everything.recording.complete
    problem = seen.everything.recording.problem
    assert problem == "a process that it started still runs, and what comes is not recorded"
    assert capture("/bin/sh", "-c", "true").everything.recording.complete


def test_a_function_and_the_goroutines_that_it_starts(
    capture: Capture, captured: Path, tmp_path: Path
) -> None:
    seen = capture(captured, "files", tmp_path, functions=("lib.Files", f"{LIB}.inside"))
    files, inside = seen.windows
    assert (files.name, inside.name) == (f"{LIB}.Files", f"{LIB}.inside")
    assert counts(files)["mkdirat"] == 3
    assert counts(inside)["mkdirat"] == 2
    assert counts(seen.everything)["mkdirat"] == 3  # once each, though in two windows
    assert "newfstatat" not in counts(seen.everything)
    (path,) = [use for use in inside.paths if use.name == "mkdirat"]
    frames = [frame.partition(" ")[0] for frame in path.stack]
    assert f"{LIB}.inside" in frames and f"{LIB}.Files.func1" in frames
    line = next(frame for frame in path.stack if frame.startswith(f"{LIB}.inside "))
    assert line.endswith("lib/lib.go:27")


def test_a_glob_names_several_functions(capture: Capture, captured: Path, tmp_path: Path) -> None:
    seen = capture(captured, "files", tmp_path, functions=(f"{LIB}.*",))
    short = capture(captured, "files", tmp_path, functions=("lib.*",))
    assert [window.name for window in short.windows] == [window.name for window in seen.windows]
    assert {f"{LIB}.Files", f"{LIB}.Touch", f"{LIB}.Child"} <= {w.name for w in seen.windows}
    by_name = {window.name: window for window in seen.windows}
    assert counts(by_name[f"{LIB}.Files"])["mkdirat"] == 3
    assert not by_name[f"{LIB}.Touch"].recording.uses


def test_outcomes_are_told_apart(capture: Capture, captured: Path) -> None:
    seen = capture(captured, "run", functions=("lib.Touch",))
    (use,) = [use for use in seen.windows[0].recording.uses if use.origin is Origin.TARGET]
    assert (use.name, use.outcome, use.count) == ("faccessat", CallOutcome.FAILED, 1)


def test_ambiguous_missing_and_too_many_functions(capture: Capture, captured: Path) -> None:
    with pytest.raises(
        UsageError, match=r"example.org/captured/lib.Run, example.org/captured/other"
    ):
        capture(captured, "run", functions=("Run",))
    with pytest.raises(UsageError, match=r"did you mean .*lib\.Touch"):
        capture(captured, "run", functions=("lib.Tuch",))
    with pytest.raises(UsageError, match="expected at most 64 functions for -f, found"):
        capture(captured, "run", functions=("os.*",))


def test_an_inlined_function_is_told_of(capture: Capture, captured: Path, build: Build) -> None:
    seen = capture(captured, "pid", functions=("lib.Pid",))
    (warning,) = seen.warnings
    assert f"{LIB}.Pid was also inlined into 2 functions, where it is not seen" in warning
    assert f"-gcflags={LIB}=-l" in warning
    with pytest.raises(UsageError, match=f"only copies inlined into 1 function; .*{LIB}=-l"):
        capture(captured, "pid", functions=("Tiny",))
    whole = build("whole", f"-gcflags={LIB}=-l")
    seen = capture(whole, "pid", functions=("lib.Pid",))
    assert not seen.warnings
    assert counts(seen.windows[0]) == {"getpid": 3}


def test_a_stripped_binary_has_names_too(capture: Capture, stripped: Path, tmp_path: Path) -> None:
    seen = capture(stripped, "files", tmp_path, functions=("lib.Files",))
    assert counts(seen.windows[0])["mkdirat"] == 3
    path = next(use for use in seen.windows[0].paths if use.name == "mkdirat")
    assert any("lib/lib.go:" in frame for frame in path.stack)


def test_a_script_that_starts_the_program(capture: Capture, captured: Path, tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text(f"#!/bin/sh\ncd {tmp_path}\n{captured} files {tmp_path}\nexit 5\n")
    script.chmod(0o755)
    seen = capture(script, binary=captured, functions=("lib.Files",))
    assert seen.status == 5
    assert seen.program == captured and seen.import_path == "example.org/captured"
    assert counts(seen.windows[0])["mkdirat"] == 3
    whole = capture(script, binary=captured)
    own = counts(whole.everything)
    assert own["mkdirat"] == 3
    assert own["chdir"] == 1  # the script's
    link = tmp_path / "link"
    link.symlink_to(captured)
    assert counts(capture(link, "run").everything)["faccessat"] == 1


def test_what_is_no_go_program(capture: Capture, tmp_path: Path) -> None:
    true = shutil.which("true") or ""
    seen = capture(true)
    assert seen.status == 0 and seen.import_path == "true"
    assert counts(seen.everything)["exit_group"] == 1
    origins = {use.origin for use in seen.everything.recording.uses if use.name != "execve"}
    assert origins == {Origin.TARGET}
    (warning,) = seen.warnings
    assert warning.startswith("every call counts as the program's own: expected ")
    with pytest.raises(UsageError, match=r"expected a Go program for -f, found: .*--binary"):
        capture(true, functions=("main.main",))
    with pytest.raises(UsageError, match="expected a program to run at /no/such"):
        capture("/no/such")


def test_a_program_that_dies(capture: Capture, captured: Path, tmp_path: Path) -> None:
    seen = capture(captured, "kill", tmp_path, functions=("main.main", "lib.Files"))
    assert seen.status == -signal.SIGKILL
    whole, files = seen.windows
    assert counts(files)["mkdirat"] == 3
    assert counts(whole)["kill"] == 1 and counts(whole)["mkdirat"] == 3
    assert seen.everything.recording.complete
    assert capture(captured, "panic").status == 2


def test_what_is_known_before_the_end(
    capture: Capture, captured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that works for as long as it is given bytes."""
    theirs, ours = os.pipe()
    looks: list[Captured] = []
    saved = os.dup(0)

    def show(so_far: Captured) -> None:
        looks.append(so_far)
        os.write(ours, b"x")
        if counts(so_far.windows[0]).get("faccessat", 0) >= 2:
            os.dup2(saved, 0)
            os.close(ours)

    monkeypatch.setattr("builtins.print", show)
    os.dup2(theirs, 0)
    os.close(theirs)
    os.set_inheritable(ours, False)
    try:
        done = capture(captured, "serve", functions=("lib.Touch",), interval=0.05)
    finally:
        os.dup2(saved, 0)
        os.close(saved)
    assert [look.status for look in looks] == [None] * len(looks)
    seen = [counts(look.windows[0]).get("faccessat", 0) for look in looks]
    assert seen == sorted(seen) and seen[-1] >= 2
    assert counts(done.windows[0])["faccessat"] >= seen[-1]


def test_statements_of_a_program_built_with_cover(
    capture: Capture, covered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOCOVERDIR", raising=False)
    seen = capture(covered, "files", tmp_path)
    assert not seen.warnings
    lib = seen.coverage[LIB]
    assert 0 < lib.covered < lib.statements
    assert seen.coverage["example.org/captured/other"].covered == 0
    # Writing the counters is nobody's but the harness's.
    assert {"openat", "renameat"} <= set(counts(seen.everything, Origin.HARNESS))
    assert "openat" not in counts(seen.everything)
    child = capture(covered, "child", covered, "exit", "0")  # it leaves counters, too
    assert counts(child.everything, Origin.HARNESS)["renameat"] == 4
    assert "renameat" not in counts(child.everything)
    given = tmp_path / "given"
    given.mkdir()
    monkeypatch.setenv("GOCOVERDIR", str(given))
    first = capture(covered, "files", tmp_path)
    assert first.coverage == seen.coverage
    second = capture(covered, "exit", "0")
    assert second.coverage[LIB].covered == 0  # of this run alone
    assert len(list(given.glob("covcounters.*"))) == 2
    killed = capture(covered, "kill", tmp_path)
    assert killed.coverage == {}


def test_a_program_killed_leaves_no_counters(
    capture: Capture, covered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOCOVERDIR", raising=False)
    (warning,) = capture(covered, "kill", tmp_path).warnings
    assert "it did not end by itself" in warning


def test_a_damaged_binary_is_told_of(capture: Capture, captured: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    data = bytearray(captured.read_bytes())
    start = data.find(b"\xff Go buildinf:")
    data[start : start + 14] = bytes(14)
    broken.write_bytes(data)
    broken.chmod(0o755)
    with pytest.raises((UsageError, BinaryError), match="build information"):
        capture(broken, "run", functions=("lib.Touch",))
    seen = capture(broken, "run")  # it runs all the same, and is seen from outside
    assert counts(seen.everything)["faccessat"] == 1
    assert dataclasses.is_dataclass(seen)
