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
    Stats,
    Status,
    SyscallFound,
    Toward,
)
from gofuzzsec.report import status
from gofuzzsec.report.toward import toward_lines


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
        case Toward():
            return toward_lines(event)
        case Note():
            return status.note_line(event)
        case Finished():
            return status.finished_lines(event)
        case _:
            assert_never(event)


_LEAST_SECONDS = 3.0
_SHARE = 100
"""A line of status for each hundredth of the time so far, at least 3 s apart: a log of ten hours
stays short enough to read, and one of ten seconds says something."""


class PlainView:
    """Writes events to *stream* and flushes, so that a reader of a pipe is never behind.

    All but statuses, of which there are more than anybody would read in a log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, float] = {}  # target: `elapsed` of its last line of status

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
        """Write *event*, if it is due. Raises OSError when the reader is gone."""
        if isinstance(event, Status) and not self._is_due(event.stats):
            return
        self._stream.write(event_text(event) + "\n")
        self._stream.flush()

    def _is_due(self, stats: Stats) -> bool:
        last = self._said.get(stats.target)
        if last is not None and stats.elapsed - last < max(_LEAST_SECONDS, last / _SHARE):
            return False
        self._said[stats.target] = stats.elapsed
        return True
