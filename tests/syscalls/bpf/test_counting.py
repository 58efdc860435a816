"""What the kernel's half counts of any process: numbers, classes, endings, places; and what it says
when it could not."""

from __future__ import annotations

import mmap
import random
import shutil
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError, UsageError
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import DECIDING, MOST_VALUES, values_of
from gofuzzsec.syscalls.bpf import maps
from gofuzzsec.syscalls.bpf.evidence import recording_of
from gofuzzsec.syscalls.bpf.program import Sizes
from gofuzzsec.syscalls.bpf.tracer import KernelCall, Mode, TracedProgram, Tracer
from gofuzzsec.syscalls.classes import TABLE, class_of
from gofuzzsec.syscalls.model import Origin
from tests.requirements import missing, require_bpf
from tests.syscalls.bpf.truths import SOURCES, Truth

ARCH = table.machine_arch()
NOWHERE = 2**64 - 1
# First arguments with which a call fails before it does anything, whatever the others are.
HARMLESS = {
    "ioctl": {0: NOWHERE},
    "fcntl": {0: NOWHERE},
    "setsockopt": {0: NOWHERE},
    "getsockopt": {0: NOWHERE},
    "openat": {0: NOWHERE, 1: 0},
    "unlinkat": {0: NOWHERE, 1: 0},
    "mprotect": {0: 1, 1: 4096},
    "mmap": {0: 0, 1: 0},
}


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> TracedProgram:
    compiler = shutil.which("gcc")
    if compiler is None:
        missing("a C compiler")
    path = tmp_path_factory.mktemp("caller") / "caller"
    subprocess.run([compiler, "-O1", "-o", path, SOURCES / "caller.c"], check=True)
    return TracedProgram(path, None)


def lines_of(calls: Sequence[tuple[str, Sequence[int]]]) -> str:
    numbers = {call: table.number(call, ARCH) for call, _ in calls}
    return "".join(f"- {numbers[call]} {' '.join(map(str, args))}\n" for call, args in calls)


def recorded(tracer: Tracer, caller: TracedProgram, lines: str) -> list[KernelCall]:
    following = tracer.follow(caller, Mode.PROCESS)
    claim = following.claim()
    subprocess.run([caller.path], input=lines.encode(), preexec_fn=claim, check=True)
    calls = following.take()
    assert following.problems() == ()
    following.close()
    return calls


def test_classes_are_those_of_the_table(tracer: Tracer, caller: TracedProgram) -> None:
    chance = random.Random(4)
    calls: list[tuple[str, list[int]]] = []
    for classes in TABLE:
        for name in set(classes.calls) & set(HARMLESS):
            cases = [case for rule in classes.rules for case in rule.cases]
            for case in [*cases, (), ()]:
                args = [chance.choice([0, 1, 2, chance.getrandbits(64)]) for _ in range(4)]
                for test in case:
                    args[test.arg] = test.bits(ARCH) if test.value is None else test.value
                for position, value in HARMLESS[name].items():
                    args[position] = value
                calls.append((name, args))
    expected = Counter(
        (table.number(name, ARCH), class_of(name, args, ARCH)) for name, args in calls
    )
    seen: Counter[tuple[int | None, int]] = Counter()
    for call in recorded(tracer, caller, lines_of(calls)):
        if call.ending in ("failed", "refused") and call.number in {key[0] for key in expected}:
            seen[call.number, call.kind] += call.count
    assert seen == expected
    assert len(expected) > 50


def test_values_are_those_of_the_table(tracer: Tracer, caller: TracedProgram) -> None:
    chance = random.Random(5)
    calls: list[tuple[str, list[int]]] = []
    for name, specs in DECIDING.items():
        if name not in HARMLESS:
            continue
        for _ in range(3):
            args = [chance.getrandbits(64) for _ in range(4)]
            args[specs[0].arg] = chance.choice([1, 2, 4, 0xFFFF_FFFF_0000_0003])
            for position, value in HARMLESS[name].items():
                args[position] = value
            calls.append((name, args))
    expected = Counter((name, values_of(name, tuple(args))) for name, args in calls)
    seen = told(recorded(tracer, caller, lines_of(calls)), {name for name, _ in calls})
    assert seen == expected
    assert len(expected) >= 20


