"""Recording whole programs: all that they do, and what goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import process
from gofuzzsec.syscalls.inprocess import functions
from gofuzzsec.syscalls.model import CallOutcome, Origin
from gofuzzsec.syscalls.process import record_process, trace_process
from gofuzzsec.syscalls.table import machine_arch
from gofuzzsec.syscalls.tracer import Strace, find_strace
from gofuzzsec.toolchain import build_program
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_strace
from tests.syscalls.conftest import origins
from tests.syscalls.test_strace import assert_gone, users

PROGRAM = """package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "mkdir":
		_ = syscall.Mkdir("/nonexistent/folder", 0o700)
		fmt.Println("done")
		os.Exit(7)
	case "child":
		_ = exec.Command("/bin/true").Run()
	case "become":
		_ = syscall.Exec("/bin/true", []string{"true"}, nil)
	case "sleep":
		time.Sleep(time.Hour)
	case "leave":
		_ = exec.Command("/bin/sh", "-c", "sleep 3600 &").Run()
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}
"""


@pytest.fixture(scope="module")
def program(go: Go) -> Path:
    return build_program(go, {"main.go": PROGRAM}, "whole")


def test_everything_from_start_to_end(program: Path, tmp_path: Path) -> None:
    require_strace(stacks=True)
    done = trace_process([str(program), "mkdir"], tmp_path)
    assert done.status == 7
    assert done.output == "done"
    recording = done.recording
    assert recording.complete, recording.problem
    assert origins(recording, "mkdirat") == {Origin.TARGET}
    assert origins(recording, "write") == {Origin.TARGET}
    for name in ("execve", "mmap", "rt_sigaction", "exit_group", "fcntl"):
        assert origins(recording, name) == {Origin.RUNTIME}, name
    (mkdir,) = (use for use in recording.uses if use.name == "mkdirat")
    assert functions(mkdir.stack)[-2:] == ("runtime.main", "runtime.goexit")


def test_children_and_what_a_program_becomes_are_its_own(program: Path, tmp_path: Path) -> None:
    require_strace()
    for word in ("child", "become"):
        recording = record_process([str(program), word], tmp_path)
        assert Origin.TARGET in origins(recording, "exit_group"), word
        assert recording.complete


def test_death_by_signal_is_an_end_like_any_other(program: Path, tmp_path: Path) -> None:
    require_strace()
    done = trace_process([str(program), "kill"], tmp_path)
    assert done.status == -9
    assert done.recording.complete
    assert origins(done.recording, "kill") == {Origin.UNKNOWN}  # it never returned: no stack


def test_a_program_that_does_not_end_is_killed(program: Path, tmp_path: Path) -> None:
    require_strace()
    began = time.monotonic()
    done = trace_process([str(program), "sleep"], tmp_path, timeout=0.7)
    assert time.monotonic() - began < 20
    assert done.status is None
    assert not done.recording.complete
    assert "killed after" in done.recording.problem
    assert origins(done.recording, "execve") == {Origin.RUNTIME}


def test_a_child_left_behind_is_ended(program: Path, tmp_path: Path) -> None:
    require_strace()
    marker = tmp_path / "here"
    marker.mkdir()
    done = trace_process([str(program), "leave", str(marker)], tmp_path)
    assert done.status == 0
    assert done.recording.complete
    assert_gone(marker)


def test_without_stacks_deliberate_calls_stay_unknown(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_strace()
    path = find_strace().path
    monkeypatch.setattr(process, "find_strace", lambda: Strace(path, False, False))
    recording = record_process([str(program), "mkdir"], tmp_path)
    assert origins(recording, "mkdirat") == {Origin.UNKNOWN}
    assert origins(recording, "futex") <= {Origin.RUNTIME}


def test_known_calls_spare_the_second_run(program: Path, tmp_path: Path) -> None:
    require_strace()
    done = trace_process([str(program), "mkdir"], tmp_path, known=lambda _: True)
    assert origins(done.recording, "mkdirat") == {Origin.UNKNOWN}
    assert "mkdirat" in {sighting.name for sighting in done.deliberate}


def test_what_cannot_be_run_or_read_is_an_error(tmp_path: Path) -> None:
    require_strace()
    with pytest.raises(RecorderError, match="nothing to run"):
        record_process([str(tmp_path / "missing")], tmp_path)
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with pytest.raises(RecorderError, match="expected the symbols"):
        record_process([str(script)], tmp_path)
    wrong = tmp_path / "wrong"
    other = {"amd64": b"\xb7", "arm64": b"\x3e"}[machine_arch()]  # each other's e_machine
    data = Path("/bin/true").read_bytes()
    wrong.write_bytes(data[:18] + other + data[19:])
    wrong.chmod(0o755)
    with pytest.raises(RecorderError, match="to run under strace"):
        record_process([str(wrong)], tmp_path)
    with pytest.raises(RecorderError, match="to start in"):
        record_process(["/bin/true"], tmp_path / "nowhere")


OWNER = """
import sys
from pathlib import Path
from gofuzzsec.syscalls.process import record_process
record_process([sys.argv[1], "sleep", sys.argv[2]], Path("/"), timeout=600)
"""


def test_nothing_survives_the_owners_sudden_death(program: Path, tmp_path: Path) -> None:
    require_strace()
    marker = tmp_path / "marker"
    arguments = [sys.executable, "-c", OWNER, str(program), str(marker)]
    with subprocess.Popen(arguments, cwd=Path(__file__).parents[2]) as owner:
        try:
            deadline = time.monotonic() + 60
            while len(users(marker)) < 3:  # owner, tracer, program
                assert time.monotonic() < deadline
                os.sched_yield()
        finally:
            owner.kill()
    assert_gone(marker)


def test_a_stripped_program_has_stacks_with_lines(go: Go, tmp_path: Path) -> None:
    require_strace(stacks=True)
    (tmp_path / "main.go").write_text(PROGRAM)
    stripped = tmp_path / "stripped"
    subprocess.run(
        [go.path, "build", "-ldflags=-s -w", "-o", stripped, "main.go"], cwd=tmp_path, check=True
    )
    recording = trace_process([str(stripped), "mkdir"], tmp_path).recording
    (mkdir,) = (use for use in recording.uses if use.name == "mkdirat")
    assert (mkdir.origin, mkdir.outcome) == (Origin.TARGET, CallOutcome.FAILED)
    lines = dict(frame.split(" ", 1) for frame in mkdir.stack)
    assert lines["main.main"].startswith(f"{tmp_path}/main.go:")
