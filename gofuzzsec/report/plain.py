"""A campaign as plain lines, for a log, a pipe or a terminal that cannot move its cursor."""

from __future__ import annotations

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
)
from gofuzzsec.report import status


def event_text(event: Event) -> str:
    """What people read of *event*: one line, or a few for crashes and the end."""
    match event:
        case Started():
            return status.started_line(event)
        case Status():
            return status.status_line(event.stats)
        case CrashFound():
            return status.crash_lines(event)
        case SyscallFound():
            return status.syscall_line(event)
        case Note():
            return status.note_line(event)
        case Finished():
            return status.finished_lines(event)
        case _:
            assert_never(event)


class PlainView:
    """Writes each event to *stream* and flushes, so that a reader of a pipe is never behind."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

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
        self._stream.write(event_text(event) + "\n")
        self._stream.flush()
