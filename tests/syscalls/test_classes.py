"""The classes of arguments, and that the agent's Go code has the same."""

from __future__ import annotations

import fcntl
import mmap
import os
import random
import socket
import termios
from importlib import resources
from itertools import product

import pytest

from gofuzzsec.syscalls.classes import LIMIT, TABLE, class_names, class_of, go_source
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch, number
from gofuzzsec.toolchain.model import Go
from tests.conftest import MakeModule
from tests.syscalls.go_table import answers

EXAMPLES = [
    ("socket", (socket.AF_UNIX, socket.SOCK_STREAM), "unix"),
    ("socket", (socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC), "inet"),
    ("socket", (socket.AF_INET6, socket.SOCK_DGRAM), "inet6"),
    ("socket", (socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK), "raw"),
    ("socket", (socket.AF_NETLINK, socket.SOCK_RAW), "netlink"),
    ("socket", (socket.AF_PACKET, socket.SOCK_RAW), "packet"),
    ("socket", (socket.AF_ALG, socket.SOCK_SEQPACKET), "alg"),
    ("socket", (socket.AF_VSOCK, socket.SOCK_STREAM), "vsock"),
    ("socket", (socket.AF_CAN, socket.SOCK_RAW), "other"),
    ("setsockopt", (9, socket.SOL_SOCKET, socket.SO_REUSEADDR), "socket"),
    ("setsockopt", (9, socket.SOL_SOCKET, 26), "filter"),
    ("setsockopt", (9, socket.IPPROTO_TCP, socket.TCP_NODELAY), "tcp"),
    ("getsockopt", (9, socket.IPPROTO_IPV6, 26), "ipv6"),
    ("ioctl", (0, termios.TCGETS), "terminal get"),
    ("ioctl", (0, termios.TIOCGWINSZ), "terminal get"),
    ("ioctl", (0, termios.TCSETS), "terminal"),
    ("ioctl", (0, termios.TIOCSTI), "terminal input"),
    ("ioctl", (0, termios.FIONREAD), "descriptor"),
    ("ioctl", (0, 0x8912), "socket"),  # SIOCGIFCONF
    ("ioctl", (0, 0x40049409), "clone range"),  # FICLONE
    ("fcntl", (0, fcntl.F_DUPFD_CLOEXEC), "duplicate"),
    ("fcntl", (0, fcntl.F_GETFD), "get descriptor flags"),
    ("fcntl", (0, fcntl.F_SETFD, 1), "set descriptor flags"),
    ("fcntl", (0, fcntl.F_GETFL), "get flags"),
    ("fcntl", (0, fcntl.F_SETFL, os.O_NONBLOCK), "set flags"),
    ("fcntl", (0, fcntl.F_SETLKW), "lock"),
    ("fcntl", (0, fcntl.F_SETOWN), "signal"),
    ("fcntl", (0, 1033), "seals"),
    ("prctl", (15,), "name"),
    ("prctl", (38, 1), "no new privileges"),
    ("prctl", (22, 2), "seccomp"),
    ("prctl", (0x53564D41,), "memory name"),
    ("clone", (0x10F00,), "thread"),
    ("clone", (0x4111,), "vfork"),
    ("clone", (17,), "process"),
    ("clone", (0x10000011,), "user namespace"),
    ("clone", (0x20000 | 17,), "namespace"),
    ("clone3", (0x40000000 | 17,), "namespace"),
    ("mmap", (0, 4096, 0), "none"),
    ("mmap", (0, 4096, mmap.PROT_READ, mmap.MAP_SHARED), "read"),
    ("mmap", (0, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE), "write"),
    ("mmap", (0, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED), "shared write"),
    ("mmap", (0, 4096, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE), "exec"),
    ("mprotect", (0, 4096, mmap.PROT_WRITE | mmap.PROT_EXEC), "write+exec"),
    ("openat", (0, 0, os.O_RDONLY | os.O_CLOEXEC), "read"),
    ("openat", (0, 0, os.O_WRONLY), "write"),
    ("openat", (0, 0, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "create"),
    ("openat", (0, 0, os.O_WRONLY | os.O_TRUNC), "truncate"),
    ("openat", (0, 0, os.O_WRONLY | os.O_APPEND), "append"),
    ("openat", (0, 0, os.O_DIRECTORY), "directory"),
    ("openat", (0, 0, os.O_TMPFILE | os.O_RDWR), "temporary"),
    ("openat", (0, 0, os.O_PATH | os.O_DIRECTORY), "path"),
    ("unlinkat", (0, 0, 0x200), "directory"),
    ("unlinkat", (0, 0, 0), "file"),
    ("unshare", (0x10000000,), "user namespace"),
    ("ptrace", (0,), "traceme"),
    ("prlimit64", (0, 7, 0, 1 << 40), "get"),
    ("prlimit64", (0, 7, 1 << 40), "set"),
    ("seccomp", (1,), "filter"),
    ("bpf", (5,), "load program"),
    ("read", (0, 1, 2), ""),
]


@pytest.mark.parametrize(("call", "args", "kind"), EXAMPLES)
def test_the_class_of_a_call(call: str, args: tuple[int, ...], kind: str) -> None:
    # Constants are those of this machine's C library, another source than the table's.
    assert class_names(call)[class_of(call, args, machine_arch())] == kind


def test_every_class_fits_its_slots_and_its_call_exists() -> None:
    for classes in TABLE:
        assert len(classes.names()) <= LIMIT, classes.calls
        assert all(classes.names())
        for call in classes.calls:
            assert all(number(call, arch) is not None for arch in ARCHITECTURES), call


def test_upper_halves_of_registers_do_not_matter() -> None:
    # The kernel takes these as 32-bit integers; Go passes -1 as 2**64 - 1.
    high = 0xFFFFFFFF << 32
    assert class_of("socket", (high | socket.AF_INET, high | socket.SOCK_STREAM), "amd64") == (
        class_of("socket", (socket.AF_INET, socket.SOCK_STREAM), "amd64")
    )


def test_directories_are_another_bit_on_each_architecture() -> None:
    for arch, bit in (("amd64", 0x10000), ("arm64", 0x4000)):
        assert class_names("openat")[class_of("openat", (0, 0, bit), arch)] == "directory"
    assert class_names("openat")[class_of("openat", (0, 0, 0x4000), "amd64")] == "read"


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_agent_has_the_file_written_from_the_table(arch: str) -> None:
    file = resources.files("gofuzzsec").joinpath("agent", "syscall", f"classes_linux_{arch}.go")
    assert file.read_text("utf-8") == go_source(arch), (
        f"run: python -m gofuzzsec.syscalls.classes {arch} > {file}"
    )


IN_GO = "gofuzzsecClass(gofuzzsecKinds[trap], a1, a2, a3, a4)"


def test_go_and_python_agree(go: Go, module: MakeModule) -> None:
    arch = machine_arch()
    calls = [
        (call, tuple(args))
        for classes in TABLE
        for call in classes.calls
        if call != "clone3"
        for args in _arguments(call, arch)
    ]
    expected = [class_of(call, args, arch) for call, args in calls]
    assert answers(go, module, go_source(arch), IN_GO, calls) == expected
    assert {call for (call, _), kind in zip(calls, expected, strict=True) if kind} == {
        call for call, _ in calls
    }


def _arguments(call: str, arch: str) -> list[list[int]]:
    """Every value the rules name, its neighbours and random ones, in all pairs of arguments."""
    values: list[set[int]] = [{0}, {0}, {0}, {0}]
    for classes in TABLE:
        if call in classes.calls:
            for test in (test for rule in classes.rules for case in rule.cases for test in case):
                wanted = test.bits(arch) if test.value is None else test.value
                near = {wanted, wanted + 1, wanted | 1 << 40, test.bits(arch)}
                values[test.arg] |= {value % 2**64 for value in near}
    rng = random.Random(call)
    chosen = [list(map(list, product(*values)))]
    chosen.append([[rng.getrandbits(rng.choice((3, 16, 64))) for _ in values] for _ in range(100)])
    return rng.sample(chosen[0], min(400, len(chosen[0]))) + chosen[1]
