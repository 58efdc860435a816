"""What holds of mutations without asking Go: limits, errors, and who shares the buffer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.corpus import GoType, Input, Value, marshal, types_of
from gofuzzsec.errors import CorpusError
from gofuzzsec.mutate import Mutator, Pcg, replay
from tests import strategies

RNGS = st.builds(Pcg.seeded, st.integers(0, 2**64 - 1), st.integers(1, 2**63))
LARGE = 100 << 20


@given(st.lists(st.sampled_from(GoType), min_size=1, max_size=6).flatmap(strategies.inputs), RNGS)
def test_any_chain_keeps_types_and_can_be_written(seed: Input, rng: Pcg) -> None:
    start = (rng.state, rng.inc)
    values = list(seed)
    mutator = Mutator(rng, LARGE)
    for done in range(1, 6):
        mutator.mutate(values)
        assert types_of(values) == types_of(seed)
        assert replay(seed, *start, done, LARGE) == tuple(values)
        marshal(values)


@given(st.binary(max_size=100), RNGS)
def test_results_stay_below_the_capacity(data: bytes, rng: Pcg) -> None:
    values = [Value(GoType.BYTES, data)]
    mutator = Mutator(rng, 220)
    for _ in range(50):
        mutator.mutate(values)
        raw = values[0].raw
        assert isinstance(raw, bytes) and len(raw) < max(120, len(data) + 1)


def test_no_mutation_at_all() -> None:
    seed = (Value(GoType.INT, 1),)
    assert replay(seed, 1, 1, 0, LARGE) == seed


def test_values_replaced_by_the_caller_are_no_views() -> None:
    """Between chains a worker goes back to the seed, which later mutations must not change."""
    seed = [Value(GoType.BYTES, b"a" * 50), Value(GoType.BYTES, b"b" * 50)]
    for stream in range(1, 100):
        mutator = Mutator(Pcg.seeded(1, stream), LARGE)
        values = list(seed)
        for _ in range(5):
            mutator.mutate(values)
        values = list(seed)
        mutator.mutate(values)
        assert values[0] is seed[0] or values[1] is seed[1]


def test_views_of_an_outgrown_buffer_stay_as_they_are() -> None:
    """A list of fewer values has a larger share each, so a new and larger buffer."""
    three = [Value(GoType.BYTES, b"a" * 50)] * 3
    mutator = Mutator(Pcg.seeded(1, 1), 3000)
    mutator.mutate(three)
    (changed,) = (value for value in three if value.raw != b"a" * 50)
    two = [changed, Value(GoType.INT, 0)]
    before = changed.raw
    while two[0] is changed:
        mutator.mutate(two)
    assert changed.raw == before


def test_nothing_to_mutate() -> None:
    with pytest.raises(CorpusError, match="at least one value"):
        replay((), 1, 1, 1, LARGE)


@pytest.mark.parametrize(
    ("size", "max_bytes"), [(901, 1000), (1, 100), (0, 100), (0, 0), (0, 101), (5000, 40)]
)
def test_values_too_large_for_the_shared_memory(size: int, max_bytes: int) -> None:
    """Where Go would panic or, with no room for any mutation, loop for ever."""
    with pytest.raises(
        CorpusError, match=f"argument 1, as Go changes no longer ones, found {size}"
    ):
        replay((Value(GoType.STRING, b"x" * size),), 1, 1, 1, max_bytes)