def told(calls: Sequence[KernelCall], names: set[str]) -> Counter[tuple[str, tuple[int, ...]]]:
    """The values of what failed among *names*."""
    seen: Counter[tuple[str, tuple[int, ...]]] = Counter()
    for use in recording_of(calls, None, test_binary=False).uses:
        if use.name in names and use.outcome in ("failed", "refused"):
            seen[use.name, use.args] += use.count
    return seen


def test_too_many_values_are_not_told(tracer: Tracer, caller: TracedProgram) -> None:
    requests = [("ioctl", (NOWHERE, request)) for request in range(MOST_VALUES + 20)]
    calls = [*requests, *requests, ("fcntl", (NOWHERE, 1))]
    lines = lines_of([(name, (*args, 0, 0)) for name, args in calls])
    seen = told(recorded(tracer, caller, lines), {"ioctl", "fcntl"})
    assert seen["ioctl", ()] == 40
    assert len(seen) == MOST_VALUES + 2
    assert seen["fcntl", (1,)] == 1
    # All of it is forgotten with the Following.
    assert not [
        key
        for key, _ in tracer.program.map("told").items()
        if maps.TELLING_KEY.unpack(key)[1] == table.number("ioctl", ARCH)
    ]
    again = told(recorded(tracer, caller, lines_of([("ioctl", (NOWHERE, 9, 0, 0))])), {"ioctl"})
    assert again == {("ioctl", (9,)): 1}


def test_flags_of_clone3_are_read(tracer: Tracer, caller: TracedProgram) -> None:
    flags = (0x10000, 0x4100, 0x10000000, 0)
    calls = recorded(tracer, caller, "".join(f"3 {each} 0 0 0 0\n" for each in flags))
    number = table.number("clone3", ARCH)
    kinds = {call.kind for call in calls if call.number == number}
    assert kinds == {class_of("clone", (each,), ARCH) for each in flags}
    assert len(kinds) == 4


@pytest.mark.skipif(ARCH != "amd64", reason="this entry is x86's")
def test_calls_of_other_tables_are_told_apart(tracer: Tracer, caller: TracedProgram) -> None:
    getppid_of_32_bit, x32_getppid = 64, 0x40000000 | 110
    lines = f"c {getppid_of_32_bit} 0 0 0 0\n- {x32_getppid} 0 0 0 0\n- 110 0 0 0 0\n"
    calls = recorded(tracer, caller, lines)
    assert {call.number for call in calls if call.compat} == {getppid_of_32_bit, x32_getppid}
    recording = recording_of(calls, None, test_binary=False)
    assert not recording.complete
    assert "32-bit or x32" in recording.problem
    assert [use.count for use in recording.uses if use.name == "getppid"] == [1]
    assert not any(use.name == "semget" for use in recording.uses)  # 64 of the 64-bit table


def test_a_number_without_a_name(tracer: Tracer, caller: TracedProgram) -> None:
    calls = recorded(tracer, caller, "- 999 1 2 3 4\n")
    recording = recording_of(calls, None, test_binary=False)
    (use,) = (use for use in recording.uses if use.name == "syscall_0x3e7")
    assert (use.count, use.outcome, use.origin) == (1, "refused", Origin.TARGET)
    assert "no name" in recording.problem


def test_nothing_before_the_program_but_its_execve(tracer: Tracer, caller: TracedProgram) -> None:
    following = tracer.follow(caller, Mode.PROCESS)
    steps = following.claim()

    def prepare() -> None:
        steps()
        for _ in range(1000):
            mmap.mmap(-1, 4096).close()

    subprocess.run([caller.path], input=b"", preexec_fn=prepare, check=True)
    calls = following.take()
    munmaps = sum(c.count for c in calls if c.number == table.number("munmap", ARCH))
    assert munmaps < 10
    execve = table.number("execve", ARCH)
    (start,) = (call for call in calls if call.number == execve)
    assert (start.ending, start.count) == ("begun", 1)
    assert sum(c.count for c in calls if c.number == table.number("exit_group", ARCH)) == 1
    following.close()


