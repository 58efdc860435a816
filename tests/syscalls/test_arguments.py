"""The table of deciding arguments: what it holds, its words, and that all who use it agree."""

from __future__ import annotations

import fcntl
import mmap
import os
import random
import resource
import signal
import socket
import termios
import time
from importlib import resources

import pytest

from gofuzzsec.syscalls.arguments import (
    ALL,
    DECIDING,
    c_source,
    decided_by,
    go_source,
    pack,
    unpack,
    values_of,
    words_of,
)
from gofuzzsec.syscalls.classes import TABLE
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch, names, number
from gofuzzsec.toolchain.model import Go
from tests.conftest import MakeModule
from tests.syscalls.go_table import answers

# First arguments that are pointers, descriptors or sizes: never to be looked at.
NEVER = {"mmap": {0, 1}, "openat": {0, 1}, "ioctl": {0, 2}, "mprotect": {0, 1}, "futex": {0, 2, 3}}


def test_the_table_holds_plain_numbers_of_known_calls() -> None:
    everything = frozenset().union(*(names(arch) for arch in ARCHITECTURES))
    for call, specs in DECIDING.items():
        assert call in everything
        assert 1 <= len(specs) <= 2
        assert all(0 <= each.arg < 4 and 0 < each.mask <= ALL and each.label for each in specs)
        assert not set(decided_by(call)) & NEVER.get(call, set())
        assert len({each.arg for each in specs}) == len(specs)
    assert decided_by("read") == ()
    assert decided_by("clone3") == ()


def test_what_has_classes_has_values() -> None:
    without = {"clone3", "prlimit64"}  # behind a pointer; whether there is a pointer
    for call in {call for classes in TABLE for call in classes.calls} - without:
        assert call in DECIDING


def test_values() -> None:
    high = 0xABCD << 32
    assert values_of("socket", (high | 2, high | 0x80801, 17)) == (2, 1)
    assert values_of("mmap", (4096, 1, 3)) == (3, 0)
    assert values_of("read", (1, 2, 3)) == ()
    for call in ("socket", "prctl"):
        values = (ALL - 0x80800, 7)[: len(DECIDING[call])]
        assert unpack(call, pack(values)) == values
    assert unpack("read", 99) == ()


