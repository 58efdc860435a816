"""A program that puts itself under a filter and becomes another: written as machine code.

Called as ``LAUNCHER PROGRAM [ARGUMENT...]``, it makes three system calls: prctl, for no_new_privs,
seccomp, for the filter, and execve; in front of the second another prctl where a recorder is to be
asked to follow. So nothing of a launcher can be mistaken for the program's, not even under a
profile that kills whatever it does not know, and starting costs nothing.

Python as launcher was tried first: libunwind, through which strace takes stacks, goes on using what
it knows of an interpreter's addresses after the execve, and so takes wrong stacks where the
interpreter was not built position-independent (Debian's is not). This one lies where no program
does.
"""

from __future__ import annotations

import contextlib
import fcntl
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.errors import RecorderError

_BASE = 0x7A0000000000
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
_SEGMENT = struct.Struct("<IIQQQQQQ")  # Elf64_Phdr
_MACHINES = {"amd64": 62, "arm64": 183}
_START = _HEADER.size + _SEGMENT.size
_NO_NEW_PRIVS = (38, 1)
_FAILED = 125  # exit status when the filter or the program cannot be had
_PATIENCE = 2.0  # seconds
_LONGEST = 4096  # instructions of a filter


def write_launcher(
    path: Path, program: bytes, flags: int, arch: str, wish: Sequence[int] = ()
) -> None:
    """Write a launcher for the filter *program* (BPF instructions) with *flags* of seccomp(2).

    *wish* are up to three arguments of a prctl to call right before it. Raises RecorderError for
    another architecture than "amd64" or "arm64", or a filter that the kernel would not take.
    """
    if arch not in _MACHINES or len(program) % 8 or not 0 < len(program) // 8 <= _LONGEST:
        raise RecorderError(
            f"expected a filter of 1 to {_LONGEST} instructions for one of "
            f"{', '.join(_MACHINES)}, found {len(program)} bytes for {arch}"
        )
    calls = [_NO_NEW_PRIVS, *([tuple(wish)] if wish else [])]
    make = _amd64 if arch == "amd64" else _arm64
    size = len(make(calls, flags, 0))
    size += -size % 16
    # struct sock_fprog, then the instructions.
    at = _BASE + _START + size
    code = make(calls, flags, at).ljust(size, b"\0")
    data = struct.pack("<HxxxxxxQ", len(program) // 8, at + 16) + program
    whole = _START + len(code) + len(data)
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    machine = _MACHINES[arch]
    header = _HEADER.pack(
        ident, 2, machine, 1, _BASE + _START, _HEADER.size, 0, 0, _HEADER.size, _SEGMENT.size, 1, 0,
        0, 0,
    )  # fmt: skip
    segment = _SEGMENT.pack(1, 5, 0, _BASE, _BASE, whole, whole, 0x1000)  # readable, executable
    path.write_bytes(header + segment + code + data)
    path.chmod(0o755)
    _await_writers(path)


def _await_writers(path: Path) -> None:
    """A process that another thread forked meanwhile holds what was written open until it execs;
    so long the kernel executes no such file. It gives a lease to nobody else as long."""
    deadline = time.monotonic() + _PATIENCE
    with path.open("rb") as file, contextlib.suppress(OSError):  # no leases here: take the chance
        while time.monotonic() < deadline:
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
                return
            except BlockingIOError:
                time.sleep(0.001)


def _amd64(calls: Sequence[Sequence[int]], flags: int, filter_at: int) -> bytes:
    """At its start the stack pointer points at argc, argv and the environment, in a row."""

    def load(register: bytes, value: int) -> bytes:  # movabs
        return register + struct.pack("<Q", value)

    rax, rdi, rsi, rdx = b"\x48\xb8", b"\x48\xbf", b"\x48\xbe", b"\x48\xba"
    zero = b"\x45\x31\xd2\x45\x31\xc0"  # xor r10d, r10d; xor r8d, r8d
    syscall = b"\x0f\x05"
    code = b""
    for call in calls:
        first, second, third = (*call, 0, 0)[:3]
        code += load(rdi, first) + load(rsi, second) + load(rdx, third) + zero
        code += load(rax, 157) + syscall  # prctl
    code += load(rdi, 1) + load(rsi, flags) + load(rdx, filter_at) + load(rax, 317) + syscall
    code += b"\x48\x85\xc0"  # test rax, rax
    become = b"\x48\x8b\x7c\x24\x10"  # mov rdi, [rsp+16]: argv[1]
    become += b"\x48\x8d\x74\x24\x10"  # lea rsi, [rsp+16]: what follows argv[0]
    become += b"\x48\x8b\x0c\x24"  # mov rcx, [rsp]: argc
    become += b"\x48\x8d\x54\xcc\x10"  # lea rdx, [rsp+rcx*8+16]: the environment
    become += load(rax, 59) + syscall  # execve
    code += b"\x75" + struct.pack("<b", len(become)) + become  # jnz: not without the filter
    return code + load(rdi, _FAILED) + load(rax, 231) + syscall + b"\x0f\x0b"  # exit_group; ud2


def _arm64(calls: Sequence[Sequence[int]], flags: int, filter_at: int) -> bytes:
    """The same. It has never run: there was no machine to try it on."""

    def load(register: int, value: int) -> list[int]:  # movz, movk three times
        parts = [value >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
        first = 0xD2800000 | parts[0] << 5 | register
        return [
            first,
            *(0xF2800000 | n << 21 | parts[n] << 5 | register for n in (1, 2, 3)),
        ]

    svc = 0xD4000001
    code: list[int] = []
    for call in calls:
        first, second, third = (*call, 0, 0)[:3]
        for register, value in enumerate((first, second, third, 0, 0)):
            code += load(register, value)
        code += [*load(8, 167), svc]  # prctl
    code += [*load(0, 1), *load(1, flags), *load(2, filter_at), *load(8, 277), svc]
    become = [
        0xF9400BE0,  # ldr x0, [sp, #16]: argv[1]
        0x910043E1,  # add x1, sp, #16: what follows argv[0]
        0xF94003E3,  # ldr x3, [sp]: argc
        0x8B030C22,  # add x2, x1, x3, lsl #3: the environment
        *load(8, 221),
        svc,  # execve
    ]
    code.append(0xB5000000 | (len(become) + 1) << 5)  # cbnz x0: not without the filter
    code += [*become, *load(0, _FAILED), *load(8, 94), svc, 0]  # exit_group; udf
    return struct.pack(f"<{len(code)}I", *code)
