"""The strace recorder on a real worker: every kind of call, and who made it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import strace, tracer
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording
from gofuzzsec.syscalls.strace import StraceRecorder
from gofuzzsec.worker import WorkerSpec
from tests.requirements import require_cgo, require_strace
from tests.syscalls.conftest import Record, entry, origins
from tests.syscalls.target_calls import TARGET_CALLS

TARGET, RUNTIME, HARNESS, UNKNOWN = Origin.TARGET, Origin.RUNTIME, Origin.HARNESS, Origin.UNKNOWN


def names(recording: Recording, *wanted: Origin) -> set[str]:
    return {use.name for use in recording.uses if use.stable and use.origin in wanted}


def test_an_input_that_does_nothing_has_no_behaviour(record: Record) -> None:
    recording = record("")
    assert recording.complete, recording.problem
    assert recording.behaviour() == frozenset()


def test_a_call_comes_with_the_stack_that_made_it(record: Record) -> None:
    recording = record("mkdir")
    (use,) = (use for use in recording.uses if use.origin is not RUNTIME)
    assert (use.name, use.origin, use.count, use.stable) == ("mkdirat", TARGET, 1, True)
    assert use.outcome is CallOutcome.FAILED
    places = dict(frame.split(" ", 1) for frame in use.stack)
    assert places["example.org/callers.Mkdir"].endswith("/callers/callers.go:52")
    functions = list(places)
    assert "syscall.Mkdirat" in functions[: functions.index("example.org/callers.Mkdir")]


@pytest.mark.parametrize(("word", "calls"), TARGET_CALLS)
def test_the_targets_calls(record: Record, word: str, calls: set[str]) -> None:
    recording = record(word)
    assert recording.complete, recording.problem
    for call in calls:
        assert origins(recording, call) - {RUNTIME} == {TARGET}, recording


@pytest.mark.parametrize("word", ["sleep", "signals", "panic", "fatal", "collect"])
def test_the_runtimes_calls(record: Record, word: str) -> None:
    recording = record(word)
    assert recording.complete, recording.problem
    assert names(recording, TARGET, HARNESS, UNKNOWN) == set(), recording


def test_temporary_folders_are_the_harnesss(record: Record) -> None:
    alone = record("tempdir")
    assert names(alone, TARGET, UNKNOWN) == set(), alone
    assert {"mkdirat", "unlinkat"} <= names(alone, HARNESS)
    both = record("tempfile")
    assert origins(both, "write") == {TARGET}
    assert origins(both, "openat") == {TARGET, HARNESS}
    assert origins(both, "unlinkat") == {HARNESS}
    # Settled by precedent now, and still told apart.
    again = record("tempfile")
    assert origins(again, "openat") == {TARGET, HARNESS}
    own = record("tempdir mkdir")
    assert origins(own, "mkdirat") == {TARGET, HARNESS}


def test_children_are_the_targets(record: Record) -> None:
    recording = record("run")
    assert {"execve", "pidfd_open", "exit_group"} <= names(recording, TARGET)
    assert names(recording, HARNESS, UNKNOWN) == set(), recording


def test_c_code_is_the_targets(record: Record) -> None:
    require_cgo()
    assert origins(record("c"), "mknodat") == {TARGET}


def test_threads_come_and_go_as_the_runtimes(record: Record) -> None:
    recording = record("threads")
    assert names(recording, TARGET) - {"nanosleep"} == set()
    assert names(recording, UNKNOWN, HARNESS) == set(), recording


def test_a_call_that_is_none_makes_the_recording_incomplete(record: Record) -> None:
    recording = record("unknown")
    assert not recording.complete
    assert "999" in recording.problem


def test_a_crash_leaves_what_was_seen_and_a_usable_recorder(record: Record) -> None:
    record("mkdir")
    recording = record("die")
    assert not recording.complete
    assert "ended under this input" in recording.problem
    assert "mkdirat" in recording.behaviour()
    assert record("mkdir").complete


def test_what_a_goroutine_left_behind_does_is_no_other_inputs(
    callers_spec: WorkerSpec, tmp_path: Path
) -> None:
    require_strace(stacks=True)
    recorder = StraceRecorder(callers_spec, tmp_path / "scratch")
    try:
        deadline = time.monotonic() + 60
        seen: set[Origin] = set()
        while not seen and time.monotonic() < deadline:  # it may be ended before it is seen
            recorder.record(entry("leave"))
            for word in ("", "print", "open", "sleep"):
                later = recorder.record(entry(word))
                assert "unlinkat" not in later.behaviour(), later
                seen |= origins(later, "unlinkat", stable=False)
    finally:
        recorder.close()
    assert seen == {UNKNOWN}  # said, not lost, and not laid at another input's door


def test_a_child_left_behind_is_no_other_inputs(callers_spec: WorkerSpec, tmp_path: Path) -> None:
    require_strace(stacks=True)
    recorder = StraceRecorder(callers_spec, tmp_path / "scratch")
    try:
        recorder.record(entry("daemon"))
        deadline = time.monotonic() + 30
        late: set[Origin] = set()
        while not late and time.monotonic() < deadline:  # its sleep ends during some input
            later = recorder.record(entry("sleep"))
            assert "uname" not in later.behaviour()
            late = origins(later, "uname", stable=False)
    finally:
        recorder.close()
    assert late == {TARGET}


def test_more_calls_than_stacks_could_be_read_of(callers_spec: WorkerSpec, tmp_path: Path) -> None:
    """Counted all the same, and honestly of unknown maker."""
    require_strace(stacks=True)
    recorder = StraceRecorder(callers_spec, tmp_path / "scratch")
    try:
        recording = recorder.record(entry("many"))
        assert recording.complete, recording.problem
        (use,) = (use for use in recording.uses if use.name == "mkdirat")
        assert (use.count, use.origin) == (12_000, UNKNOWN)
        # Once the maker is known from an input with few, the hot call needs no stacks.
        assert origins(recorder.record(entry("mkdir")), "mkdirat") == {TARGET}
    finally:
        recorder.close()


def test_without_stacks_only_the_runtime_is_known(
    callers_spec: WorkerSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_strace()
    path = tracer.find_strace().path
    monkeypatch.setattr(strace, "find_strace", lambda: tracer.Strace(path, False, False))
    recorder = StraceRecorder(callers_spec, tmp_path / "scratch")
    try:
        recording = recorder.record(entry("mkdir run"))
    finally:
        recorder.close()
    assert origins(recording, "mkdirat") == {UNKNOWN}
    assert "execve" in names(recording, TARGET)  # children need no stack
    assert "mkdirat" in recording.behaviour()


def test_a_tracer_ended_from_outside_costs_one_recording(
    callers_spec: WorkerSpec, tmp_path: Path
) -> None:
    require_strace(stacks=True)
    recorder = StraceRecorder(callers_spec, tmp_path / "scratch")
    try:
        assert recorder.record(entry("mkdir")).complete
        for pid in tracers(tmp_path):
            os.kill(pid, signal.SIGKILL)
        recorder.record(entry("mkdir"))
        recording = recorder.record(entry("mkdir"))
        assert recording.complete, recording.problem
        assert recording.behaviour() == {"mkdirat"}
    finally:
        recorder.close()
    assert_gone(tmp_path)


def tracers(folder: Path) -> list[int]:
    """Processes with *folder* in their command line: strace and the workers under it."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = status.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in command and b"strace" in command.split(b"\0")[0]:
            found.append(int(status.parent.name))
    return found


