"""What a coordinator and the agent in a boosted worker say to each other through shared memory.

The other side is ``agent/fuzz/wire.go``: the constants here and there must agree, and the layout's
version is in `MAGIC`. All numbers are little-endian. An *input* travels as the end offsets of its
arguments (uint32 each), then its arguments: bytes as they are, scalars in their own width.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.coverage import Features
from gofuzzsec.errors import ProtocolError

MAGIC = 0x6167667A73656304

# Words of the header.
COUNT, INPUT_LEN, MAGIC_AT, COUNTERS, CALLS, ARGS = range(6)
REQUEST, REQUEST_LEN, RESULTS_LEN, END = range(6, 10)
HAVOC_RUNS, SOLVE_RUNS, TRIM_RUNS, CONFIRM_RUNS = range(10, 14)
INPUT_AT, INPUT_CAP, REQUEST_AT, REQUEST_CAP, RESULTS_AT, RESULTS_CAP = range(14, 20)
STOP, WATCHED = range(20, 22)

REQUEST_BATCH, REQUEST_PLAN, REQUEST_LOOP = 1, 2, 3
END_DONE, END_LIMIT, END_TIME, END_FULL, END_STOP = range(5)
_FIND, _FAIL, _SOLVED, _AGAIN, _ITEM, _RESULT, _TOKEN, _INCIDENCE = range(1, 9)
_LOOP_PAIRS = 5

MOST = 1 << 48
"""No count or time in nanoseconds is larger; sums of them fit the store's integers."""

CALL_FEATURES = 16384
"""System call features, one bit each behind the counters of a known map (see syscalls.classes)."""

LOCAL_PARENT = 1 << 63
"""Set in a find's parent when that is an earlier find of the same plan, by its number."""

_WIDTHS = {
    GoType.BOOL: 1,
    GoType.BYTE: 1,
    GoType.RUNE: 4,
    GoType.INT: 8,
    GoType.INT8: 1,
    GoType.INT16: 2,
    GoType.INT64: 8,
    GoType.UINT: 8,
    GoType.UINT16: 2,
    GoType.UINT32: 4,
    GoType.UINT64: 8,
    GoType.FLOAT32: 4,
    GoType.FLOAT64: 8,
}
_SIGNED = frozenset({GoType.RUNE, GoType.INT, GoType.INT8, GoType.INT16, GoType.INT64})


def encode_input(values: Input) -> bytes:
    """*values* as they travel."""
    parts = []
    ends = []
    end = 0
    for value in values:
        raw = value.raw
        if not isinstance(raw, bytes):
            width = _WIDTHS[value.type]
            raw = (int(raw) & ((1 << (8 * width)) - 1)).to_bytes(width, "little")
        parts.append(raw)
        end += len(raw)
        ends.append(end)
    return struct.pack(f"<{len(ends)}I", *ends) + b"".join(parts)


def decode_input(wire: bytes, types: Sequence[GoType]) -> Input:
    """The values in *wire*. Raises ProtocolError when it does not fit *types*."""
    count = len(types)
    data = wire[4 * count :]
    try:
        ends = struct.unpack_from(f"<{count}I", wire)
        values = []
        start = 0
        for type_, end in zip(types, ends, strict=True):
            raw = data[start:end]
            if end < start or end > len(data):
                raise ValueError(f"an argument from {start} to {end} of {len(data)} bytes")
            values.append(Value(type_, _scalar(type_, raw)))
            start = end
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"expected an input of the target from the agent: {error}") from error
    return tuple(values)


def _scalar(type_: GoType, raw: bytes) -> bytes | bool | int:
    width = _WIDTHS.get(type_)
    if width is None:
        return raw
    if len(raw) != width:
        raise ValueError(f"a {type_} of {len(raw)} bytes")
    if type_ is GoType.BOOL:
        return bool(raw[0])
    return int.from_bytes(raw, "little", signed=type_ in _SIGNED)


