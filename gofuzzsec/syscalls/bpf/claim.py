"""How a process says that it is to be followed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from gofuzzsec.syscalls.bpf import maps

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def claiming(nonce: int, wanted: int) -> Callable[[], None]:
    """A ``preexec_fn`` by which the child asks for slot *wanted* (its life in the upper half).

    What runs in the child is subject to the rules of `worker.child`: nothing is looked up there.
    The kernel refuses the option that it does not know, after the recorder has seen it.
    """
    prctl = _prctl
    arguments = tuple(ctypes.c_ulong(value) for value in (maps.MAGIC, nonce, wanted, 0, 0))

    def claim() -> None:
        prctl(*arguments)

    return claim
