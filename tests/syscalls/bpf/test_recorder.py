"""The bpf recorder on a real worker: what an input makes, who made it, how it ended, and what of
another input's it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.syscalls.bpf.live import LiveCalls
from gofuzzsec.syscalls.bpf.recorder import BpfRecorder
from gofuzzsec.syscalls.bpf.symbolize import Symbolizer
from gofuzzsec.syscalls.bpf.tracer import TracedProgram, Tracer
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from gofuzzsec.worker import Run, Verdict, Worker, WorkerSpec
from tests.requirements import require_bpf, require_cgo
from tests.syscalls.conftest import Record, entry, origins
from tests.syscalls.target_calls import TARGET_CALLS

TARGET, RUNTIME, HARNESS, UNKNOWN = Origin.TARGET, Origin.RUNTIME, Origin.HARNESS, Origin.UNKNOWN


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    require_bpf()
    tracer = Tracer.open(slots=4)
    yield tracer
    tracer.close()


@pytest.fixture(scope="module")
def program(callers_spec: WorkerSpec) -> GoProgram:
    return GoProgram.read(callers_spec.binary)


@pytest.fixture(scope="module")
def recorder(
    tracer: Tracer,
    program: GoProgram,
    callers_spec: WorkerSpec,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BpfRecorder]:
    scratch = tmp_path_factory.mktemp("recorder") / "scratch"
    traced = TracedProgram.of(program)
    recorder = BpfRecorder(callers_spec, scratch, tracer, traced, Symbolizer(program))
    yield recorder
    recorder.close()


@pytest.fixture
def record(recorder: BpfRecorder) -> Record:
    """Record an input of FuzzCalls by its words, in one recorder for the test file."""
    return lambda words: recorder.record(entry(words))


def one(recording: Recording, name: str, *who: Origin) -> SyscallUse:
    wanted = who or tuple(Origin)
    (use,) = (use for use in recording.uses if use.name == name and use.origin in wanted)
    return use


def names(recording: Recording, *wanted: Origin) -> set[str]:
    return {use.name for use in recording.uses if use.stable and use.origin in wanted}


def test_an_input_that_does_nothing_has_no_behaviour(record: Record) -> None:
    for _ in range(3):
        recording = record("")
        assert recording.complete, recording.problem
        assert recording.behaviour() == frozenset(), recording


def test_a_call_comes_with_stack_kind_and_outcome(record: Record) -> None:
    use = one(record("mkdir"), "mkdirat", TARGET)
    assert (use.count, use.stable, use.outcome) == (1, True, CallOutcome.FAILED)
    functions = [frame.partition(" ")[0] for frame in use.stack]
    assert "example.org/callers.Mkdir" in functions
    assert "syscall.Mkdirat" in functions[: functions.index("example.org/callers.Mkdir")]
    assert any("/callers.go:" in frame for frame in use.stack)
    opened = one(record("open"), "openat", TARGET)
    assert (opened.kind, opened.outcome) == ("read", CallOutcome.OK)


@pytest.mark.parametrize(("word", "calls"), TARGET_CALLS)
def test_the_targets_calls(record: Record, word: str, calls: set[str]) -> None:
    recording = record(word)
    assert recording.complete, recording.problem
    for call in calls:
        assert TARGET in origins(recording, call), recording
        assert origins(recording, call) <= {TARGET, RUNTIME}, recording


@pytest.mark.parametrize("word", ["sleep", "panic", "fatal", "collect"])
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
    assert origins(record("tempdir mkdir"), "mkdirat") == {TARGET, HARNESS}


def test_children_are_the_targets(record: Record) -> None:
    recording = record("run")
    assert {"execve", "exit_group", "set_tid_address"} <= names(recording, TARGET)
    assert names(recording, HARNESS, UNKNOWN) == set(), recording
    assert one(recording, "exit_group", TARGET).outcome is CallOutcome.BEGUN


def test_c_code_is_the_targets(record: Record) -> None:
    require_cgo()
    assert origins(record("c"), "mknodat") == {TARGET}


def test_what_a_process_does_once_is_stable_all_the_same(record: Record) -> None:
    """Go reads somaxconn at a process's first Listen: only a fresh worker shows it again."""
    record("mkdir")
    for _ in range(2):
        recording = record("listen")
        assert "socket" in recording.behaviour()
    assert origins(recording, "listen") == {TARGET}


