"""Choosing what the measuring loops run, and a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.limit import (
    LEAST_INPUTS,
    MEMORY,
    MOST_INPUTS,
    PASS_SECONDS,
    evenly,
    inputs_for,
    loop_plan,
    measure_limit,
)
from bench.overhead import Cost, empty_limit
from bench.sides import BenchError
from gofuzzsec.toolchain.model import FuzzBinary, Go


def test_a_sample_comes_from_all_over_a_corpus() -> None:
    items = [b"%d" % number for number in range(1000)]
    sample = evenly(items, 10)
    assert sample == [b"%d" % number for number in range(0, 1000, 100)]
    assert evenly(items[:3], 10) == items[:3]


@pytest.mark.parametrize(
    ("each", "size", "expected"),
    [
        (1e-3, 100, int(PASS_SECONDS / 1e-3)),
        (10.0, 100, LEAST_INPUTS),
        (0.0, 1, MOST_INPUTS),
        (1e-6, 1 << 20, MEMORY // ((2 << 20) + 256)),
    ],
)
def test_a_pass_takes_its_time_but_bounded_memory(each: float, size: int, expected: int) -> None:
    assert inputs_for(each, [bytes(size)] * 3) == expected


def test_inputs_may_grow_to_twice_the_longest() -> None:
    plan = loop_plan([bytes(10), bytes(5000)], 64, seed=3)
    assert (plan.limit, plan.max_len, plan.solve) == (64, 10000, False)
    assert loop_plan([bytes(3 << 20)], 64, seed=3).max_len == 3 << 20


def test_a_corpus_of_nothing_is_refused(targets: FuzzBinary) -> None:
    with pytest.raises(BenchError, match="at least one input"):
        measure_limit(targets, "FuzzX", [])


def test_the_cost_of_capture_is_the_median_pairs() -> None:
    cost = Cost(10, ((10.2, 10.0), (11.0, 10.0), (10.0, 10.0)))
    assert cost.percent == pytest.approx(2.0)
    assert cost.floor == pytest.approx(0.0)
    assert list(cost.spread) == pytest.approx([0.0, 10.0])


def test_an_empty_fuzz_function_is_all_engine(go: Go, tmp_path: Path) -> None:
    limit = empty_limit(go, tmp_path)
    assert len(limit.pairs) == 5
    assert limit.inputs > 1000
    assert 0 < limit.plain_us < limit.engine_us
    assert 0 < limit.ratio < 0.9