def users(folder: Path) -> list[int]:
    """Processes with *folder* in their command line, whatever they run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in status.read_bytes():
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found


def assert_gone(folder: Path) -> None:
    """No process with *folder* in its command line is left, or will be in a moment."""
    deadline = time.monotonic() + 20
    while users(folder) and time.monotonic() < deadline:
        os.sched_yield()
    assert users(folder) == []


OWNER = """
import sys
from pathlib import Path
from gofuzzsec.syscalls.strace import StraceRecorder
from gofuzzsec.worker import WorkerSpec
spec = WorkerSpec(Path(sys.argv[1]), "FuzzCalls", Path(sys.argv[2]))
recorder = StraceRecorder(spec, Path(sys.argv[3]))
recorder.record(Path(sys.argv[4]).read_bytes())
print("recorded", flush=True)
sys.stdin.read()
"""


def test_nothing_survives_the_owners_sudden_death(callers_spec: WorkerSpec, tmp_path: Path) -> None:
    require_strace(stacks=True)
    scratch = tmp_path / "scratch"
    (tmp_path / "input").write_bytes(entry("mkdir"))
    arguments = [callers_spec.binary, callers_spec.cwd, scratch, tmp_path / "input"]
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"recorded\n"
        assert len(users(scratch)) > 2  # two workers, two tracers, the owner
        owner.kill()
    assert_gone(scratch)


def test_missing_strace_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = strace.available()
    assert reason is not None
    assert "\n" not in reason
    assert "install" in reason
    with pytest.raises(RecorderError, match="install"):
        tracer.find_strace()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo strace -- version 4.26", "found strace -- version 4.26"),
        ("exit 1", "does not say its version"),
        (
            'test "$1" = -V && { echo strace -- version 6.1; exit; }; '
            "echo ptrace: Operation not permitted >&2; exit 1",
            "Operation not permitted",
        ),
    ],
)
def test_an_strace_that_will_not_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, says: str
) -> None:
    fake = tmp_path / "strace"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reason = strace.available()
    assert reason is not None
    assert says in reason
