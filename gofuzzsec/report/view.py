"""The interface that every front end of a campaign has."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from gofuzzsec.coordinator.events import Event


class View(Protocol):
    """Shows a campaign's events as they come. Entered before the first one, left after the last.

    Not thread-safe: events come from one thread. Leaving must put the terminal back as it was,
    also when an exception passes through.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def emit(self, event: Event) -> None:
        """Show one event. May raise OSError when the reader of the output is gone."""
        ...
