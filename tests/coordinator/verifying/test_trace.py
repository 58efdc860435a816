"""Reading strace's lines for refused calls."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.model import Refusal
from gofuzzsec.coordinator.verifying.refusals import Refusals, blamed, of_harness, united
from gofuzzsec.coordinator.verifying.trace import RefusalReader
from gofuzzsec.seccomp.effect import Verdict
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule, plain
from gofuzzsec.syscalls.attribution import StackFrame
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.trace import Frame

BINARY = "/tmp/m.test"


def profile(action: Action, errno: int | None = None) -> Profile:
    """Does *action* with mkdirat, getpriority of processes, and calls without a name."""
    rules = (
        Rule(("mkdirat", "listmount"), action, errno),
        Rule(("getpriority",), action, errno, (Condition(0, Op.EQ, 0),)),
    )
    return Profile(Action.ALLOW, rules=rules, architectures=("SCMP_ARCH_X86_64",))


@cache
def judge_of(action: Action, errno: int | None) -> Judge:
    return Judge(profile(action, errno), "amd64")


def frames(frame: Frame) -> tuple[StackFrame, ...]:
    return (StackFrame(frame.function, go=frame.module == BINARY, place="x.go:1"),)


def read(
    lines: list[str], action: Action = Action.ERRNO, errno: int | None = None, **options: bool
) -> list[Refusal]:
    judge = judge_of(action, errno)
    chosen = {"filtered": False, "test_binary": True, **options}
    reader = RefusalReader(judge, BINARY, frames, **chosen)
    for line in lines:
        reader.line(line)
    return reader.take(over=True)


def test_a_call_with_the_profiles_errno_and_its_stack() -> None:
    (found,) = read(
        [
            "7 [000000000040b62e] mkdirat(0xffffff9c, 0xc000010c20, 0x1ff) = -1 EPERM (Oper...)",
            f" > {BINARY}(syscall.Mkdirat+0x5) [0x10]",
            f" > {BINARY}(example.org/m.Do+0x5) [0x20]",
            "7 [000000000040b62e] getpriority(0x1, 0) = 0x14",
            f" > {BINARY}(example.org/m.Other+0x5) [0x20]",
        ]
    )
    assert (found.name, found.args) == ("mkdirat", (0xFFFFFF9C, 0xC000010C20, 0x1FF))
    assert found.verdict == Verdict(Action.ERRNO, 1)
    assert found.path == ("syscall.Mkdirat x.go:1", "example.org/m.Do x.go:1")
    assert (found.origin, found.enforced, found.program) == (Origin.TARGET, True, "")


def test_the_same_errno_from_the_kernel_is_no_refusal() -> None:
    assert read(["7 [000000000040b62e] getpriority(0x1, 0) = -1 EPERM (Operation...)"]) == []


@pytest.mark.parametrize(
    ("action", "errno", "result", "enforced"),
    [
        (Action.ERRNO, 13, "-1 EACCES (Permission denied)", True),
        (Action.ERRNO, 13, "-1 EPERM (Operation not permitted)", False),
        (Action.ERRNO, 13, "0", False),
        (Action.TRACE, 5, "-1 ENOSYS (Function not implemented)", True),
        (Action.NOTIFY, None, "-1 EPERM (Operation not permitted)", False),
        (Action.KILL_PROCESS, None, "0x102", True),
        (Action.KILL_THREAD, None, "?", True),
        (Action.TRAP, None, "-1 EPERM (Operation not permitted)", False),
    ],
)
def test_whether_the_kernel_did_it(
    action: Action, errno: int | None, result: str, enforced: bool
) -> None:
    line = f"7 [000000000040b62e] mkdirat(0xffffff9c, 0x1, 0x1ff) = {result}"
    (found,) = read([line], action, errno)
    assert found.enforced is enforced
    assert found.origin is Origin.UNKNOWN  # no stack


def test_calls_that_are_interrupted_in_the_trace() -> None:
    lines = [
        "7 [000000000040b62e] mkdirat(0xffffff9c, 0x1, 0x1ff <unfinished ...>",
        "8 [000000000040b62e] getpriority(0, 0 <unfinished ...>",
        "7 [000000000040b62e] <... mkdirat resumed>) = -1 EPERM (Operation not permitted)",
        "9 [000000000040b62e] <... read resumed>) = 0",
        "8 [????????????????] +++ killed by SIGSYS +++",
    ]
    first, second = read(lines)
    assert (first.name, first.enforced) == ("mkdirat", True)
    assert second.name == "getpriority"  # of a thread that never came back


def test_nothing_counts_before_the_filter() -> None:
    mkdir = "7 [000000000040b62e] mkdirat(0xffffff9c, 0x1, 0x1ff) = -1 EPERM (Oper...)"
    load = "7 [000000000040b62e] seccomp(0x1, 0, 0x7a0000000100) = {}"
    assert read([mkdir, load.format("-1 EINVAL (Invalid argument)"), mkdir], filtered=True) == []
    (found,) = read([mkdir, load.format("0"), mkdir, mkdir], filtered=True)
    assert found.count == 2


def test_calls_by_other_gates_and_without_names() -> None:
    gate = "7 [0040b62e] mkdir(0x1, 0x1ff) = ?"
    (found,) = read([gate])
    assert found.verdict.action is Action.KILL_THREAD
    opened = Profile(Action.ALLOW, architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"))
    assert Judge(opened, "amd64").refuses("mkdir", (), native=False) is None
    (newer,) = read(["7 [000000000040b62e] syscall_0x1ca(0x1, 0x2) = -1 EPERM (Operation ...)"])
    assert newer.name == "listmount"
    strict = Judge(plain(["read"], "amd64"), "amd64")
    reader = RefusalReader(strict, BINARY, frames, filtered=False, test_binary=True)
    reader.line("7 [000000000040b62e] syscall_0xfff(0x1) = -1 EPERM (Operation not permitted)")
    assert [each.name for each in reader.take()] == ["syscall_0xfff"]
    assert strict.artefacts == ("restart_syscall", "uprobe", "uretprobe")


def test_what_is_answered_with_enosys_is_not_refused() -> None:
    rules = (Rule(("clone3",), Action.ERRNO, errno=38), Rule(("bpf",), Action.ERRNO, errno=1))
    judge = Judge(Profile(Action.KILL_PROCESS, rules=rules), "amd64")
    assert judge.steered == ("clone3",)
    assert judge.refuses("clone3", (1, 2)) is None
    assert judge.refuses("bpf", ()) == Verdict(Action.ERRNO, 1)
    # Where everything is answered so, nothing is meant to be made in another way.
    everything = Judge(Profile(Action.ERRNO, 38), "amd64")
    assert everything.steered == ()
    assert everything.refuses("clone3", ()) == Verdict(Action.ERRNO, 38)


def test_a_started_process_is_named() -> None:
    lines = [
        "9 [00007f16b1b1f829] mkdirat(0xffffff9c, 0x1, odd) = -1 EPERM (Operation not permitted)",
        " > /usr/lib/libc.so.6(mkdirat+0x5) [0x10]",
        " > /usr/bin/mkdir(main+0x5) [0x20]",
    ]
    (found,) = read(lines)
    assert (found.program, found.origin, found.args) == ("/usr/bin/mkdir", Origin.TARGET, ())


@given(st.lists(st.text(max_size=80), max_size=20))
def test_no_trace_breaks_it(lines: list[str]) -> None:
    read(lines)
    read([f"7 [000000000040b62e] mkdirat({line}) = {line}" for line in lines], filtered=False)


def test_refusals_are_counted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Refusal("mkdirat", (1,), Verdict(Action.ERRNO, 1), Origin.TARGET, ("a x.go:1",))
    other = Refusal("mkdirat", (2,), Verdict(Action.ERRNO, 1), Origin.HARNESS, ("b x.go:1",))
    assert [each.count for each in united([one, other, one, one])] == [3, 1]
    assert blamed([other, one, one])[0].count == 2
    assert of_harness([one, other]) == {"mkdirat": ("b x.go:1",)}
    monkeypatch.setattr("gofuzzsec.coordinator.verifying.refusals._MOST", 1)
    full = Refusals()
    for each in (one, other, one):
        full.add(each)
    assert [each.count for each in full.take()] == [2]
