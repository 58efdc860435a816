"""Knowing the Go runtime's network poller in a trace, whose calls go through the shared stub."""

from __future__ import annotations

from gofuzzsec.syscalls.trace import Call


class Poller:
    """Knows the Go runtime's epoll descriptor. One owner, which tells it every call.

    `runtime.netpollinit` makes it with epoll_create1, eventfd2 (until Go 1.21: the runtime's pipe2)
    and epoll_ctl in a row; a first epoll_create1 that is not followed so was somebody else's.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        self._tid = 0
        self._step = 0  # 1: after epoll_create1, 2: after eventfd2 or pipe2, 3: done

    def claims(self, call: Call) -> bool:
        """Whether *call* (from the stub) is the runtime's poller's own."""
        if self._step in (1, 2) and call.tid == self._tid:
            expected = ("eventfd2", "epoll_ctl")[self._step - 1]
            self._step = self._step + 1 if call.name == expected else 0
            return self._step > 0
        if call.name == "epoll_create1" and self._step == 0:
            self._tid, self._step = call.tid, 1
            return True
        if call.name in ("epoll_pwait", "epoll_wait"):
            return self._step == 3 and call.argument(0) == self._fd
        return False

    def piped(self, call: Call) -> None:
        """*call* is a pipe2 of the runtime's own."""
        if self._step == 1 and call.tid == self._tid:
            self._step = 2

    def failed(self, call: Call) -> bool:
        """Whether *call*, the next of its thread, shows that the epoll_create1 before it was not
        the runtime's after all."""
        return self._step == 1 and call.tid == self._tid and call.name != "eventfd2"

    def returned(self, call: Call, result: int | None) -> None:
        """*call* ended with *result*."""
        if call.name == "epoll_create1" and self._step == 1 and call.tid == self._tid:
            self._fd = result
