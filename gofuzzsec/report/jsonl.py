"""A campaign as JSON lines: one object an event, with names that programs can rely on.

docs/json.md documents every object; a test compares it with what is written here.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TextIO, assert_never

from gofuzzsec.coordinator.events import (
    CrashFound,
    Event,
    Finished,
    Note,
    Started,
    Status,
    SyscallFound,
    Toward,
)
from gofuzzsec.syscalls.compare import Comparison

Fields = dict[str, object]

_INTERNAL = frozenset({"id", "parent", "coverage", "build_key"})


def event_fields(event: Event) -> Fields:
    """*event* as a JSON object: ``event`` names it, the rest are its dataclass's fields.

    A status is flat: the fields of its Stats stand beside ``event``.
    """
    match event:
        case Started():
            return {"event": "started"} | _fields(event)
        case Status():
            return {"event": "status"} | _fields(event.stats)
        case CrashFound():
            return {"event": "crash"} | _fields(event)
        case SyscallFound():
            return {"event": "syscall"} | _fields(event)
        case Toward():
            return {
                "event": "toward",
                "target": event.target,
                "elapsed": _plain(event.elapsed),
                "reached": [_fields(call) for call in event.reached],
                "remaining": [_fields(call) for call in event.remaining],
                "left_out": list(event.left_out),
            }
        case Note():
            return {"event": "note"} | _fields(event)
        case Finished():
            return {
                "event": "finished",
                "interrupted": event.interrupted,
                "stats": [_fields(stats) for stats in event.stats],
            }
        case _:
            assert_never(event)


def comparison_fields(comparison: Comparison) -> Fields:
    """The headline comparison as the object that follows ``finished``."""
    return {"event": "comparison"} | _fields(comparison)


def row_fields(row: object) -> Fields:
    """A row of the store, without what only the database needs; bytes as base64.

    *row* is a dataclass. Left out: ids, parents, and coverage, which no other program can read.
    """
    return {name: value for name, value in _fields(row).items() if name not in _INTERNAL}


def dumps(fields: Mapping[str, object]) -> str:
    """*fields* on one line of pure ASCII, which no string in it can break or leave."""
    return json.dumps(fields, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _fields(value: object) -> Fields:
    assert dataclasses.is_dataclass(value) and not isinstance(value, type)
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _plain(value: object) -> object:
    """JSON has no infinity and no NaN: a rate over no time at all is unknown, null."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


class JsonView:
    """Writes each event as one line with ``time`` (Unix seconds) and flushes."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def emit(self, event: Event) -> None:
        """Write *event*. Raises OSError when the reader is gone."""
        self.write(event_fields(event))

    def write(self, fields: Fields) -> None:
        """Write one object that is not an event of the campaign."""
        self._stream.write(dumps(fields | {"time": round(self._clock(), 3)}) + "\n")
        self._stream.flush()
