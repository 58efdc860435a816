"""The random generator against its author's and Go's numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.mutate import Pcg
from gofuzzsec.toolchain.model import FuzzBinary
from gofuzzsec.worker import Fuzz, Worker, WorkerSpec

WORDS = st.integers(0, 2**64 - 1)


def test_numbers_of_the_reference_implementation() -> None:
    """The first numbers that pcg32-demo prints for seed 42 and sequence 54."""
    rng = Pcg(0, 54 << 1 | 1)
    rng.uint32()
    rng.state += 42
    rng.uint32()
    numbers = [rng.uint32() for _ in range(6)]
    assert numbers == [0xA15C02B7, 0x7B47F409, 0xBA1D3330, 0x83D2F293, 0xBFA4784B, 0xCBED606E]


@pytest.mark.parametrize("seed", [0, 1, 7, 123456789, 2**62])
def test_seeded_like_a_worker(
    probe: FuzzBinary, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spec = WorkerSpec(
        probe.path,
        "FuzzInt",
        probe.cwd,
        shm_size=4096,
        env=(("GODEBUG", f"fuzzseed={seed}"), ("PROBE", "always")),
    )
    worker = Worker(spec, tmp_path_factory.mktemp("seeded"))
    try:
        worker.start()
        outcome = worker.call(Fuzz(60.0), b"go test fuzz v1\nint(1)\n")
    finally:
        worker.close()
    rng = Pcg.seeded(seed, 1)
    assert (outcome.rand_state, outcome.rand_inc) == (rng.state, rng.inc)


@given(WORDS, WORDS, st.integers(1, 2**32 - 1))
def test_bounded_numbers_stay_within_bounds(state: int, inc: int, bound: int) -> None:
    rng = Pcg(state, inc | 1)
    assert all(0 <= rng.intn(bound) < bound for _ in range(20))
    assert 0 <= rng.state < 2**64


@given(WORDS, WORDS)
def test_a_bound_of_zero_draws_once(state: int, inc: int) -> None:
    rng, twin = Pcg(state, inc), Pcg(state, inc)
    assert rng.intn(0) == 0
    twin.uint32()
    assert rng.state == twin.state


def test_rejected_numbers_are_drawn_again() -> None:
    """With a bound just above half the range, nearly every second number is rejected."""
    bound = 2**31 + 1
    rng, counting = Pcg.seeded(3, 1), Pcg.seeded(3, 1)
    for _ in range(100):
        rng.intn(bound)
    draws = 0
    while counting.state != rng.state:
        counting.uint32()
        draws += 1
    assert 150 < draws < 260


def state_before(word: int) -> int:
    """A state whose next number is *word*: the output function, undone from its top bit down."""
    state = 0  # its top five bits turn the word by nothing
    for bit in range(58, 26, -1):
        state |= ((word >> bit - 27 & 1) ^ (state >> bit + 18 & 1)) << bit
    return state


def test_the_first_number_above_the_threshold_is_taken() -> None:
    """For this bound 2^31 - 1 low words are too many; the last number's is exactly that."""
    bound = 2**31 + 1
    largest, one_less = Pcg(state_before(2**32 - 1), 1), Pcg(state_before(2**32 - 3), 1)
    twin = Pcg(largest.state, 1)
    assert twin.uint32() == 2**32 - 1
    assert largest.intn(bound) == 2**31
    assert largest.state == twin.state
    state = one_less.state
    one_less.intn(bound)
    twin = Pcg(state, 1)
    twin.uint32()
    assert one_less.state != twin.state


@pytest.mark.parametrize("bound", [-1, 2**32])
def test_bounds_beyond_32_bits_are_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="expected a bound of 32 bits"):
        Pcg(1, 1).intn(bound)
