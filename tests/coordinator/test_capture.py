"""System calls beside a campaign: recorded, stored, and worth keeping an input for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gofuzzsec.coordinator import choice
from gofuzzsec.coordinator.capture import Capture, CaptureTask, ProcessTask
from gofuzzsec.coordinator.events import Note, Started, SyscallFound
from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import strace
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from tests.coordinator.conftest import Heard, RunSession
from tests.requirements import require_bpf, require_strace


@pytest.fixture
def no_bpf(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user who is not root."""
    monkeypatch.setattr(choice, "can_trace", lambda: "expected root, found a user")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_a_campaign_records_what_its_inputs_do(fuzz: RunSession, no_bpf: None) -> None:
    require_strace()
    heard = fuzz("FuzzFiles", capture="auto", engine="stock", executions=3_000)
    started = heard.of(Started)[0]
    assert (started.capture, started.why) == ("strace", "bpf needs root")
    _check_records(heard)


def test_a_boosted_campaign_records_what_its_inputs_do(fuzz: RunSession, no_bpf: None) -> None:
    require_strace()  # for the baseline and the tests
    heard = fuzz("FuzzFiles", capture="auto", executions=60_000)
    started = heard.of(Started)[0]
    assert (started.capture, started.why) == ("in-process and strace", "bpf needs root")
    _check_records(heard)


def test_root_has_it_all_from_the_kernel(fuzz: RunSession) -> None:
    require_bpf()
    heard = fuzz("FuzzFiles", capture="auto", executions=8_000)
    started = heard.of(Started)[0]
    assert (started.capture, started.why) == ("bpf", "root and bcc found")
    _check_records(heard)


def _check_records(heard: Heard) -> None:
    found = {event.name: event.origin for event in heard.of(SyscallFound)}
    # Beside these a run may show calls whose stack strace could not print: they are "unknown".
    assert {found.get(name) for name in ("mkdirat", "openat", "symlinkat")} == {"target"}, found
    assert set(found.values()) <= {"target", "unknown"}, found
    with heard.store() as store:
        (target,) = store.targets()
        rows = store.syscalls(target.id)
        assert store.unrecorded_count(target.id) == 0
        sources = {row.source for row in rows}
        assert {"baseline", "tests", "seeds", "fuzz"} <= sources
        tests = {row.name for row in rows if row.source == "tests" and row.origin == "target"}
        assert {"mkdirat", "openat"} <= tests and "symlinkat" not in tests
        links = [r for r in rows if r.source in ("seeds", "fuzz") and r.name == "symlinkat"]
        for row in links:
            assert store.input_by_hash(row.first_input).data
        assert any("targets.Files" in frame for row in links for frame in row.stack)


def test_capture_off_records_nothing(fuzz: RunSession) -> None:
    heard = fuzz("FuzzFiles", capture="off", executions=500)
    with heard.store() as store:
        assert store.syscalls(store.targets()[0].id) == []
        assert not heard.of(SyscallFound)


def test_a_missing_strace_is_one_line_and_no_obstacle(
    fuzz: RunSession, no_bpf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strace, "available", lambda: "strace is not installed")
    heard = fuzz("FuzzFiles", capture="auto", engine="stock", executions=500)
    notes = [note for note in heard.of(Note) if "strace is not installed" in note.text]
    assert len(notes) == 1 and notes[0].level == "warning"
    assert heard.finished.stats[0].executions >= 500
    with pytest.raises(RecorderError, match="strace is not installed"):
        fuzz("FuzzFiles", capture="strace", executions=500)


class _Scripted:
    """A recorder with one answer, to show what the thread does with it."""

    name = "scripted"

    def __init__(self, answer: Recording | OSError) -> None:
        self.answer = answer
        self.closed = threading.Event()

    def record(self, data: bytes) -> Recording:
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed.set()


def results_of(capture: Capture, count: int) -> list[Recording | str | None]:
    found: list[Recording | str | None] = []
    while len(found) < count:
        for result in capture.results():
            found.append(result.recording or result.problem)
    return found


def test_the_recorder_thread_answers_each_task_in_order() -> None:
    recording = Recording((SyscallUse("read", Origin.TARGET, 1),))
    recorder = _Scripted(recording)
    capture = Capture("scripted", lambda: recorder)
    capture.submit(CaptureTask(1, b"", "fuzz"))
    capture.submit(ProcessTask("tests", lambda: Recording((), complete=False, problem="cut off")))
    first, second = results_of(capture, 2)
    assert first == recording
    assert isinstance(second, Recording) and second.problem == "cut off"
    assert capture.pending == 0
    capture.stop()
    assert recorder.closed.is_set()


def test_a_recorder_that_fails_says_so_for_each_task() -> None:
    capture = Capture("scripted", lambda: _Scripted(OSError("disk full")))
    capture.submit(CaptureTask(1, b"", "fuzz"))
    assert results_of(capture, 1) == ["disk full"]
    capture.stop()


def test_a_recorder_that_cannot_start_makes_recordings_incomplete() -> None:
    def refuse() -> _Scripted:
        raise RecorderError("no permission to trace")

    capture = Capture("scripted", refuse)
    capture.submit(CaptureTask(1, b"", "fuzz"))
    (found,) = results_of(capture, 1)
    assert isinstance(found, Recording)
    assert not found.complete and "no permission" in found.problem
    capture.stop()


def test_scratch_folders_of_a_killed_run_are_swept(fuzz: RunSession, project: Path) -> None:
    first = fuzz("FuzzNested", executions=10)
    left = project / "elsewhere"
    left.mkdir()
    (first.campaign / "scratch").write_bytes(str(left).encode())
    fuzz("FuzzNested", executions=10)
    assert left.is_dir(), "a folder that is not ours is never removed, whatever the note says"
