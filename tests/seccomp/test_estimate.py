"""Estimates against what is known: made-up populations, formulas by hand, the corners."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.populations import EXECUTIONS, SHAPES, SIZES, Coverage, coverage
from gofuzzsec.seccomp.estimate import (
    Part,
    campaign_estimate,
    campaign_predict,
    estimate,
    halves,
    poisson_high,
    predict,
    total,
)

RUNS = 120
HELD = 0.9


@pytest.fixture(scope="module")
def cells() -> list[Coverage]:
    """Every shape, size and number of executions, the same on every machine."""
    return [
        coverage(shape, size, executions, runs=RUNS)
        for shape in SHAPES
        for size in SIZES
        for executions in EXECUTIONS
    ]


def test_the_interval_holds_the_truth_where_sampling_can_show_it(cells: list[Coverage]) -> None:
    """Everything is expected to show at least once; it need not have been seen."""
    visible = [cell for cell in cells if cell.visible]
    assert len(visible) > 60
    assert {cell.shape for cell in visible} == SHAPES.keys()
    assert min(cell.seen for cell in visible) < 0.7, "else nothing is left to estimate"
    for cell in visible:
        assert cell.richness >= HELD, cell


def test_elsewhere_the_interval_holds_what_it_claims(cells: list[Coverage]) -> None:
    """Not the whole truth (docs/completeness.md has the figures), but no less than what is in
    reach, and no more than there is."""
    hidden = [cell for cell in cells if not cell.visible]
    assert min(cell.richness for cell in hidden) < 0.1, "no estimator sees these; the table says so"
    for cell in cells:
        assert cell.reach >= HELD, cell


def test_the_next_execution_is_bounded_whatever_the_shape(cells: list[Coverage]) -> None:
    for cell in cells:
        assert cell.next_new >= HELD, cell


def test_the_second_half_is_predicted_whatever_the_shape(cells: list[Coverage]) -> None:
    assert sum(cell.prediction for cell in cells) / len(cells) >= 0.95
    for cell in cells:
        assert cell.prediction >= 0.85, cell


# -- by hand ------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_papers() -> None:
    counts = [1] * 10 + [2] * 5 + [9] * 30
    found = estimate(100, counts)
    assert (found.seen, found.once, found.twice) == (45, 10, 5)
    assert found.next_new == pytest.approx(0.1)
    assert found.richness == pytest.approx(45 + 0.99 * 100 / 10)
    variance = 5 * (0.99 * 4 / 2 + 0.99**2 * 8 + 0.99**2 * 16 / 4)
    factor = math.exp(1.959964 * math.sqrt(math.log(1 + variance / 9.9**2)))
    assert found.low == 45 + math.floor(9.9 / factor)
    assert found.high == 45 + math.ceil(9.9 * factor)
    assert not found.is_thin


def test_without_a_second_sight_the_bias_corrected_form_is_taken() -> None:
    found = estimate(1000, [1, 1, 1, 50, 60])
    assert found.richness == pytest.approx(5 + 0.999 * 3)
    assert found.low >= 5 and math.isfinite(found.high)
    assert found.is_thin


def test_where_nothing_is_rare_the_rule_of_three_is_left() -> None:
    found = estimate(1_000_000, [500, 400_000, 7])
    assert found.next_new == 0.0
    assert 3.0e-6 < found.next_new_high < 4.0e-6
    assert (found.richness, found.low, found.high) == (3.0, 3, 7.0)


def test_where_little_is_known_little_is_said() -> None:
    nothing = estimate(0, [])
    assert (nothing.next_new, nothing.next_new_high, nothing.low) == (1.0, 1.0, 0)
    one = estimate(1, [1, 1, 1])
    assert (one.next_new, one.next_new_high, one.high) == (1.0, 1.0, math.inf)
    once = estimate(50, [1, 1, 1])
    assert (once.low, once.high) == (3, math.inf) and once.is_thin
    silent = estimate(50, [])
    assert silent.next_new_high == pytest.approx(3.67 / 50, rel=0.01)
    assert (silent.low, silent.high) == (0, 4.0)


@pytest.mark.parametrize(("count", "high"), [(0, 3.689), (1, 5.572), (3, 8.767), (50, 65.919)])
def test_byars_approximation_is_near_the_exact_one(count: int, high: float) -> None:
    """Exact: half the 97.5 % point of chi-squared with 2 (count + 1) degrees of freedom."""
    assert poisson_high(count) == pytest.approx(high, rel=0.006)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 50), max_size=60))
def test_no_estimate_contradicts_what_was_seen(executions: int, counts: list[int]) -> None:
    counts = [min(count, executions) for count in counts]
    found = estimate(executions, counts)
    assert found.seen == sum(count > 0 for count in counts)
    assert found.seen <= found.low <= found.high and found.seen <= found.richness
    assert 0.0 <= found.next_new <= found.next_new_high <= 1.0
    more = predict(executions, counts, executions)
    assert 0 <= more.low <= more.high and more.expected >= 0


def test_a_prediction_grows_with_the_executions() -> None:
    counts = [1, 1, 2, 2, 2, 9]
    few, many = predict(1000, counts, 100), predict(1000, counts, 1000)
    assert 0 < few.expected < many.expected <= 2
    assert few.expected == pytest.approx(0.2, rel=0.2), "f1 / n for each of the next"
    assert predict(1000, [9, 9], 1000).expected == 0.0
    assert predict(0, [], 10).high >= 0


# -- campaigns ----------------------------------------------------------------------------------


def parts(*given: tuple[int, Mapping[str, int]]) -> list[Part]:
    return list(given)


def test_a_campaign_is_cut_in_two_where_the_parts_allow() -> None:
    found = parts((10, {"a": 1}), (20, {"a": 2}), (25, {"b": 1}), (30, {"c": 30}))
    assert halves(found) == (total(found[:2]), total(found[2:]))  # 30 and 55 of 85
    assert halves(found[:1]) == ((0, {}), (10, {"a": 1}))
    assert halves([]) == ((0, {}), (0, {}))
    assert total(found) == (85, {"a": 3, "b": 1, "c": 30})


def test_a_find_that_the_campaign_learnt_from_does_not_vanish() -> None:
    """A new behaviour is a singleton for a moment only: what is kept is mutated, and shows it
    again and again. Only the finds of the second half tell."""
    learnt = campaign_estimate(
        parts((1000, {"old": 900}), (1000, {"old": 900, "new": 400, "newer": 300}))
    )
    assert learnt.whole.once == learnt.late.once == 0
    assert learnt.late_new == 2
    assert learnt.next_new_high == pytest.approx(poisson_high(2) / 1000)
    assert learnt.next_new_high > learnt.whole.next_new_high


def test_what_the_second_half_shows_once_counts() -> None:
    found = campaign_estimate(parts((1000, {"rare": 5, "b": 1}), (1000, {"rare": 1, "b": 1})))
    assert found.late.once == 2 and found.whole.once == 0
    assert found.next_new_high == found.late.next_new_high


def test_a_campaign_that_goes_on_finding_is_predicted_to() -> None:
    """Five new ones in each doubling, none of them ever a singleton."""
    campaign: list[Part] = []
    for doubling in range(8):
        executions = 1000 << max(doubling - 1, 0)
        campaign.append((executions, {f"b{n}": 99 + n for n in range(5 * doubling + 5)}))
    told = campaign_predict(campaign, 128_000)
    assert total(campaign)[0] == 128_000 and told.expected == pytest.approx(5.0)
    assert told.low <= 5 <= told.high <= 20
    assert predict(128_000, total(campaign)[1].values(), 128_000).expected == 0.0
    half = campaign_predict(campaign, 64_000)
    assert half.expected == pytest.approx(5 * math.log2(1.5))
    first = campaign_predict(campaign[:1], 1000)
    assert first == predict(1000, campaign[0][1].values(), 1000), "one part has no half"


def test_what_comes_together_makes_a_prediction_less_sure() -> None:
    single = [(1000, {f"b{n}": 20 + n for n in range(4)}), (1000, {f"b{n}": 20 for n in range(8)})]
    groups = [(1000, {f"b{n}": 20 for n in range(4)}), (1000, {f"b{n}": 20 for n in range(8)})]
    alone, together = campaign_predict(single, 2000), campaign_predict(groups, 2000)
    assert alone.expected == together.expected
    assert together.high > alone.high and together.low <= alone.low


def test_of_no_campaign_nothing_is_known() -> None:
    assert campaign_estimate([]).next_new_high == 1.0


def test_simulations_come_out_the_same_every_time() -> None:
    made = coverage("uniform", 20, 100, runs=2)
    assert made == coverage("uniform", 20, 100, runs=2)
    assert made.visible and made.shape == "uniform"
