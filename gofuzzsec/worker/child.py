"""What a child process does between fork and exec.

Other threads may exist, and whatever lock one of them held at the fork stays held in the child for
good. So nothing here may import, log or look up anything: only system calls, on names bound
beforehand. For the same reason pyproject.toml leaves this file out of coverage measurement, whose
tracer takes a lock when a function is called.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Sequence

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def dying_with_parent() -> Callable[[], None]:
    """A ``preexec_fn``: SIGKILL for the child when the *thread* that starts it ends."""
    parent = os.getpid()

    def prepare() -> None:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(125)  # the parent died before the signal was asked for

    return prepare


def in_turn(*steps: Callable[[], None]) -> Callable[[], None]:
    """A ``preexec_fn`` that takes each of *steps*, which keep to the rules of this module."""

    def prepare() -> None:
        for step in steps:
            step()

    return prepare


def limited(sources: Sequence[int], wanted: Sequence[int], memory_limit: int) -> Callable[[], None]:
    """A ``preexec_fn``: as `dying_with_parent`, no core dumps, at most *memory_limit* bytes of
    writable private memory, and the descriptors *sources* at the numbers *wanted*."""
    die_with_parent = dying_with_parent()

    def prepare() -> None:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _lower_limit(resource.RLIMIT_DATA, memory_limit)
        for source, number in zip(sources, wanted, strict=True):
            os.dup2(source, number)

    return prepare


def _lower_limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
