"""One known program under every recorder: what they tell is the same, but for rules named here.

A rule is a function that takes from a recording what another recorder cannot tell. What is left
must be equal to the last count; and a rule that takes nothing away is wrong, too.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.binary import GoProgram
from gofuzzsec.coordinator.calls import parse_callers
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.syscalls.arguments import DECIDING
from gofuzzsec.syscalls.attribution import is_of_module
from gofuzzsec.syscalls.bpf.recorder import BpfRecorder
from gofuzzsec.syscalls.bpf.symbolize import Symbolizer
from gofuzzsec.syscalls.bpf.tracer import TracedProgram, Tracer
from gofuzzsec.syscalls.inprocess import TracedCall, feature, frames, recording_of_trace
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording
from gofuzzsec.syscalls.process import trace_process
from gofuzzsec.syscalls.strace import StraceRecorder
from gofuzzsec.syscalls.table import machine_arch, words
from gofuzzsec.toolchain.model import Go, Package
from gofuzzsec.worker import Batch, Run, Worker, WorkerSpec
from gofuzzsec.worker.agent_wire import CALL_FEATURES, encode_input
from tests.requirements import require_bpf, require_strace

MODULE = "example.org/known"
STEPS = "files sockets options memory fails refused routines tempdir child collect"
CHILD = "/bin/true"

OK, REFUSED, FAILED = CallOutcome.OK, CallOutcome.REFUSED, CallOutcome.FAILED
BEGUN = CallOutcome.BEGUN
TARGET, RUNTIME, HARNESS = Origin.TARGET, Origin.RUNTIME, Origin.HARNESS

Key = tuple[str, str, CallOutcome, Origin, tuple[int, ...]]
Counts = Counter[Key]

MADE: dict[tuple[str, str, CallOutcome], int] = {
    ("openat", "read", FAILED): 1,
    ("openat", "append", OK): 1,
    ("write", "", FAILED): 1,  # to what was opened for reading
    ("unlinkat", "file", FAILED): 1,
    ("unlinkat", "directory", FAILED): 2,  # os.Remove and Rmdir
    ("socket", "unix", OK): 1,
    ("socket", "inet", OK): 2,
    ("setsockopt", "socket", OK): 3,
    ("prctl", "dumpable", OK): 1,
    ("fcntl", "get descriptor flags", OK): 1,
    ("mkdirat", "", FAILED): 1,
    ("chdir", "", FAILED): 1,
    ("nfsservctl", "", REFUSED): 1,
    ("execve", "", REFUSED): 1,
    ("getppid", "", OK): 20,
    ("clone", "vfork", OK): 1,
}
"""Calls that the steps make for themselves, and that neither Go's library nor the child makes."""

OF_THE_RUNTIME = words(
    """brk clone clone3 epoll_pwait exit futex getpid gettid madvise mmap mprotect munmap nanosleep
    prctl read rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield
    set_robust_list sigaltstack tgkill timer_create timer_delete timer_settime write"""
)


def counts_of(recording: Recording) -> Counts:
    """What was stable, by all that makes a use."""
    return Counter(
        {
            (use.name, use.kind, use.outcome, use.origin, use.args): use.count
            for use in recording.uses
            if use.stable
        }
    )


def without_values(counts: Counts) -> Counter[tuple[str, str, CallOutcome, Origin]]:
    merged: Counter[tuple[str, str, CallOutcome, Origin]] = Counter()
    for (name, kind, outcome, origin, _), count in counts.items():
        merged[name, kind, outcome, origin] += count
    return merged


VALUES: dict[str, set[tuple[int, ...]]] = {
    "socket": {(1, 1), (2, 1)},
    "setsockopt": {(1, 2)},
    "prctl": {(3,)},
    "fcntl": {(1,), (3,), (4,)},  # os/exec too
    "mprotect": {(1,)},
    "unlinkat": {(0,), (0x200,)},
}
"""Values that the steps pass, of calls that nobody else makes for the target."""


# -- the recorders ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inside:
    """What the agent traced: the recording, and of each use all places in the module."""

    recording: Recording
    places: dict[tuple[str, str, bool], set[str]]


