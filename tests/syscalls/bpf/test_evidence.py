"""From counted calls to a recording: names, origins, merging."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.bpf.calls import Ending, KernelCall, Where
from gofuzzsec.syscalls.bpf.evidence import origin_of, recording_of
from gofuzzsec.syscalls.bpf.symbolize import Symbolizer
from gofuzzsec.syscalls.bpf.tracer import Mode, Tracer
from gofuzzsec.syscalls.model import CallOutcome, Origin, SyscallUse
from tests.syscalls.bpf.truths import Truth

ARCH = table.machine_arch()
CALL = KernelCall(
    number=table.number("getppid", ARCH) or 0,
    kind=0,
    ending=Ending.OK,
    place=Where.CHILD,
    windows=1,
    process=0,
    compat=False,
    addresses=(),
    caller=0,
    stack_lost=False,
    count=3,
)


def use(*calls: KernelCall) -> SyscallUse:
    (found,) = recording_of(calls, None, test_binary=True).uses
    return found


def test_calls_of_children_are_the_targets() -> None:
    assert use(CALL) == SyscallUse("getppid", Origin.TARGET, 3, outcome=CallOutcome.OK)


@pytest.mark.parametrize("place", [Where.STARTUP, Where.SCHEDULER])
def test_what_only_the_runtime_can_have_made(place: Where) -> None:
    assert use(replace(CALL, place=place)).origin is Origin.RUNTIME


def test_a_goroutine_without_a_stack_is_nobodys() -> None:
    assert use(replace(CALL, place=Where.GOROUTINE)).origin is Origin.UNKNOWN
    assert use(replace(CALL, place=Where.C)).origin is Origin.TARGET


def test_code_of_libraries_on_no_goroutine() -> None:
    foreign = replace(CALL, place=Where.SCHEDULER, addresses=(0, 0))
    symbolizer = Symbolizer(None)
    assert origin_of(foreign, "getppid", symbolizer, test_binary=True) is Origin.UNKNOWN
    assert origin_of(foreign, "clone3", symbolizer, test_binary=True) is Origin.RUNTIME


def test_what_is_outside_is_not_stable_and_adds_to_nothing_inside() -> None:
    outside = replace(CALL, windows=0, count=40)
    assert use(outside) == replace(use(CALL), count=40, stable=False)
    assert use(outside, CALL, outside) == use(CALL)


def test_interrupted_calls_count_only_where_nothing_else_shows_them() -> None:
    interrupted = replace(CALL, ending=Ending.INTERRUPTED, count=5)
    assert use(interrupted, CALL) == use(CALL)
    assert use(interrupted).outcome is CallOutcome.BEGUN
    failed = replace(CALL, ending=Ending.FAILED, place=Where.SCHEDULER)
    recording = recording_of([interrupted, failed], None, test_binary=True)
    assert {each.origin for each in recording.uses} == {Origin.TARGET, Origin.RUNTIME}


def test_problems_make_it_incomplete() -> None:
    recording = recording_of([CALL], None, test_binary=True, problems=("one", "two", "one"))
    assert (recording.complete, recording.problem) == (False, "one; two")


def test_a_whole_program(tracer: Tracer, truth: Truth) -> None:
    following = tracer.follow(truth.traced, Mode.PROCESS)
    subprocess.run(
        [truth.path, "nested", "40"], preexec_fn=following.claim(), check=True, capture_output=True
    )
    symbolizer = Symbolizer(truth.program)
    recording = recording_of(
        following.take(), symbolizer, test_binary=False, problems=following.problems()
    )
    following.close()
    assert recording.complete
    uses = {(use.name, use.kind, use.outcome): use for use in recording.uses}
    getuid = uses["getuid", "", CallOutcome.OK]
    assert getuid.origin is Origin.TARGET
    # The stub has no frame, so that a walk by frame pointers misses its caller.
    functions = [frame.partition(" ")[0] for frame in getuid.stack]
    assert functions[:2] == ["syscall.rawSyscallNoError", "syscall.Getuid"]
    assert {"main.traced", "main.second"} & set(functions) and "main.main" in functions
    assert any("/calls.go:" in frame for frame in getuid.stack)
    assert uses["ptrace", "attach", CallOutcome.REFUSED].origin is Origin.TARGET
    assert {u.origin for u in recording.uses if u.name in ("futex", "clone")} == {Origin.RUNTIME}
    (end,) = (use for use in recording.uses if use.name == "exit_group")
    assert end.outcome is CallOutcome.BEGUN
    starts = [use for use in recording.uses if use.name == "execve"]
    assert [start.origin for start in starts] == [Origin.RUNTIME]
