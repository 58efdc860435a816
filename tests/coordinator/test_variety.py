"""Starting points that differ from entries."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coordinator.variety import crossed, stacked
from gofuzzsec.corpus.values import GoType, Value

inputs = st.tuples(st.binary(max_size=50), st.integers(-100, 100)).map(
    lambda pair: (Value(GoType.BYTES, pair[0]), Value(GoType.INT, pair[1]))
)


@given(inputs, inputs, st.integers(0, 2**32))
def test_crossing_keeps_types_and_adds_nothing_of_its_own(
    first: tuple[Value, ...], second: tuple[Value, ...], seed: int
) -> None:
    result = crossed(first, second, random.Random(seed))
    assert [value.type for value in result] == [value.type for value in first]
    raw = result[0].raw
    assert isinstance(raw, bytes)
    assert isinstance(first[0].raw, bytes) and isinstance(second[0].raw, bytes)
    assert set(raw) <= set(first[0].raw) | set(second[0].raw)
    assert len(raw) <= len(first[0].raw) + len(second[0].raw)
    assert result[1].raw in (first[1].raw, second[1].raw)


def test_crossing_mixes_both_parents() -> None:
    first, second = ((Value(GoType.STRING, text),) for text in (b"aaaaaaaa", b"bbbbbbbb"))
    results = {crossed(first, second, random.Random(seed))[0].raw for seed in range(100)}
    assert sum(1 for raw in results if isinstance(raw, bytes) and {*raw} == {*b"ab"}) > 20


@given(inputs, st.integers(0, 2**32))
def test_stacking_is_decided_by_the_random_source(values: tuple[Value, ...], seed: int) -> None:
    once = stacked(values, random.Random(seed), 1 << 16)
    assert once == stacked(values, random.Random(seed), 1 << 16)
    assert [value.type for value in once] == [value.type for value in values]