@pytest.fixture(scope="module")
def package(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Package:
    root = tmp_path_factory.mktemp("known") / "known"
    shutil.copytree(Path(__file__).parent / "known", root)
    (package,) = toolchain.list_packages(go, ["."], root)
    return package


@pytest.fixture(scope="module")
def spec(go: Go, package: Package) -> WorkerSpec:
    stock = toolchain.build_fuzz_binary(go, package)
    return WorkerSpec(stock.path, "FuzzKnown", stock.cwd)


@pytest.fixture(scope="module")
def inside(go: Go, package: Package, tmp_path_factory: pytest.TempPathFactory) -> Inside:
    boosted = toolchain.build_fuzz_binary(go, package, boosted=True)
    spec = WorkerSpec(boosted.path, "FuzzKnown", boosted.cwd, agent=(GoType.STRING,))
    worker = Worker(spec, tmp_path_factory.mktemp("inside") / "worker")
    try:
        worker.start()
        # What a process does only once is done here.
        coverage = worker.call(Run(), marshal([_input()])).coverage
        outcome = worker.call(Batch((encode_input((_input(),)),)), b"")
    finally:
        worker.close()
    assert coverage is not None and outcome.report is not None, outcome
    (result,) = outcome.report.results
    first = 8 * len(coverage) - CALL_FEATURES
    marks = [int(mark) - first for mark in result.features if mark >= first]
    calls, complete = parse_callers(result.stacks)
    assert complete
    return Inside(recording_of_trace(calls, marks, machine_arch()), _places(calls))


@pytest.fixture(scope="module")
def strace(spec: WorkerSpec, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    require_strace(stacks=True)
    recorder = StraceRecorder(spec, tmp_path_factory.mktemp("strace") / "scratch")
    return _second(recorder.record, recorder.close)


@pytest.fixture(scope="module")
def bpf(spec: WorkerSpec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    require_bpf()
    tracer = Tracer.open(slots=2)
    try:
        program = GoProgram.read(spec.binary)
        traced, scratch = TracedProgram.of(program), tmp_path_factory.mktemp("bpf") / "scratch"
        recorder = BpfRecorder(spec, scratch, tracer, traced, Symbolizer(program))
        yield _second(recorder.record, recorder.close)
    finally:
        tracer.close()


def _input() -> Value:
    return Value(GoType.STRING, STEPS.encode())


def _second(record: Callable[[bytes], Recording], close: Callable[[], None]) -> Recording:
    """The second recording: what a process does only once is in the first."""
    try:
        record(marshal([_input()]))
        return record(marshal([_input()]))
    finally:
        close()


def _places(calls: list[TracedCall]) -> dict[tuple[str, str, bool], set[str]]:
    found: dict[tuple[str, str, bool], set[str]] = {}
    for call in calls:
        what = feature(call.feature, machine_arch())
        key = (what.call, what.kind, what.outcome == "ok")
        found.setdefault(key, set()).update(_own(frames(call.stack)))
    return found


def _own(stack: tuple[str, ...]) -> set[str]:
    """The first frame of the module in *stack*, if there is one."""
    return set([frame for frame in stack if is_of_module(frame, [MODULE])][:1])


# -- the rules ----------------------------------------------------------------------------------


def without_the_runtime(counts: Counts) -> Counts:
    """What the runtime does for itself is chance: threads, sleeps, the collector."""
    mine = Counter({key: count for key, count in counts.items() if key[3] is not RUNTIME})
    assert {name for name, _, _, origin, _ in counts if origin is RUNTIME} <= OF_THE_RUNTIME
    return mine


def without_the_pollers(counts: Counts) -> Counts:
    """In-process: that the runtime registers a file with its poller, for whoever opened it, is
    not seen, since the runtime makes the call."""
    return Counter({key: count for key, count in counts.items() if key[0] != "epoll_ctl"})


def with_one_errno(counts: Counts) -> Counts:
    """In-process: refused and failed are not told apart."""
    merged: Counts = Counter()
    for (name, kind, outcome, origin, args), count in counts.items():
        merged[name, kind, FAILED if outcome is REFUSED else outcome, origin, args] += count
    return merged


def without_the_program_started(counts: Counts) -> Counts:
    """In-process: what a child does after its execve is not seen. What that is, strace tells of the
    program alone."""
    alone: Counts = Counter()
    for use in trace_process([CHILD], Path("/")).recording.uses:
        alone[use.name, use.kind, use.outcome, TARGET, use.args] += use.count
    alone["execve", "", BEGUN, TARGET, ()] -= 1
    assert +alone == +(alone & counts), "the child does more alone than under the recorder"
    return counts - alone


def without_handlers_reset(counts: Counts) -> Counts:
    """In-process: the runtime's calls in a child before its execve, and around the fork, are not
    seen: signals are blocked, and every handler is taken away."""
    reset = {"rt_sigaction", "rt_sigprocmask"}
    return Counter({key: count for key, count in counts.items() if key[0] not in reset})


def begun_if_none_came_back(counts: Counts) -> Counts:
    """In-process: one call of a name and kind that came back hides those that did not."""
    back = {(name, kind) for name, kind, outcome, *_ in counts if outcome is not BEGUN}
    return Counter(
        {key: n for key, n in counts.items() if key[2] is not BEGUN or key[:2] not in back}
    )


def without_services_of_fork(counts: Counts) -> Counts:
    """The runtime blocks signals around a fork: by its stack that is the forking function's call,
    by its address alone, which is all that strace looks at there, the runtime's."""
    return Counter({key: count for key, count in counts.items() if key[0] != "rt_sigprocmask"})


def apply(counts: Counts, *rules: Callable[[Counts], Counts]) -> Counts:
    for rule in rules:
        before, counts = counts, +rule(counts)
        assert counts != before, f"{rule.__name__} explains nothing: take it out"
    return counts


IN_PROCESS = (
    without_the_runtime,
    without_the_pollers,
    with_one_errno,
    without_the_program_started,
    without_handlers_reset,
    begun_if_none_came_back,
)


# -- the comparison -----------------------------------------------------------------------------


def test_strace_sees_what_in_process_sees(inside: Inside, strace: Recording) -> None:
    assert strace.complete, strace.problem
    assert apply(counts_of(strace), *IN_PROCESS) == counts_of(inside.recording)


def test_bpf_sees_what_in_process_sees(inside: Inside, bpf: Recording) -> None:
    assert bpf.complete, bpf.problem
    assert apply(counts_of(bpf), *IN_PROCESS) == counts_of(inside.recording)


def test_bpf_sees_what_strace_sees(strace: Recording, bpf: Recording) -> None:
    rules = (without_the_runtime, without_services_of_fork)
    assert apply(counts_of(bpf), *rules) == apply(counts_of(strace), *rules)


def test_in_process_sees_what_the_program_does(inside: Inside) -> None:
    found = without_values(counts_of(inside.recording))
    for (name, kind, outcome), count in MADE.items():
        told = FAILED if outcome is REFUSED else outcome
        assert found[name, kind, told, TARGET] == count, (name, kind, outcome)
    assert inside.recording.problem == (
        "it started a process (clone), whose calls are not seen in-process"
    )


@pytest.mark.parametrize("recorder", ["strace", "bpf"])
def test_tracers_see_what_the_program_does(recorder: str, request: pytest.FixtureRequest) -> None:
    found = without_values(counts_of(request.getfixturevalue(recorder)))
    for (name, kind, outcome), count in MADE.items():
        assert found[name, kind, outcome, TARGET] == count, (name, kind, outcome)
    assert found["mkdirat", "", OK, HARNESS] == 2
    assert found["mkdirat", "", OK, TARGET] == 0


@pytest.mark.parametrize("recorder", ["inside", "strace", "bpf"])
def test_recorders_tell_the_values(recorder: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(recorder)
    recording: Recording = found.recording if isinstance(found, Inside) else found
    seen: dict[str, set[tuple[int, ...]]] = {name: set() for name in VALUES}
    for use in recording.uses:
        if use.name in VALUES and use.origin is TARGET:
            seen[use.name].add(use.args)
    assert seen == VALUES
    silent = {use.name for use in recording.uses if not use.args} & DECIDING.keys()
    assert not silent, "every call that has values tells them"


@pytest.mark.parametrize(("recorder", "hidden"), [("strace", {"routines"}), ("bpf", set())])
def test_stacks_lead_to_the_same_lines(
    recorder: str, hidden: set[str], inside: Inside, request: pytest.FixtureRequest
) -> None:
    """Where calls of one use come from several places, which one a recorder keeps is chance.

    Getppid enters the kernel in a function without a frame, whose caller frame pointers, and so
    strace, step over.
    """
    recording: Recording = request.getfixturevalue(recorder)
    lines: set[str] = set()
    for use in recording.uses:
        own = _own(use.stack)
        if use.origin is not TARGET or not own:
            continue
        places = inside.places.get((use.name, use.kind, use.outcome is OK))
        if places is None or use.outcome is BEGUN:  # only what the rules above take away
            assert use.name in {"epoll_ctl", "rt_sigaction", "rt_sigprocmask", "execve"}, use
        else:
            assert own <= places, use
            lines |= own
    steps = {line.removeprefix(f"{MODULE}.").partition(" ")[0].split(".")[0] for line in lines}
    assert steps == set(STEPS.split()) - {"tempdir", "collect"} - hidden
    assert all("/known.go:" in line for line in lines)
