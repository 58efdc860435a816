"""Brackets, places and leftovers, over traces written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.syscalls.brackets import Bracket
from gofuzzsec.syscalls.places import Place, Places, Sighting
from gofuzzsec.syscalls.sightings import Observer
from gofuzzsec.syscalls.symbols import Segment, Symbols
from gofuzzsec.syscalls.trace import parse_line

BINARY = "/tmp/m.test"
RUNTIME, STUB, SYSCALL, C = 0x1000, 0x2000, 0x3000, 0x7F0000001000
SYMBOLS = Symbols(
    [
        (RUNTIME, 0x100, b"runtime.futex.abi0"),
        (STUB, 0x100, b"internal/runtime/syscall.Syscall6"),
        (SYSCALL, 0x100, b"syscall.rawVforkSyscall"),
        (0x4000, 0x100, b"_cgo_sys_thread_start"),
    ],
    (Segment(0, 0x1000, 0x10000),),
    position_independent=False,
)
REQUEST = f"1 [{STUB:016x}] read(0x3, 0xc0, 0x200) = 0x43"
REPLY = f"1 [{STUB:016x}] write(0x4, 0xc0, 0x100) = 0x100"
START = f"1 [{C:016x}] execve(0x1, 0x2, 0x3) = 0"


def line(ip: int, call: str, tid: int = 1) -> str:
    return f"{tid} [{ip:016x}] {call}"


def observe(*lines: str, bracketed: bool = True) -> Observer:
    observer = Observer(
        Places(SYMBOLS),
        BINARY,
        "amd64",
        bracketed=bracketed,
        key_of=lambda stack: ">".join(frame.function for frame in stack),
    )
    for text in (START, *lines):
        observer.observe(parse_line(text, BINARY))
    observer.flush()
    return observer


def counts(bracket: Bracket) -> dict[str, int]:
    return {f"{s.name} {s.place.value}": count for s, count in bracket.counts.items()}


def test_calls_between_request_and_reply_are_the_inputs() -> None:
    observer = observe(
        line(STUB, "mkdirat(0, 0) = 0"),
        REQUEST,
        line(STUB, "openat(0, 0) = 0x8"),
        line(STUB, "openat(0, 0) = -1 ENOENT (No such file)"),
        line(RUNTIME, "futex(0, 0) = 0"),
        line(C, "mknodat(0, 0) = 0"),
        line(SYSCALL, "clone(0x4111, 0) = 0x5"),
        REPLY,
        line(STUB, "rmdir(0) = 0"),
    )
    assert observer.closed == 1
    assert counts(observer.take()) == {
        "openat go": 2,
        "futex runtime": 1,
        "mknodat foreign": 1,
        "clone go": 1,
    }
    assert counts(observer.take_stray()) == {"rmdir go": 1}


def test_what_comes_before_the_first_request_is_nobodys_input() -> None:
    observer = observe(line(STUB, "mkdirat(0, 0) = 0"), REQUEST, REPLY)
    assert counts(observer.take_stray()) == {}


def test_a_reply_is_whole_only_when_all_of_it_is_written() -> None:
    observer = observe(
        REQUEST,
        line(STUB, "write(0x4, 0xc0, 0x100) = 0x60"),
        line(STUB, "write(0x4, 0xc0, 0xa0) = -1 EAGAIN (Resource temporarily unavailable)"),
        line(STUB, "getuid() = 0"),
    )
    assert observer.is_open
    observer.observe(parse_line(line(STUB, "write(0x4, 0xc0, 0xa0 <unfinished ...>")))
    observer.observe(parse_line(line(STUB, "<... write resumed>) = 0xa0")))
    assert not observer.is_open
    assert counts(observer.take()) == {"getuid go": 1}


def test_an_empty_read_of_the_request_pipe_opens_nothing() -> None:
    observer = observe(line(STUB, "read(0x3, 0xc0, 0x200) = 0"))
    assert observer.opened == 0


def test_other_descriptors_are_the_targets_own() -> None:
    observer = observe(REQUEST, line(STUB, "read(0x9, 0, 0x10) = 0x10"), REPLY)
    assert counts(observer.take()) == {"read go": 1}


def test_children_are_told_from_threads() -> None:
    observer = observe(
        REQUEST,
        line(SYSCALL, "clone(0x4111, 0) = 0x5"),
        line(C, "execve(0, 0, 0) = 0", tid=5),
        line(C, "read(0x3, 0, 0x10) = 0x10", tid=5),
        line(C, "write(0x4, 0, 0x10) = 0x10", tid=5),
        line(RUNTIME, "clone(0x50f00, 0) = 0x6"),
        line(STUB, "getuid() = 0", tid=6),
        line(STUB, "getgid() = 0", tid=99),
        REPLY,
    )
    assert counts(observer.take()) == {
        "clone go": 1,
        "execve child": 1,
        "read child": 1,
        "write child": 1,
        "clone runtime": 1,
        "getuid go": 1,
        "getgid untold": 1,
    }


def test_a_child_of_an_earlier_input_is_not_the_next_ones() -> None:
    observer = observe(
        REQUEST,
        line(SYSCALL, "clone(0x4111, 0) = 0x5"),
        REPLY,
        REQUEST,
        line(C, "chmod(0, 0) = 0", tid=5),
        REPLY,
    )
    assert counts(observer.take()) == {}
    assert counts(observer.take_stray()) == {"chmod child": 1}


def test_the_runtimes_poller_is_known_by_its_making() -> None:
    observer = observe(
        REQUEST,
        line(STUB, "epoll_create1(0x80000) = 0x6"),
        line(STUB, "eventfd2(0, 0x80800) = 0x7"),
        line(STUB, "epoll_ctl(0x6, 0x1, 0x7, 0) = 0"),
        line(STUB, "epoll_ctl(0x6, 0x1, 0x8, 0) = 0"),
        line(STUB, "epoll_pwait(0x6, 0, 0x80, 0, 0, 0) = 0"),
        line(STUB, "epoll_pwait(0x9, 0, 0x80, 0, 0, 0) = 0"),
        line(STUB, "epoll_create1(0) = 0x9"),
        REPLY,
    )
    assert counts(observer.take()) == {
        "epoll_create1 runtime": 1,
        "eventfd2 runtime": 1,
        "epoll_ctl runtime": 1,
        "epoll_ctl go": 1,
        "epoll_pwait runtime": 1,
        "epoll_pwait go": 1,
        "epoll_create1 go": 1,
    }


def test_also_as_go_1_21_makes_it() -> None:
    observer = observe(
        REQUEST,
        line(STUB, "epoll_create1(0x80000) = 0x6"),
        line(RUNTIME, "pipe2(0, 0x80800) = 0"),
        line(STUB, "epoll_ctl(0x6, 0x1, 0x7, 0) = 0"),
        line(STUB, "epoll_pwait(0x6, 0, 0x80, 0, 0, 0) = 0"),
        REPLY,
    )
    assert {sighting.place for sighting in observer.take().counts} == {Place.RUNTIME}


def test_a_first_poller_of_the_targets_is_not_taken_for_it() -> None:
    observer = observe(
        REQUEST,
        line(STUB, "epoll_create1(0) = 0x6"),
        line(STUB, "epoll_pwait(0x6, 0, 0x80, 0, 0, 0) = 0"),
        REPLY,
    )
    assert counts(observer.take()) == {"epoll_create1 go": 1, "epoll_pwait go": 1}


def test_threads_started_through_the_c_library_are_the_runtimes() -> None:
    observer = observe(
        REQUEST,
        line(C, "rt_sigprocmask(0, 0) = 0"),
        line(C, "clone3({flags=0x10100}, 88) = 6"),
        line(C, "rseq(0, 0x20) = 0", tid=6),
        line(RUNTIME, "sigaltstack(0, 0) = 0", tid=6),
        REPLY,
    )
    assert counts(observer.take()) == {
        "rt_sigprocmask runtime": 1,
        "clone3 runtime": 1,
        "rseq runtime": 1,
        "sigaltstack runtime": 1,
    }


@pytest.mark.parametrize("name", ["restart_syscall", "uprobe", "uretprobe"])
def test_the_kernels_own_calls_are_never_counted(name: str) -> None:
    number = {"uprobe": "syscall_0x150", "uretprobe": "syscall_0x14f"}.get(name, name)
    observer = observe(REQUEST, line(STUB, f"{number}(0) = 0"), REPLY)
    bracket = observer.take()
    assert counts(bracket) == {}
    assert bracket.problems == []


def test_a_call_newer_than_strace_gets_its_name() -> None:
    observer = observe(REQUEST, line(STUB, "syscall_0x1c3(0, 0) = -1 EFAULT (Bad address)"), REPLY)
    assert counts(observer.take()) == {"cachestat go": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (line(STUB, "syscall_0x3e7(0) = -1 ENOSYS (Function not implemented)"), "number 999"),
        (line(STUB, "syscall_0xffffffffffffffff(0) = -1 ENOSYS (x)"), "number -1"),
        (line(STUB, "teleport(0) = 0"), "'teleport'"),
        ("1 [561b7f4e] getpid() = 0x6fee", "32-bit"),
        ("1 openat(half a line", "half a line"),
    ],
)
def test_what_cannot_be_named_is_a_problem_not_dropped(text: str, problem: str) -> None:
    bracket = observe(REQUEST, text, REPLY).take()
    assert len(bracket.problems) == 1
    assert problem in bracket.problems[0]


def test_a_call_cut_off_by_death_is_no_problem() -> None:
    observer = observe(REQUEST, line(STUB, "syscall_0xfffffffffffffffe(0 <unfinished ...>"))
    assert observer.take().problems == []


def test_problems_are_bounded() -> None:
    bracket = observe(REQUEST, *(line(STUB, f"name{n}(0) = 0") for n in range(1000)), REPLY).take()
    assert len(bracket.problems) == 20


def test_stacks_belong_to_the_call_that_ended() -> None:
    observer = observe(
        REQUEST,
        line(RUNTIME, "clone(0x50f00, 0) = 0x6"),
        line(STUB, "openat(0, 0 <unfinished ...>"),
        line(RUNTIME, "futex(0) = 0", tid=6),
        " > /tmp/m.test(runtime.futex.abi0+0x10) [0x10]",
        line(STUB, "<... openat resumed>) = 0x8"),
        " > /tmp/m.test() [0x1010]",  # no symbol: by offset
        " > /tmp/m.test(os.Open+0x1) [0x9999]",
        " > /lib/libc.so.6(start+0x1) [0x1]",
        line(STUB, "openat(0, 0) = 0x9"),
        " > /tmp/m.test(os.Open+0x1) [0x9999]",
        REPLY,
    )
    stacks = observer.take().stacks
    assert list(stacks) == [Sighting("openat", Place.GO)]
    by_key = stacks[Sighting("openat", Place.GO)]
    assert {key: sum(count for count, _ in shown.values()) for key, shown in by_key.items()} == {
        "internal/runtime/syscall.Syscall6>os.Open>start": 1,
        "os.Open": 1,
    }


def test_without_brackets_everything_counts_and_the_loader_is_the_runtimes() -> None:
    observer = observe(
        line(C, "brk(0) = 0x1000"),
        line(RUNTIME, "sched_getaffinity(0, 0) = 0x8"),
        line(C, "brk(0) = 0x1000"),
        line(STUB, "openat(0, 0) = 0x3"),
        "1 +++ exited with 0 +++",
        bracketed=False,
    )
    assert counts(observer.take()) == {
        "execve runtime": 1,
        "brk runtime": 1,
        "sched_getaffinity runtime": 1,
        "brk foreign": 1,
        "openat go": 1,
    }


def test_position_independent_binaries_wait_for_their_base() -> None:
    places = Places(Symbols([(STUB, 0x100, b"syscall.Syscall")], (), position_independent=True))
    assert places.of(STUB) is Place.UNTOLD
    places.base = 0x5000
    assert places.of(0x5000 + STUB) is Place.GO
    assert places.of(None) is Place.UNTOLD


def details(bracket: Bracket) -> dict[str, int]:
    """Calls with kind and outcome."""
    return {
        f"{sighting.name} {detail.kind or '-'} {detail.outcome.value}": count
        for sighting, found in bracket.calls.items()
        for detail, count in found.items()
    }


def test_kinds_and_outcomes() -> None:
    observer = observe(
        REQUEST,
        line(STUB, "openat(0xffffff9c, 0xc0, 0x80000, 0) = 0x8"),
        line(STUB, "openat(0xffffff9c, 0xc0, 0x80000, 0) = -1 ENOENT (No such file)"),
        line(STUB, "openat(0xffffff9c, 0xc0, 0x80041, 0) = -1 EACCES (Permission denied)"),
        line(STUB, "socket(0x1, 0x80801, 0) = -1 EPERM (Operation not permitted)"),
        line(STUB, "syscall_0x1c3(0, 0) = -1 ENOSYS (Function not implemented)"),
        line(STUB, "fcntl(0x1, 0x3, 0xc0) = 0x8002"),
        line(RUNTIME, "clone3({flags=0x3d0f00, exit_signal=0}, 88) = 0x7"),
        line(SYSCALL, "clone(0x4111, 0) = 0x5"),
        line(C, "execve(0, 0, 0) = 0", tid=5),
        line(C, "exit_group(0x1) = ?", tid=5),
        REPLY,
    )
    assert details(observer.take()) == {
        "openat read ok": 1,
        "openat read failed": 1,
        "openat create refused": 1,
        "socket unix refused": 1,
        "cachestat - refused": 1,
        "fcntl get flags ok": 1,
        "clone3 thread ok": 1,
        "clone vfork ok": 1,
        "execve - begun": 1,
        "exit_group - begun": 1,
    }


def test_a_call_ends_in_the_bracket_it_began_in_or_has_only_begun() -> None:
    observer = observe(
        REQUEST,
        line(STUB, "getuid( <unfinished ...>", tid=1),
        line(STUB, "<... getuid resumed>) = 0", tid=1),
        line(RUNTIME, "clone(0x50f00, 0) = 0x6"),
        line(STUB, "nanosleep(0, 0 <unfinished ...>", tid=6),
        REPLY,
    )
    first = observer.take()
    assert details(first) == {
        "getuid - ok": 1,
        "clone thread ok": 1,
        "nanosleep - begun": 1,
    }
    for text in (REQUEST, line(STUB, "<... nanosleep resumed>) = 0", tid=6), REPLY):
        observer.observe(parse_line(text, BINARY))
    assert details(observer.take()) == {}


@pytest.mark.parametrize(
    "error",
    ["-1 ERESTARTSYS (Unknown error 512)", "? ERESTARTNOINTR (To be restarted)", "-1 EINTR (x)"],
)
def test_interrupted_calls_count_only_where_nothing_else_shows_them(error: str) -> None:
    cut = line(STUB, f"connect(0x9, 0, 0x10) = {error}")
    assert details(observe(REQUEST, cut, cut, REPLY).take()) == {"connect - begun": 1}
    again = line(STUB, "connect(0x9, 0, 0x10) = 0")
    assert details(observe(REQUEST, cut, again, REPLY).take()) == {"connect - ok": 1}


def test_a_thread_that_dies_in_a_call_had_begun_it() -> None:
    observer = observe(
        REQUEST,
        line(RUNTIME, "clone(0x50f00, 0) = 0x6"),
        line(STUB, "pause( <unfinished ...>", tid=6),
        "6 +++ killed by SIGKILL +++",
        REPLY,
    )
    assert details(observer.take()) == {"clone thread ok": 1, "pause - begun": 1}


PIECES = [
    REQUEST,
    REPLY,
    line(STUB, "openat(0, 0) = 0x8"),
    line(STUB, "openat(0, 0 <unfinished ...>"),
    line(STUB, "<... openat resumed>) = 0x8"),
    line(STUB, "clone(0x4111, 0 <unfinished ...>"),
    line(STUB, "<... clone resumed>) = 0x5"),
    line(C, "clone3({flags=0x10000}, 88) = 6"),
    line(C, "rseq(0) = 0", tid=6),
    line(RUNTIME, "futex(0) = 0", tid=6),
    line(C, "getuid() = 0", tid=5),
    "5 +++ exited with 0 +++",
    " > /tmp/m.test(os.Open+0x1) [0x9999]",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=30))))
def test_any_trace_is_survived(lines: list[str]) -> None:
    observer = observe(*lines)
    assert observer.closed <= observer.opened
    assert all(count > 0 for count in observer.take().counts.values())
