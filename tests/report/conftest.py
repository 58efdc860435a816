"""Events and rows as small as they can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gofuzzsec.coordinator.events import (
    CrashFound,
    Event,
    Finished,
    Note,
    ReachedCall,
    RemainingCall,
    Started,
    Stats,
    Status,
    SyscallFound,
    Toward,
)


def make_stats(**changed: Any) -> Stats:
    """A Stats with *changed* fields."""
    given: dict[str, Any] = {
        "target": "example.org/m.FuzzParse",
        "elapsed": 61.0,
        "executions": 123456,
        "session_executions": 23456,
        "executions_per_second": 2345.6,
        "edges": 321,
        "corpus": 45,
        "syscalls": 6,
        "crashes": 1,
        "last_find": 7.0,
        "unrecorded": 3,
    }
    return Stats(**given | changed)


@pytest.fixture
def stats() -> Callable[..., Stats]:
    return make_stats


@pytest.fixture
def events() -> list[Event]:
    """One of every event, in an order in which a campaign would say them."""
    target = "example.org/m.FuzzParse"
    return [
        Note("warning", "strace is missing: system calls are not recorded"),
        Started(target, workers=2, seeds=3, resumed=4, capture="strace"),
        Status(make_stats()),
        SyscallFound(target, "mkdirat", "00aa11bb22cc33dd", "target"),
        Toward(
            target,
            3600.0,
            (ReachedCall("mkdirat", 12.0, 3456, "00aa11bb22cc33dd"),),
            (
                RemainingCall("statx", 4, "example.org/m.stat", "0123456789abcdef", 17),
                RemainingCall("mount", None, "", "", 0),
            ),
            ("futex",),
        ),
        CrashFound(
            target,
            "crash",
            "panic: index out of range [5] with length 5",
            "testdata/fuzz/FuzzParse/0123456789abcdef",
            "go test -run=FuzzParse/0123456789abcdef",
            reproduced=True,
        ),
        Finished((make_stats(unrecorded=0),), interrupted=False),
    ]
