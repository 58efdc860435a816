"""How long a verification may take, and on how much of the machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType


class Limits:
    """Says when to stop: the time is over, or the user asked for it.

    Within the ``with`` block the first SIGINT or SIGTERM makes it end in order, with what is known
    so far; the second one raises KeyboardInterrupt. Signals reach only the main thread; elsewhere
    there is only the time.
    """

    def __init__(self, seconds: float | None = None, workers: int | None = None) -> None:
        """*seconds* from now, None for no limit; *workers* None for one a processor."""
        self._until = None if seconds is None else time.monotonic() + seconds
        self.workers = workers or len(os.sched_getaffinity(0))
        self._interrupted = False
        self._whole: Limits | None = None
        self._old: dict[int, object] = {}

    @property
    def interrupted(self) -> bool:
        """Whether the user wants it to end."""
        return self._interrupted or (self._whole is not None and self._whole.interrupted)

    @property
    def left(self) -> float | None:
        """Seconds left, not below 0; None without a limit."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.interrupted or self.left == 0.0

    def portion(self, share: float) -> Limits:
        """Limits that leave *share* (0 to 1) of the time that these have left, and end with them.
        Not to be entered."""
        left = self.left
        made = Limits(None if left is None else left * share, self.workers)
        made._whole = self
        return made

    def __enter__(self) -> Limits:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