def test_a_call_that_is_none_makes_the_recording_incomplete(record: Record) -> None:
    recording = record("unknown")
    assert not recording.complete
    assert "0x3e7" in recording.problem


def test_a_crash_leaves_what_was_seen_and_a_usable_recorder(record: Record) -> None:
    record("mkdir")
    recording = record("die")
    assert not recording.complete
    assert "ended under this input" in recording.problem
    assert "mkdirat" in recording.behaviour()
    assert record("mkdir").complete


def test_what_a_goroutine_left_behind_does_is_no_other_inputs(record: Record) -> None:
    deadline = time.monotonic() + 60
    seen: set[Origin] = set()
    while not seen and time.monotonic() < deadline:  # it may be ended before it is seen
        record("leave")
        for word in ("", "print", "open", "sleep"):
            later = record(word)
            assert "unlinkat" not in later.behaviour(), later
            seen |= origins(later, "unlinkat", stable=False)
    assert seen == {TARGET}  # said, not lost, and not laid at another input's door


def test_a_child_left_behind_is_no_other_inputs(record: Record) -> None:
    record("daemon")
    deadline = time.monotonic() + 30
    late: set[Origin] = set()
    while not late and time.monotonic() < deadline:  # its sleep ends during some input
        later = record("sleep")
        assert "uname" not in later.behaviour()
        late = origins(later, "uname", stable=False)
    assert late == {TARGET}


def test_many_calls_cost_little_and_are_counted(record: Record) -> None:
    assert one(record("many"), "mkdirat", TARGET).count == 12_000


# -- the workers of a campaign ------------------------------------------------------------------


def drive(worker: Worker, *words: str) -> None:
    for word in words:
        if not worker.running:
            worker.start()
        worker.call(Run(), entry(word))


def test_live_calls_outlast_workers_and_turns(
    tracer: Tracer, program: GoProgram, callers_spec: WorkerSpec, tmp_path: Path
) -> None:
    live = LiveCalls(tracer, TracedProgram.of(program), Symbolizer(program), workers=2)
    worker = Worker(
        WorkerSpec(
            callers_spec.binary,
            "FuzzCalls",
            callers_spec.cwd,
            watch=live.watch(1, marked=False),
        ),
        tmp_path / "worker",
    )
    try:
        live.begin()
        drive(worker, "mkdir", "die", "print", "mkdir", "run")
        seen = live.look()
        assert one(seen, "mkdirat", TARGET).count == 3
        assert names(seen, TARGET) >= {"write", "mkdirat", "execve", "set_tid_address"}
        worker.stop()
        live.rest()
        assert one(live.look(), "mkdirat", TARGET).count == 3
        live.begin()
        drive(worker, "mkdir", "log")
        worker.stop()
        live.rest()
        seen = live.look()
        assert seen.complete, seen.problem
        assert one(seen, "mkdirat", TARGET).count == 4
        assert "chroot" in names(seen, TARGET)
        assert any("callers.Mkdir " in frame for frame in one(seen, "mkdirat", TARGET).stack)
    finally:
        worker.close()
        live.rest()


def test_nothing_is_left_open(
    tracer: Tracer, program: GoProgram, callers_spec: WorkerSpec, tmp_path: Path
) -> None:
    """More recorders one after another than the tracer has slots."""
    before = sorted(Path("/proc/self/fd").iterdir())
    traced = TracedProgram.of(program)
    for number in range(6):
        live = LiveCalls(tracer, traced, Symbolizer(program), workers=2)
        live.begin()
        live.rest()
        scratch = tmp_path / str(number)
        recorder = BpfRecorder(callers_spec, scratch, tracer, traced, Symbolizer(program))
        recorder.close()
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_worker_that_is_not_followed_is_not_seen(
    tracer: Tracer, program: GoProgram, callers_spec: WorkerSpec, tmp_path: Path
) -> None:
    """Another worker of the same program beside it, by the same name."""
    live = LiveCalls(tracer, TracedProgram.of(program), Symbolizer(program), workers=1)
    other = Worker(callers_spec, tmp_path / "other")
    try:
        live.begin()
        other.start()
        assert other.call(Run(), entry("mkdir")).verdict is Verdict.OK
        assert live.look().uses == ()
    finally:
        other.close()
        live.rest()
