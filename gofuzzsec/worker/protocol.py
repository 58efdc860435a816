"""The words a coordinator and a Go fuzz worker exchange, and what became of a request.

The protocol is that of Go's `internal/fuzz` (Go 1.21 to 1.27): one JSON object a line on two
pipes, the input itself in shared memory. Byte slices travel as base64, durations as nanoseconds.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gofuzzsec.errors import ProtocolError
from gofuzzsec.worker.agent_wire import Batch, Loop, Plan, Report

CHAINED_MUTATIONS = 5
"""A worker goes back to the seed, and saves its PRNG state, before every 5th execution."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of exactly the value in shared memory (Go calls it a warm-up)."""


@dataclass(frozen=True, slots=True)
class Fuzz:
    """Mutate the value in shared memory and run, until something is new or the budget is spent.

    ``timeout`` is seconds; ``limit`` is executions, 0 for none. ``coverage`` holds one byte a
    counter, the bits already known; None leaves the worker's copy as it is.
    """

    timeout: float
    limit: int = 0
    coverage: bytes | None = None


@dataclass(frozen=True, slots=True)
class Minimise:
    """Shrink argument ``index`` with Go's own minimiser.

    ``keep`` holds the coverage bits that must survive; None means that the failure must.
    """

    timeout: float
    limit: int
    index: int
    keep: bytes | None


Request = Run | Fuzz | Minimise | Plan | Batch | Loop
"""`Fuzz` and `Minimise` are for stock workers, `Plan`, `Batch` and `Loop` for boosted ones."""


class Verdict(StrEnum):
    """What became of a request."""

    OK = "ok"
    FAIL = "fail"  # the test failed (t.Fatal and friends); the worker lives
    CRASH = "crash"  # the process died of the input
    HANG = "hang"  # an execution took longer than the limit; the process was killed
    OOM = "oom"  # the process ran out of the memory it was allowed
    KILLED = "killed"  # the process was ended from outside; the input is not to blame
    BROKEN = "broken"  # the reply was not in the protocol; the process was killed


DEAD = frozenset({Verdict.CRASH, Verdict.HANG, Verdict.OOM, Verdict.KILLED, Verdict.BROKEN})
"""Verdicts after which the worker process is gone."""

BLAMES_INPUT = frozenset({Verdict.FAIL, Verdict.CRASH, Verdict.HANG, Verdict.OOM})
"""Verdicts that make the input worth reporting."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one request, or how the worker died over it.

    ``count`` is executions begun. ``coverage`` is one byte a counter (highest set bit of the
    count), None when the worker sent none: after `Fuzz` it is there only for a find.
    ``duration_ns`` is of the one execution that matters (Run, find) or of the request (Minimise).
    ``data`` is the value area of shared memory afterwards. ``rand_state`` and ``rand_inc`` are the
    PRNG when the current chain of mutations began. ``wrote`` says that Minimise put a smaller
    corpus file into ``data``; ``raw_in_mem`` that ``data`` is the bare argument of a minimisation
    that the worker did not survive. A boosted worker leaves ``data`` empty unless it died: then it
    is the input it died of, as a corpus file. ``report`` is what `Plan` and `Batch` brought, also
    when the worker died over them.
    """

    verdict: Verdict
    count: int
    coverage: bytes | None
    message: str
    duration_ns: int
    data: bytes
    rand_state: int
    rand_inc: int
    wrote: bool = False
    raw_in_mem: bool = False
    report: Report | None = None


PING = b'{"Ping":{}}\n'


def encode(request: Request) -> bytes:
    """One request line as a stock worker reads it. Raises ProtocolError for a boosted one's."""
    body: dict[str, Any]
    match request:
        case Run():
            body = {"Fuzz": {"Timeout": 0, "Limit": 0, "Warmup": True}}
        case Fuzz(timeout, limit, coverage):
            fuzz: dict[str, Any] = {"Timeout": int(timeout * 1e9), "Limit": limit, "Warmup": False}
            if coverage is not None:
                fuzz["CoverageData"] = _base64(coverage)
            body = {"Fuzz": fuzz}
        case Minimise(timeout, limit, index, keep):
            minimise: dict[str, Any] = {
                "Timeout": int(timeout * 1e9),
                "Limit": limit,
                "Index": index,
            }
            if keep is not None:
                minimise["KeepCoverage"] = _base64(keep)
            body = {"Minimize": minimise}
        case Plan() | Batch() | Loop():
            raise ProtocolError("expected a request for a stock worker, found a boosted one's")
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The object on one reply line. Raises ProtocolError when it is none."""
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError) as error:
        found = repr(line[:80])
        raise ProtocolError(f"expected a JSON object from the worker, found {found}") from error
    if not isinstance(reply, dict):
        raise ProtocolError(f"expected a JSON object from the worker, found {line[:80]!r}")
    return reply


def text_field(reply: dict[str, Any], name: str) -> str:
    """A string of a reply, "" when absent. Raises ProtocolError for any other type."""
    value = reply.get(name) or ""
    if not isinstance(value, str):
        raise ProtocolError(f"expected a string in the reply's {name}, found {value!r:.80}")
    return value


def number_field(reply: dict[str, Any], name: str) -> int:
    """An integer of a reply, 0 when absent. Raises ProtocolError for any other type."""
    value = reply.get(name, 0)
    if not isinstance(value, int):
        raise ProtocolError(f"expected a number in the reply's {name}, found {value!r:.80}")
    return value


def coverage_field(reply: dict[str, Any]) -> bytes | None:
    """The counters of a reply, None when it has none. Raises ProtocolError for bad base64."""
    value = reply.get("CoverageData")
    if value is None:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ProtocolError("expected base64 in the reply's CoverageData") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
