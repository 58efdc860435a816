"""Whole processes by bpf: a package's tests, and what comes of programs that end in other ways."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.errors import BinaryError, RecorderError
from gofuzzsec.syscalls.bpf.process import follow_process
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.model import CallOutcome, Origin
from gofuzzsec.syscalls.tests_run import record_tests
from gofuzzsec.toolchain import build_program
from gofuzzsec.toolchain.model import FuzzBinary, Go, Package
from tests.conftest import MakeModule
from tests.requirements import require_bpf
from tests.syscalls.conftest import origins

TARGET, HARNESS = Origin.TARGET, Origin.HARNESS
PROGRAM = """package main

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "exit":
		syscall.Chroot("/nonexistent")
		os.Exit(7)
	case "stay":
		os.Stdout.WriteString("here to stay\\n")
		time.Sleep(time.Hour)
	case "leave":
		child := exec.Command("/bin/sh", "-c", "sleep 0.2; umask 0")
		child.Stdout = os.Stdout
		child.Start()
	}
}
"""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    require_bpf()
    tracer = Tracer.open(slots=2)
    yield tracer
    tracer.close()


@pytest.fixture(scope="module")
def program(go: Go) -> Path:
    return build_program(go, {"main.go": PROGRAM}, "endings")


def test_tests_and_examples_but_not_seeds(
    go: Go, callers_package: Package, callers: FuzzBinary, tracer: Tracer
) -> None:
    recording = record_tests(go, callers_package, callers.path, tracer)
    assert recording.complete, recording.problem
    assert origins(recording, "mkdirat") == {TARGET, HARNESS}  # its own, and TempDir's
    assert origins(recording, "unlinkat") == {HARNESS}
    assert "exit_group" in {use.name for use in recording.uses if use.origin is TARGET}  # a child
    assert origins(recording, "pipe2") >= {HARNESS}  # an example's standard output
    assert "chroot" not in {use.name for use in recording.uses}  # only the fuzz target's


def test_failing_tests_are_said_to_leave_evidence_out(
    go: Go, module: MakeModule, tracer: Tracer
) -> None:
    folder = module(
        {
            "m_test.go": 'package m\n\nimport "testing"\n\n'
            'func TestFails(t *testing.T) { t.Fatal("as it must") }\n'
            "func FuzzNothing(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) {}) }\n"
        }
    )
    (package,) = toolchain.list_packages(go, ["."], folder)
    recording = record_tests(go, package, Path("/nonexistent"), tracer)
    assert not recording.complete
    assert "as it must" in recording.problem
    assert recording.uses


def test_an_exit_status_and_a_call_that_failed(program: Path, tracer: Tracer) -> None:
    done = follow_process(tracer, [str(program), "exit"], program.parent, os.environ, 30.0)
    assert done.status == 7 and done.recording.complete
    (use,) = (use for use in done.recording.uses if use.name == "chroot")
    assert (use.origin, use.outcome) == (TARGET, CallOutcome.FAILED)
    assert any(frame.startswith("main.main ") for frame in use.stack)


def test_a_process_that_does_not_end_is_killed(program: Path, tracer: Tracer) -> None:
    done = follow_process(tracer, [str(program), "stay"], program.parent, os.environ, 0.5)
    assert done.status is None and not done.recording.complete
    assert "killed after" in done.recording.problem
    assert "here to stay" in done.output
    assert any(use.name == "write" for use in done.recording.uses)


def test_children_may_outlive_it_for_a_moment(program: Path, tracer: Tracer) -> None:
    done = follow_process(tracer, [str(program), "leave"], program.parent, os.environ, 30.0)
    assert done.status == 0
    assert origins(done.recording, "umask") == {TARGET}


def test_what_cannot_be_started_is_an_error(program: Path, tracer: Tracer, tmp_path: Path) -> None:
    copy = tmp_path / "program"
    copy.write_bytes(program.read_bytes())  # not executable
    with pytest.raises(RecorderError, match=r"expected .*program to start"):
        follow_process(tracer, [str(copy)], tmp_path, os.environ, 5.0)
    for _ in range(3):  # nor does it keep its slot
        with pytest.raises(BinaryError):
            follow_process(tracer, ["/bin/sh"], tmp_path, os.environ, 5.0)
    assert follow_process(tracer, [str(program), "exit"], tmp_path, os.environ, 5.0).status == 7
