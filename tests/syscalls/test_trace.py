"""Reading strace's output, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.syscalls.trace import (
    Call,
    Frame,
    Gone,
    Line,
    Noise,
    Resumed,
    parse_line,
    unknown_number,
)

IP = 0x40B62E


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "12 [000000000040b62e] openat(0xffffff9c, 0xc0, 0x80000, 0) = 0x8",
            Call(12, "openat", "0xffffff9c, 0xc0, 0x80000, 0", IP, True, 8, True),
        ),
        (
            "12 [000000000040b62e] close(0x9)     = 0",
            Call(12, "close", "0x9", IP, True, 0, True),
        ),
        (
            "12 [000000000040b62e] rmdir(0xc0) = -1 ENOENT (No such file or directory)",
            Call(12, "rmdir", "0xc0", IP, True, -1, True, "ENOENT"),
        ),
        (
            "7 [000000000040b62e] read(0x3, 0xc0, 0x5ff <unfinished ...>",
            Call(7, "read", "0x3, 0xc0, 0x5ff", IP, False, None, True),
        ),
        (
            "7 [000000000040b62e] exit_group(0)  = ?",
            Call(7, "exit_group", "0", IP, True, None, True),
        ),
        ("7 [????????????????] gettid() = 0x7", Call(7, "gettid", "", None, True, 7, True)),
        ("7 gettid()                    = 7", Call(7, "gettid", "", None, True, 7, True)),
        ("7 [561b7f4e] getpid() = 0x6fee", Call(7, "getpid", "", 0x561B7F4E, True, 0x6FEE, False)),
        (
            "7 [00000000004933a3] <... futex resumed>) = ? ERESTARTSYS (To be restarted)",
            Resumed(7, "futex", None, "ERESTARTSYS"),
        ),
        (
            "7 [00000000004933a3] <... futex resumed>) = -1 ERESTARTSYS (Unknown error 512)",
            Resumed(7, "futex", -1, "ERESTARTSYS"),
        ),
        ("7 [00000000004933a3] <... read resumed>) = 0x43", Resumed(7, "read", 0x43)),
        (
            "7 [00000000004933a3] <... clone3 resumed> => {parent_tid=[9]}, 88) = 9",
            Resumed(7, "clone3", 9),
        ),
        ("7 [????????????????] +++ exited with 0 +++", Gone(7)),
        ("7 +++ killed by SIGKILL (core dumped) +++", Gone(7)),
        ("", Noise("", False)),
        ("strace: Process 7 attached", Noise("strace: Process 7 attached", False)),
        ("7 --- SIGURG {si_signo=SIGURG} ---", Noise("7 --- SIGURG {si_signo=SIGURG} ---", False)),
        ("7 ???( <unfinished ...>", Noise("7 ???( <unfinished ...>", False)),
        ("7 <... ??? resumed>) = ?", Noise("7 <... ??? resumed>) = ?", False)),
        ("7 openat(0x1 = what", Noise("7 openat(0x1 = what", True)),
        ("7 read(0x1) = 0001", Noise("7 read(0x1) = 0001", True)),  # no number of C's
        ("7 <... read resumed>) = 0001", Resumed(7, "read", None)),
        ("7 <... half", Noise("7 <... half", True)),
        ("nonsense", Noise("nonsense", True)),
        (
            " > /usr/lib/libc.so.6(__mmap+0x13) [0x1019b3]",
            Frame("/usr/lib/libc.so.6", "__mmap", 0x1019B3),
        ),
        (" > /tmp/a.test() [0x897bf]", Frame("/tmp/a.test", "", 0x897BF)),
        (
            " > unexpected_backtracing_error [0x4011]",
            Frame("unexpected_backtracing_error ", "", 0x4011),
        ),
        (" > something else", Noise(" > something else", False)),
    ],
)
def test_lines(text: str, expected: Line) -> None:
    found = parse_line(text)
    if isinstance(expected, Frame) and isinstance(found, Frame):
        assert found.module.strip() == expected.module.strip()
        assert (found.function, found.offset) == (expected.function, expected.offset)
    else:
        assert found == expected


def test_a_superseded_thread_lives_on() -> None:
    line = parse_line("7 [00007f4c40df3b70] +++ superseded by execve in pid 9 +++")
    assert isinstance(line, Noise)
    assert not line.suspect


def test_frames_keep_brackets_of_symbols_and_of_the_binarys_path() -> None:
    text = " > /tmp/odd (1)/m.test(os.(*file).close+0x145) [0xde165]"
    assert parse_line(text, "/tmp/odd (1)/m.test") == Frame(
        "/tmp/odd (1)/m.test", "os.(*file).close", 0xDE165
    )
    text = " > /tmp/m.test(runtime/cgo(.text)+0xc) [0x16cc]"
    assert parse_line(text) == Frame("/tmp/m.test", "runtime/cgo(.text)", 0x16CC)


@pytest.mark.parametrize(
    ("text", "thread"),
    [
        ("7 clone(0x50f00, 0xc0, 0, 0, 0) = 0x9", True),
        ("7 clone(0x4111, 0, 0xc0, 0, 0 <unfinished ...>", False),
        ("7 clone3({flags=0x3d0f00, exit_signal=0, stack=0x7f}, 88) = 9", True),
        ("7 clone3({flags=0x4100, exit_signal=17}, 88 <unfinished ...>", False),
        ("7 clone3({flags=0}, 88) = 9", False),
        ("7 clone3(0x1, 88) = -1 EFAULT (Bad address)", False),
        ("7 vfork() = 0x9", False),
    ],
)
def test_threads_and_children_are_told_apart(text: str, thread: bool) -> None:
    call = parse_line(text)
    assert isinstance(call, Call)
    assert call.makes_thread() is thread


def test_arguments() -> None:
    call = parse_line("7 write(0x4, 0xc000, 0x36c0) = 0x36c0")
    assert isinstance(call, Call)
    assert [call.argument(index) for index in range(4)] == [4, 0xC000, 0x36C0, None]


def test_the_arguments_that_say_what_a_call_is() -> None:
    call = parse_line("7 fcntl(0x4, 0x3, 0x36c0) = 0x36c0")
    assert isinstance(call, Call)
    assert call.numbers((1,)) == (0, 3)
    assert call.numbers((0, 2)) == (4, 0, 0x36C0)
    assert call.numbers((3,)) is None
    clone = parse_line("7 clone3({flags=0x10000, exit_signal=0}, 88) = 9")
    assert isinstance(clone, Call)
    assert clone.numbers((0,)) == (0x10000,)


def test_numbers_of_unknown_calls() -> None:
    assert unknown_number("syscall_0x1c3") == 0x1C3
    assert unknown_number("syscall_0xffffffffffffffff") == (1 << 64) - 1
    assert unknown_number("openat") is None


@given(st.text())
def test_any_text_is_some_line(text: str) -> None:
    parse_line(text)
    parse_line(f" > {text}", binary=text)
    parse_line(f"12 [000000000040b62e] {text}")


@given(
    tid=st.integers(1, 1 << 22),
    name=st.sampled_from(["read", "openat", "syscall_0x1c3"]),
    arguments=st.lists(st.integers(0, (1 << 64) - 1), max_size=6),
    ip=st.integers(0, (1 << 64) - 1),
    result=st.integers(-1, 1 << 40),
)
def test_what_strace_writes_is_read_back(
    tid: int, name: str, arguments: list[int], ip: int, result: int
) -> None:
    listed = ", ".join(f"{value:#x}" for value in arguments)
    shown = f"{result:#x}" if result >= 0 else "-1 EPERM (Operation not permitted)"
    call = parse_line(f"{tid} [{ip:016x}] {name}({listed}) = {shown}")
    error = "" if result >= 0 else "EPERM"
    assert call == Call(tid, name, listed, ip, True, result, True, error)
    begun = parse_line(f"{tid} [{ip:016x}] {name}({listed} <unfinished ...>")
    assert begun == Call(tid, name, listed, ip, False, None, True)
    assert isinstance(call, Call)
    assert [call.argument(index) for index in range(len(arguments))] == arguments
