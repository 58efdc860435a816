"""What some tests need of the machine. Missing, it skips them; in CI it fails them."""

from __future__ import annotations

import os
import shutil

import pytest

from gofuzzsec.syscalls.tracer import available, find_strace


def missing(reason: str) -> None:
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


def require_cgo() -> None:
    """A C compiler for cgo."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc, so Go builds without cgo")
