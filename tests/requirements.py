"""What some tests need of the machine. Missing, it skips them; in CI it fails them."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.privilege import can_trace
from gofuzzsec.syscalls.bpf.bcc import load_bcc
from gofuzzsec.syscalls.bpf.headers import kernel_headers
from gofuzzsec.syscalls.tracer import available, find_strace


def missing(reason: str) -> NoReturn:
    """Skip the test that calls this, or fail it where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"needed in CI: {reason}")
    pytest.skip(reason)


def require_strace(*, stacks: bool = False) -> None:
    """An strace that may trace here; with *stacks*, one that unwinds them."""
    reason = available()
    if reason is not None:
        missing(reason)
    if stacks and not find_strace().stacks:
        missing("this strace was built without stack unwinding")


def require_root() -> None:
    """Root itself, to become somebody else."""
    if os.geteuid() != 0:
        missing("this test needs root")


def require_bpf() -> None:
    """Permission to use BPF, bcc, and kernel headers for it to compile against."""
    if (problem := can_trace()) is not None:
        missing(problem)
    try:
        load_bcc()
        kernel_headers()
    except GofuzzsecError as error:
        missing(str(error))


def require_cgo() -> None:
    """A C compiler for cgo."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc, so Go builds without cgo")