def test_nobody_else_is_followed(tracer: Tracer, caller: TracedProgram) -> None:
    following = tracer.follow(caller, Mode.PROCESS)
    subprocess.run([caller.path], input=b"- 110 0 0 0 0\n", check=True)
    assert following.claims == 0
    assert following.take() == []
    claim = following.claim()
    following.close()
    again = tracer.follow(caller, Mode.PROCESS)  # has the slot, but not the process
    subprocess.run([caller.path], input=b"", preexec_fn=claim, check=True)
    assert again.take() == []
    again.close()


def totals(calls: Sequence[KernelCall]) -> Counter[tuple[int, str, tuple[int, ...]]]:
    counts: Counter[tuple[int, str, tuple[int, ...]]] = Counter()
    for call in calls:
        counts[call.number, call.ending, call.addresses] += call.count
    return counts


def test_looking_keeps_and_taking_forgets(tracer: Tracer, truth: Truth) -> None:
    following = tracer.follow(truth.traced, Mode.PROCESS)
    with subprocess.Popen(
        [truth.path, "stay", "100"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=following.claim(),
    ) as process:
        assert process.stdout is not None and process.stdout.readline()
        early = totals(following.look())
        process.communicate(b"x")
    late = totals(following.look())
    assert early.total() > 100 and early <= late
    assert totals(following.take()) == late
    assert following.take() == following.look() == []
    following.close()


def test_a_marks_page_shows_what_the_agent_cannot_see(tracer: Tracer, truth: Truth) -> None:
    following = tracer.follow(truth.traced, Mode.PROCESS, marked=True, live=True)
    with mmap.mmap(following.page_fd(), maps.PAGE_SIZE, offset=following.page_offset) as page:
        page[:8] = struct.pack("<Q", 7 << 32)
        truth.run(following, "nested", "1")
        futex, getppid = table.number("futex", ARCH), table.number("getppid", ARCH)
        clone = table.number("clone", ARCH)
        assert futex is not None and getppid is not None and clone is not None
        marks = struct.unpack_from("<512Q", page, 192)
        dirty = struct.unpack_from("<16Q", page, 64)
    thread = 3 * class_of("clone", (0x50F00,), ARCH)
    assert marks[clone] == 7 << 32 | 1 << thread | 1 << (thread + 1)  # begun, came back
    assert dirty[clone // 32] >> 32 == 7 and dirty[clone // 32] >> clone % 32 & 1
    assert all(word >> 32 in (0, 7) for word in marks)
    following.close()


def test_full_maps_are_problems(truth: Truth) -> None:
    require_bpf()
    tracer = Tracer.open(sizes=Sizes(slots=1, stacks=2, goroutines=4, threads=3, tasks=1))
    try:
        following = tracer.follow(truth.traced, Mode.PROCESS)
        truth.run(following, "spread", "640")
        problems = following.problems()
        following.close()
        following = truth.follow(tracer)
        truth.run(following, "spread", "640")
        problems += following.problems()
        for what in ("call stacks", "goroutines or windows", "processes", "threads"):
            assert any(what in each and "for lack of room" in each for each in problems), what
        recording = recording_of(following.take(), None, test_binary=False, problems=problems)
        assert not recording.complete
    finally:
        tracer.close()


def test_slots_and_goroutines_come_back(truth: Truth) -> None:
    require_bpf()
    tracer = Tracer.open(sizes=Sizes(slots=1, goroutines=64))
    try:
        one = truth.follow(tracer)
        with pytest.raises(RecorderError, match="free slot"):
            truth.follow(tracer)
        one.close()
        one.close()
        with pytest.raises(RecorderError, match="closed"):
            one.problems()
        truth.follow(tracer).close()
        with pytest.raises(UsageError, match="functions to capture"):
            tracer.follow(truth.traced, Mode.FUNCTIONS)
        with pytest.raises(UsageError, match="Go program"):
            tracer.follow(TracedProgram(Path(sys.executable), None), Mode.INPUTS)
        last = truth.follow(tracer)  # closed with the tracer
        truth.run(last, "goexit", "1")  # 200 goroutines end inside
        assert last.problems() == ()
    finally:
        tracer.close()
        tracer.close()