# -- requests -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One entry to fuzz: ``energy`` executions of mutations, first ``solve`` its comparisons."""

    id: int
    energy: int
    solve: bool
    wire: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """Fuzz ``items`` in their order. ``limit`` is executions, ``seconds`` time, 0 for no limit.

    ``known`` is the coverage already known, one byte a counter and then the system call bits;
    ``tokens`` a new dictionary of (token, learnt) pairs; None leaves what the agent has.
    ``solve`` lets finds have their comparisons solved at once, in ``solve_budget`` executions.
    """

    items: tuple[PlanItem, ...]
    seed: int
    limit: int
    seconds: float
    max_len: int
    solve: bool
    solve_budget: int
    known: bytes | None = None
    tokens: tuple[tuple[bytes, bool], ...] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Run exactly ``inputs`` (as they travel) and tell about each.

    With ``twice`` each runs two times and its coverage is what both have in common, so that what
    only the first use of a package covers is left out. With ``new_only`` an input that covers
    nothing new is told to cover nothing, and no input's calls are traced.
    """

    inputs: tuple[bytes, ...]
    twice: bool = False
    new_only: bool = False
    known: bytes | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """Measure the engine, for bench/: make ``plan.limit`` mutations of the plan's items, then by
    turns execute them as a campaign does and call the fuzz function with them in a bare loop."""

    plan: Plan


def encode_plan(plan: Plan) -> bytes:
    """The body of a plan request."""
    known = plan.known or b""
    tokens = b"".join(
        struct.pack("<I", len(token) | (1 << 31 if learnt else 0)) + token
        for token, learnt in plan.tokens or ()
    )
    head = struct.pack(
        "<7Q",
        plan.seed & (1 << 64) - 1,
        plan.limit,
        int(plan.seconds * 1e9),
        int(plan.solve),
        plan.max_len,
        plan.solve_budget,
        len(plan.items),
    )
    parts = [head, struct.pack("<Q", len(known)), known, struct.pack("<Q", len(tokens)), tokens]
    for item in plan.items:
        parts.append(struct.pack("<QIII", item.id, item.energy, item.solve, len(item.wire)))
        parts.append(item.wire)
    return b"".join(parts)


def encode_batch(batch: Batch) -> bytes:
    """The body of a batch request."""
    known = batch.known or b""
    parts = [
        struct.pack("<QQQ", len(batch.inputs), batch.twice | batch.new_only << 1, len(known)),
        known,
    ]
    for wire in batch.inputs:
        parts.append(struct.pack("<I", len(wire)))
        parts.append(wire)
    return b"".join(parts)


# -- answers ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Find:
    """A kept input: it ran again, still covers ``fresh``, and was made smaller.

    ``parent`` is the entry it descends from, or `LOCAL_PARENT` with the number of an earlier find.
    ``features`` is all it covers, sorted; ``stacks`` where its new system calls were made.
    """

    number: int
    parent: int
    exec_ns: int
    features: Features
    fresh: Features
    wire: bytes
    stacks: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed execution; ``key`` is equal for failures that look alike to the agent."""

    key: int
    parent: int
    text: str
    wire: bytes


@dataclass(frozen=True, slots=True)
class ItemReport:
    """``executions`` an item took with all it led to, and how many ``finds`` it brought."""

    id: int
    executions: int
    finds: int
    solved: bool


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How one input of a batch ended; ``text`` is a failure's."""

    failed: bool
    exec_ns: int
    features: Features
    text: str
    stacks: str


