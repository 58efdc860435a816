"""How a worker is spoken to: where requests and inputs go, and what an answer means.

A `Dialect` owns the memory shared with one worker process after another. The stock one is Go's own
protocol; the agent's is that of a boosted binary (`worker.agent_dialect`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gofuzzsec.errors import ProtocolError
from gofuzzsec.worker import protocol
from gofuzzsec.worker.memory import SharedMemory
from gofuzzsec.worker.protocol import Outcome, Request, Verdict


class Dialect(Protocol):
    """What a `Worker` needs to know of the language its process speaks."""

    fd: int
    ping: bytes

    def forget(self) -> None:
        """Take back the last request, so that a new process does not begin with it."""

    def load(self, request: Request, data: bytes) -> bytes:
        """Put the request into memory; the line that asks for it. Raises UsageError when *data*
        does not fit."""

    def count(self) -> int:
        """Executions begun since `load`; safe to read at any moment."""

    def check_start(self, line: bytes) -> None:
        """Look at the answer to ``ping``. Raises ProtocolError when this is no such worker."""

    def outcome(self, request: Request, line: bytes) -> Outcome:
        """What the reply *line* to *request* says. Raises ProtocolError."""

    def death(self, request: Request | None, verdict: Verdict, message: str, ns: int) -> Outcome:
        """The outcome of a request over which the process ended after *ns* in its execution."""

    def close(self) -> None:
        """Give back the memory."""


class StockDialect:
    """Go's own: JSON lines, the value in shared memory behind a header of 40 bytes."""

    ping = protocol.PING

    def __init__(self, size: int, folder: Path) -> None:
        """*size* is bytes of the value area; *folder* is for a kernel without memfd."""
        self._memory = SharedMemory(size, folder)
        self.fd = self._memory.fd

    def forget(self) -> None:
        """A stock request is on the pipe, which a new process has of its own."""

    def load(self, request: Request, data: bytes) -> bytes:
        self._memory.put(data)
        return protocol.encode(request)

    def count(self) -> int:
        return self._memory.count()

    def check_start(self, line: bytes) -> None:
        """Whatever is on the line, a worker answered."""

    def outcome(self, request: Request, line: bytes) -> Outcome:
        reply = protocol.decode(line)
        internal = protocol.text_field(reply, "InternalErr")
        if internal:
            raise ProtocolError(f"the worker refused the request: {internal}")
        message = protocol.text_field(reply, "Err")
        minimising = isinstance(request, protocol.Minimise)
        duration = "Duration" if minimising else "InterestingDuration"
        header = self._memory.header()
        return Outcome(
            verdict=Verdict.FAIL if message else Verdict.OK,
            count=header.count,
            coverage=protocol.coverage_field(reply),
            message=message,
            duration_ns=protocol.number_field(reply, duration),
            data=self._memory.value(),
            rand_state=header.rand_state,
            rand_inc=header.rand_inc,
            wrote=bool(reply.get("WroteToMem")),
        )

    def death(self, request: Request | None, verdict: Verdict, message: str, ns: int) -> Outcome:
        header = self._memory.header()
        return Outcome(
            verdict=verdict,
            count=header.count,
            coverage=None,
            message=message,
            duration_ns=ns,
            data=self._memory.value(),
            rand_state=header.rand_state,
            rand_inc=header.rand_inc,
            raw_in_mem=header.raw_in_mem,
        )

    def close(self) -> None:
        self._memory.close()
