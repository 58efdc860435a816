"""Making an input smaller without losing what it is kept for.

A *pass* is a generator over one argument: it yields candidates, is sent whether each still does
what matters, and returns the best. Passes know nothing of workers, so each can be read and tested
alone; `shrink` runs them against a check that may take a while, under a deadline. The shape is
Hypothesis' (small passes, one predicate), the first two passes are delta debugging's (Zeller &
Hildebrandt, 2002) with block sizes halved instead of complements tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence

from gofuzzsec.coordinator.talk import Talk
from gofuzzsec.corpus.values import GoType, Input, Value

Pass = Callable[[bytes], Generator[bytes, bool, bytes]]


def truncate_tail(data: bytes) -> Generator[bytes, bool, bytes]:
    """Cut halves, quarters, … of the length off the end, down to single bytes."""
    step = max(len(data) // 2, 1)
    while data:
        step = min(step, len(data))
        if (yield data[:-step]):
            data = data[:-step]
        elif step == 1:
            break
        else:
            step //= 2
    return data


def remove_blocks(data: bytes) -> Generator[bytes, bool, bytes]:
    """Leave out blocks anywhere, large ones first, down to single bytes."""
    size = max(len(data) // 2, 1)
    while data:
        start = 0
        while start < len(data):
            candidate = data[:start] + data[start + size :]
            if (yield candidate):
                data = candidate
            else:
                start += size
        if size == 1:
            break
        size = max(size // 2, 1)
    return data


def remove_large_blocks(data: bytes) -> Generator[bytes, bool, bytes]:
    """`remove_blocks` down to 1/64 of the length: what pays when a check is dear."""
    smallest = max(len(data) // 64, 16)
    size = len(data) // 2
    while size >= smallest:
        start = 0
        while start < len(data):
            candidate = data[:start] + data[start + size :]
            if (yield candidate):
                data = candidate
            else:
                start += size
        size //= 2
    return data


def simplify_bytes(data: bytes) -> Generator[bytes, bool, bytes]:
    """Turn bytes into '0', one at a time: what stays different matters."""
    for index in range(len(data)):
        if data[index] != ord("0"):
            candidate = data[:index] + b"0" + data[index + 1 :]
            if (yield candidate):
                data = candidate
    return data


def shrink_number(value: int) -> Generator[int, bool, int]:
    """Bring an integer towards zero: zero itself, then by halves, then by ones."""
    if value and (yield 0):
        return 0
    step = abs(value) // 2
    sign = 1 if value > 0 else -1
    while step:
        if (yield value - sign * step):
            value -= sign * step
            step = min(step, abs(value))
        else:
            step //= 2
    return value


KEEP_PASSES: tuple[Pass, ...] = (truncate_tail, remove_large_blocks)
CRASH_PASSES: tuple[Pass, ...] = (truncate_tail, remove_blocks, simplify_bytes)

_INTEGERS = frozenset(GoType) - {
    GoType.BYTES,
    GoType.STRING,
    GoType.BOOL,
    GoType.FLOAT32,
    GoType.FLOAT64,
}


def shrink(
    values: Input,
    check: Callable[[Input], Talk[bool]],
    passes: Sequence[Pass],
    deadline: float,
) -> Talk[Input]:
    """The smallest form of *values* that *check* accepts before *deadline* (monotonic seconds)."""
    for index, value in enumerate(values):
        if isinstance(value.raw, bytes):
            for shrink_pass in passes:
                current = values[index].raw
                assert isinstance(current, bytes)
                attempts = shrink_pass(current)
                values = yield from _run_pass(values, index, attempts, check, deadline)
        elif value.type in _INTEGERS:
            numbers = shrink_number(int(value.raw))
            values = yield from _run_pass(values, index, numbers, check, deadline)
    return values


def _run_pass(
    values: Input,
    index: int,
    attempts: Generator[bytes | int, bool, bytes | int],
    check: Callable[[Input], Talk[bool]],
    deadline: float,
) -> Talk[Input]:
    accepted: bool | None = None
    while time.monotonic() < deadline:
        try:
            raw = next(attempts) if accepted is None else attempts.send(accepted)
        except StopIteration:
            break
        candidate = (*values[:index], Value(values[index].type, raw), *values[index + 1 :])
        accepted = yield from check(candidate)
        if accepted:
            values = candidate
    attempts.close()
    return values