@pytest.mark.parametrize(
    ("call", "values", "words"),
    [
        ("socket", (socket.AF_INET6, socket.SOCK_DGRAM), "AF_INET6 SOCK_DGRAM"),
        ("socket", (socket.AF_VSOCK, socket.SOCK_SEQPACKET), "AF_VSOCK SOCK_SEQPACKET"),
        ("socket", (99, 77), "0x63 0x4d"),
        ("setsockopt", (socket.IPPROTO_TCP, socket.TCP_NODELAY), "IPPROTO_TCP TCP_NODELAY"),
        ("setsockopt", (1, socket.SO_REUSEPORT), "SOL_SOCKET SO_REUSEPORT"),
        ("getsockopt", (1, socket.SO_BINDTODEVICE), "SOL_SOCKET SO_BINDTODEVICE"),
        ("getsockopt", (41, socket.IPV6_V6ONLY), "IPPROTO_IPV6 IPV6_V6ONLY"),
        ("setsockopt", (0, socket.IP_TTL), "IPPROTO_IP IP_TTL"),
        ("setsockopt", (255, 8), "IPPROTO_RAW 8"),
        ("ioctl", (termios.TIOCGWINSZ,), "TIOCGWINSZ"),
        ("ioctl", (termios.FIONREAD,), "FIONREAD"),
        ("ioctl", (termios.TIOCSTI,), "TIOCSTI"),
        ("fcntl", (fcntl.F_DUPFD_CLOEXEC,), "F_DUPFD_CLOEXEC"),
        ("fcntl", (fcntl.F_SETLKW,), "F_SETLKW"),
        ("fcntl", (fcntl.F_OFD_SETLK,), "F_OFD_SETLK"),
        ("flock", (fcntl.LOCK_EX | fcntl.LOCK_NB,), "LOCK_EX|LOCK_NB"),
        ("prctl", (38,), "PR_SET_NO_NEW_PRIVS"),
        ("prctl", (47,), "PR_CAP_AMBIENT"),
        ("mmap", (mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
         "PROT_READ|PROT_EXEC MAP_PRIVATE|MAP_ANONYMOUS"),
        ("mprotect", (0,), "PROT_NONE"),
        ("madvise", (mmap.MADV_HUGEPAGE,), "MADV_HUGEPAGE"),
        ("madvise", (mmap.MADV_DONTFORK,), "MADV_DONTFORK"),
        ("clone", (0x11,), "SIGCHLD"),
        ("clone", (0x10000100,), "CLONE_VM|CLONE_NEWUSER"),
        ("unshare", (0x80,), "CLONE_NEWTIME"),
        ("setns", (0,), "0"),
        ("kill", (signal.SIGURG,), "SIGURG"),
        ("tgkill", (signal.SIGSYS,), "SIGSYS"),
        ("kill", (0,), "0"),
        ("kill", (34,), "0x22"),
        ("futex", (0x80,), "FUTEX_WAIT|FUTEX_PRIVATE_FLAG"),
        ("futex", (0x189,), "FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME"),
        ("prlimit64", (resource.RLIMIT_NOFILE,), "RLIMIT_NOFILE"),
        ("prlimit64", (resource.RLIMIT_RTPRIO,), "RLIMIT_RTPRIO"),
        ("clock_gettime", (time.CLOCK_BOOTTIME,), "CLOCK_BOOTTIME"),
        ("lseek", (os.SEEK_HOLE,), "SEEK_HOLE"),
        ("shutdown", (socket.SHUT_RDWR,), "SHUT_RDWR"),
        ("openat", (0x80241,), "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"),
        ("openat", (0x40000000,), "O_RDONLY|0x40000000"),
        ("pipe2", (0x80800,), "O_NONBLOCK|O_CLOEXEC"),
        ("prctl", (), "not told"),
    ],
)  # fmt: skip
def test_words(call: str, values: tuple[int, ...], words: str) -> None:
    """Mostly numbers that Python's own modules name."""
    assert words_of(call, values, "amd64") == words


def test_words_that_differ_by_architecture() -> None:
    assert words_of("openat", (0x10000,), "amd64") == "O_RDONLY|O_DIRECTORY"
    assert words_of("openat", (0x10000,), "arm64") == "O_RDONLY|O_DIRECT"
    if machine_arch() == "amd64":
        flags = os.O_DIRECT | os.O_NOFOLLOW | os.O_NOATIME | os.O_PATH
        words = words_of("openat", (flags,), "amd64")
        assert words == "O_RDONLY|O_DIRECT|O_NOFOLLOW|O_NOATIME|O_PATH"


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_agent_has_the_file_written_from_the_table(arch: str) -> None:
    file = resources.files("gofuzzsec").joinpath("agent", "syscall", f"arguments_linux_{arch}.go")
    assert file.read_text("utf-8") == go_source(arch), (
        f"run: python -m gofuzzsec.syscalls.arguments {arch} > {file}"
    )


IN_GO = "gofuzzsecValues(gofuzzsecDeciding[trap], a1, a2, a3, a4)"


def test_go_and_python_agree(go: Go, module: MakeModule) -> None:
    arch = machine_arch()
    chance = random.Random(1)
    calls = [
        (name, tuple(chance.getrandbits(64) for _ in range(4)))
        for name in sorted(names(arch))
        for _ in range(3)
    ]
    expected = [pack(values_of(*call)) if call[0] in DECIDING else 0 for call in calls]
    assert answers(go, module, go_source(arch), IN_GO, calls) == expected


def test_the_kernels_half_has_a_case_for_every_call() -> None:
    """That the values are right, bpf/test_counting.py shows."""
    for arch in ARCHITECTURES:
        text = c_source(arch)
        known = {call for call in DECIDING if number(call, arch) is not None}
        assert all(f"case {number(call, arch)}:" in text for call in known)
        assert text.count("case ") == len(known)
