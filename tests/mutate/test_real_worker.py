"""`replay` against real workers: each failure says which values the worker had made.

The probe fails after a random number of executions, so a request ends after one to five mutations
of one chain, mostly after a few chains.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gofuzzsec.corpus import GoType, Input, Value, marshal
from gofuzzsec.mutate import replay
from gofuzzsec.worker import Fuzz, Verdict, Worker
from tests import strategies
from tests.goprobe.fixtures import TARGETS, StartProbe, said, show

ONE_WORKER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
TIMEOUT = 60.0


def check(worker: Worker, values: Input) -> int:
    """Let *worker* mutate *values* until the probe fails; the number of executions it took."""
    outcome = worker.call(Fuzz(TIMEOUT), marshal(values))
    assert outcome.verdict is Verdict.FAIL, outcome.message
    mutations = (outcome.count - 1) % 5 + 1
    rebuilt = replay(values, outcome.rand_state, outcome.rand_inc, mutations, worker.spec.shm_size)
    assert show(rebuilt) == said(outcome.message)
    return outcome.count


@pytest.mark.parametrize("target", TARGETS)
def test_every_type_and_combination(target: str, start_probe: StartProbe) -> None:
    worker = start_probe(target)
    counts: list[int] = []

    @ONE_WORKER
    @given(strategies.inputs(TARGETS[target]))
    def agrees(values: Input) -> None:
        for _ in range(3):
            counts.append(check(worker, values))

    agrees()
    while len(counts) < 100:  # bool has two values only
        counts.append(check(worker, (Value(GoType.BOOL, True),)))
    assert {(count - 1) % 5 for count in counts} == set(range(5))
    assert max(counts) > 5


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 40, 61_000])
def test_byte_slices_of_any_length(size: int, start_probe: StartProbe) -> None:
    worker = start_probe("FuzzBytes")
    seed = (Value(GoType.BYTES, bytes(range(256)) * (size // 256) + bytes(range(size % 256))),)
    for _ in range(150 if size < 1000 else 50):
        check(worker, seed)


@pytest.mark.parametrize("target", ["FuzzBytesBytes", "FuzzBytesString", "FuzzBytesStringBytesInt"])
def test_mutated_slices_share_one_buffer(target: str, start_probe: StartProbe) -> None:
    """The longer argument sees what is done to the shorter one after it in a chain."""
    worker = start_probe(target)
    kinds = TARGETS[target]

    @ONE_WORKER
    @given(st.lists(st.integers(0, 300), min_size=len(kinds), max_size=len(kinds)))
    def agrees(sizes: list[int]) -> None:
        values = tuple(
            Value(kind, size if kind is GoType.INT else bytes([65 + place]) * size)
            for place, (kind, size) in enumerate(zip(kinds, sizes, strict=True))
        )
        check(worker, values)

    agrees()


def test_a_small_buffer_limits_insertions(start_probe: StartProbe) -> None:
    """A value that nearly fills its share: most insertions no longer fit, and draw again."""
    worker = start_probe("FuzzBytes", shm_size=2000)
    for size in (1900, 1899, 1895, 1870, 1000):
        for _ in range(60):
            check(worker, (Value(GoType.BYTES, b"m" * size),))


def test_the_shared_memory_as_go_itself_makes_it(start_probe: StartProbe) -> None:
    worker = start_probe("FuzzBytesString", shm_size=100 << 20)
    for _ in range(50):
        check(worker, (Value(GoType.BYTES, b"x" * 3000), Value(GoType.STRING, b"y" * 100)))


def test_floats_that_are_not_numbers(start_probe: StartProbe) -> None:
    for target, kind, patterns in (
        ("FuzzFloat32", GoType.FLOAT32, [0x7FC00000, 0x7F800001, 0xFFBFFFFF, 0x7F800000, 1 << 31]),
        ("FuzzFloat64", GoType.FLOAT64, [0x7FF8 << 48 | 1, 0x7FF0 << 48 | 9, 0xFFF0 << 48, 1]),
    ):
        worker = start_probe(target)
        for bits in patterns:
            for _ in range(20):
                check(worker, (Value(kind, bits),))
