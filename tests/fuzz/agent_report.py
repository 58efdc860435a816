"""What the agent in a boosted worker leaves in shared memory, which the code under test may have
written over: the header's words, then the records of results."""

import os
import struct
from pathlib import Path

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.corpus.values import GoType
    from gofuzzsec.worker import agent_wire as wire
    from gofuzzsec.worker.agent_dialect import AgentDialect
    from gofuzzsec.worker.agent_wire import Batch, Loop, Plan
    from gofuzzsec.worker.protocol import Run, Verdict

TYPES = (GoType.BYTES, GoType.INT, GoType.BOOL, GoType.FLOAT32)
PLAN = Plan((), 1, 1, 1.0, 100, False, 0)
REQUESTS = (Run(), Batch(()), PLAN, Loop(PLAN))
HEADER = struct.Struct("<BHHHB")
"""The request, then words 0, 1 and 10 of the header, which are counts, and the end."""
DIALECT = AgentDialect(TYPES, Path("/tmp"))
RESULTS = 4096 + (64 << 20) + (192 << 20)
INPUT = wire.encode_input(())


def word(at: int, value: int) -> None:
    os.pwrite(DIALECT.fd, value.to_bytes(8, "little"), 8 * at)


def record(kind: int, *parts: bytes | int) -> bytes:
    body = b"".join(p if isinstance(p, bytes) else p.to_bytes(8, "little") for p in parts)
    return struct.pack("<II", kind, 8 + len(body)) + body


def block(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def start() -> None:
    for at, value in ((wire.MAGIC_AT, wire.MAGIC), (wire.COUNTERS, 100), (wire.ARGS, len(TYPES))):
        word(at, value)
    word(wire.CALLS, wire.CALL_FEATURES)
    DIALECT.check_start(b"ok\n")


def seeds() -> list[bytes]:
    one = struct.pack("<4I", 1, 9, 10, 14) + b"a" + bytes(13)
    features = struct.pack("<3I", 2, 5, 77)
    records = (
        record(1, struct.pack("<I", 1), 2, 3, features, features, block(one), block(b"main.F x:1")),
        record(2, 7, 8, block(b"panic: x"), block(one)),
        record(3, struct.pack("<I", 1)),
        record(4, 9, 5),
        record(5, 1, 2, struct.pack("<II", 3, 1)),
        record(6, struct.pack("<I", 1), 99, features, block(b"text"), block(b"")),
        record(6, *range(10)),
        record(7, block(b"token")),
    )
    whole = [HEADER.pack(n % 4, 1, 22, 3, 0) + one for n, one in enumerate(records)]
    return [*whole, HEADER.pack(2, 5, 0, 9, 1) + b"".join(records)]


def read(data: bytes) -> None:
    kind, count, length, runs, end = HEADER.unpack(data[: HEADER.size].ljust(HEADER.size, b"\0"))
    results = data[HEADER.size :]
    os.pwrite(DIALECT.fd, results, RESULTS)
    os.pwrite(DIALECT.fd, results, 4096)
    # A large count is one that makes no sense.
    for at, value in (
        (wire.COUNT, count << 48),
        (wire.INPUT_LEN, length),
        (wire.HAVOC_RUNS, runs << 50),
        (wire.END, end),
        (wire.RESULTS_LEN, len(results)),
    ):
        word(at, value & (1 << 64) - 1)
    request = REQUESTS[kind % len(REQUESTS)]
    dead = DIALECT.death(request, Verdict.CRASH, "", 0)
    assert dead.count <= wire.MOST
    found = DIALECT.outcome(request, b"ok\n")
    assert found.report is not None


if __name__ == "__main__":
    start()
    fuzz(read, seeds(), longest=2048)
