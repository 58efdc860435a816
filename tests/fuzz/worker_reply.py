"""A stock worker's replies: a JSON line, and the header of shared memory, which is the worker's to
write to. The first byte chooses what was asked, 40 are the header, the rest is the line; or, when
the first byte's highest bit is set, pairs of bytes that choose a field and its value."""

import json
import os
from pathlib import Path

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.worker.dialect import StockDialect
    from gofuzzsec.worker.protocol import Fuzz, Minimise, Run, Verdict

REQUESTS = (Run(), Fuzz(1.0, 100), Minimise(1.0, 100, 0, None))
LINES = (
    b"{}\n",
    b'{"TotalDuration":1,"InterestingDuration":2,"Count":3,"CoverageData":"AAEC","Err":"panic"}\n',
    b'{"WroteToMem":true,"Err":"","CoverageData":null,"Duration":12345678901234567890,"Count":1}\n',
    b'{"InternalErr":"worker: \\ud800","Count":1e400}\n',
    b"[" * 100,
)
HEADER = bytes(8) + b"\x05" + bytes(31)
SEEDS = (
    *(bytes([n]) + HEADER + line for n, line in enumerate(LINES)),
    b"\x80" + HEADER + bytes(range(14)),
)
WORDS = (b'"Err":', b'"CoverageData":', b'"InterestingDuration":', b'"InternalErr":', b'"Count":')
FIELDS = (
    "Err", "InternalErr", "CoverageData", "Duration", "InterestingDuration", "WroteToMem", "Count",
)  # fmt: skip
VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1 << 70, 1.5, float("inf"), float("nan"), "", "text", "\ud800",
    "AAEC", "AAE", "é", [], [1], {}, {"Err": "x"},
)  # fmt: skip
SIZE = 64
DIALECT = StockDialect(SIZE, Path("/tmp"))


def line_of(data: bytes) -> bytes:
    rest = data[41:]
    if not data or data[0] < 128:
        return rest
    chosen = zip(rest[::2], rest[1::2], strict=False)
    reply = {FIELDS[a % len(FIELDS)]: VALUES[b % len(VALUES)] for a, b in chosen}
    return json.dumps(reply).encode() + b"\n"


def read(data: bytes) -> None:
    request = REQUESTS[data[0] % len(REQUESTS)] if data else REQUESTS[0]
    os.pwrite(DIALECT.fd, data[1:41].ljust(40, b"\0"), 0)
    dead = DIALECT.death(request, Verdict.CRASH, "", 0)
    assert len(dead.data) <= SIZE
    found = DIALECT.outcome(request, line_of(data))
    assert found.verdict in (Verdict.OK, Verdict.FAIL)
    assert found.coverage is None or isinstance(found.coverage, bytes)
    assert isinstance(found.message, str) and isinstance(found.duration_ns, int)


if __name__ == "__main__":
    fuzz(read, SEEDS, words=WORDS)
