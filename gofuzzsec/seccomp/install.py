"""Put this process under a compiled seccomp filter.

It needs nothing but the standard library, for scripts that run without the rest of gofuzzsec
(`attacks.perform`).
"""

from __future__ import annotations

import ctypes
import os
import platform

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP = {"x86_64": 317, "aarch64": 277}
"""The number of seccomp(2), for which the C library has no function."""
_LONGEST = 4096  # instructions, BPF_MAXINSNS
_libc = ctypes.CDLL(None, use_errno=True)
# Looked up now, for `without_new_privileges` is a step between fork and exec.
_prctl, _syscall = _libc.prctl, _libc.syscall


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install(program: bytes, flags: int = 0) -> None:
    """Load *program*, BPF instructions of 8 bytes each, into this thread and what it starts, for
    good. *flags* are those of seccomp(2). Sets no_new_privs, without which only root may load one.

    Raises OSError when the kernel refuses.
    """
    number = _SECCOMP.get(platform.machine())
    length, rest = divmod(len(program), 8)
    if number is None or rest or not 0 < length <= _LONGEST:
        raise OSError(22, f"no filter for this machine: {len(program)} bytes on {os.uname()}")
    argument = _Program(length, program)
    without_new_privileges()
    if _syscall(number, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(argument)) != 0:
        found = ctypes.get_errno()
        raise OSError(found, f"seccomp(2): {os.strerror(found)}")


def without_new_privileges() -> None:
    """Have execve give no privileges from now on, as most containers of any care are run.

    May be a step between fork and exec (see `worker.child`). Raises OSError if the kernel refuses.
    """
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        found = ctypes.get_errno()
        raise OSError(found, f"prctl(PR_SET_NO_NEW_PRIVS): {os.strerror(found)}")


def become(user: int) -> None:
    """Give up root for *user* and the group of the same number. Raises OSError."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