@dataclass(frozen=True, slots=True)
class Sights:
    """Of ``executions`` of random mutations, how many showed a system call feature, or (from
    `CALL_FEATURES` on, by number) a call of whatever class and outcome. Nothing else of a plan is
    counted: what is solved, confirmed or trimmed is no draw at random."""

    executions: int
    counts: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Report:
    """The records of one request in the order they were written, by kind."""

    finds: list[Find] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    solved: list[int] = field(default_factory=list)  # numbers of finds
    again: dict[int, int] = field(default_factory=dict)  # sights of failures by key
    items: list[ItemReport] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    results: list[BatchResult] = field(default_factory=list)
    sights: list[Sights] = field(default_factory=list)
    end: int = END_DONE
    runs: tuple[int, int, int, int] = (0, 0, 0, 0)  # havoc, solve, trim, confirm
    loops: tuple[tuple[int, int], ...] = ()  # of a Loop: ns of the engine, of the bare loop


class _Cursor:
    """Reads one record's fields. Raises ProtocolError past its end."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.raw(size), "little")

    def amount(self) -> int:
        """A count or a time."""
        return min(self.number(8), MOST)

    def raw(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise ProtocolError("expected a whole record from the agent, found a part of one")
        piece = bytes(self._data[self._at : end])
        self._at = end
        return piece

    def block(self) -> bytes:
        return self.raw(self.number(4))

    def text(self) -> str:
        return self.block().decode("utf-8", "replace")

    def features(self) -> Features:
        return np.sort(np.frombuffer(self.raw(4 * self.number(4)), dtype="<u4").astype(np.uint32))


def decode_records(data: memoryview) -> Report:
    """Everything in the results area. Raises ProtocolError when it makes no sense."""
    report = Report()
    for kind, cursor in _records(data):
        if kind == _FIND:
            report.finds.append(
                Find(
                    number=cursor.number(4),
                    parent=cursor.number(8),
                    exec_ns=cursor.amount(),
                    features=cursor.features(),
                    fresh=cursor.features(),
                    wire=cursor.block(),
                    stacks=cursor.text(),
                )
            )
        elif kind == _FAIL:
            key, parent = cursor.number(8), cursor.number(8)
            report.failures.append(Failure(key, parent, cursor.text(), cursor.block()))
        elif kind == _SOLVED:
            report.solved.append(cursor.number(4))
        elif kind == _AGAIN:
            key = cursor.number(8)
            report.again[key] = report.again.get(key, 0) + cursor.amount()
        elif kind == _ITEM:
            report.items.append(
                ItemReport(
                    cursor.number(8), cursor.amount(), cursor.number(4), bool(cursor.number(4))
                )
            )
        elif kind == _RESULT:
            report.results.append(
                BatchResult(
                    failed=bool(cursor.number(4)),
                    exec_ns=cursor.amount(),
                    features=cursor.features(),
                    text=cursor.text(),
                    stacks=cursor.text(),
                )
            )
        elif kind == _TOKEN:
            report.tokens.append(cursor.block())
        elif kind == _INCIDENCE:
            report.sights.append(_sights(cursor))
        else:
            raise ProtocolError(f"expected a known record from the agent, found kind {kind}")
    return report


def _sights(cursor: _Cursor) -> Sights:
    executions = cursor.amount()
    pairs = np.frombuffer(cursor.raw(8 * cursor.number(4)), dtype="<u4").reshape(-1, 2)
    return Sights(executions, tuple((int(index), int(count)) for index, count in pairs))


def decode_loops(data: memoryview) -> tuple[tuple[int, int], ...]:
    """The times that a `Loop` brought, pair by pair. Raises ProtocolError when there are none."""
    for kind, cursor in _records(data):
        if kind == _RESULT:
            return tuple((cursor.number(8), cursor.number(8)) for _ in range(_LOOP_PAIRS))
    raise ProtocolError("expected the times of a loop from the agent, found none")


def _records(data: memoryview) -> Iterator[tuple[int, _Cursor]]:
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ProtocolError("expected a whole record from the agent, found a part of one")
        kind, length = struct.unpack_from("<II", data, at)
        if length < 8 or at + length > len(data):
            raise ProtocolError(f"expected a record of the agent's, found {length} bytes")
        yield kind, _Cursor(data[at + 8 : at + length])
        at += length
