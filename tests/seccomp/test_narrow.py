"""Conditions joined: never more than either lets through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.seccomp.model import Condition, Op
from gofuzzsec.seccomp.narrow import Conjunction, both
from gofuzzsec.seccomp.regions import test_of as as_test

_VALUES = st.sampled_from([0, 1, 2, 3, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1]) | st.integers(0, 9)
_MASKS = st.sampled_from([0, 1, 3, 0xFFFFFFFF, (1 << 64) - 1])


@st.composite
def _conditions(draw: st.DrawFn) -> Condition:
    arg, op = draw(st.integers(0, 1)), draw(st.sampled_from(list(Op)))
    if op is Op.MASKED_EQ:
        return Condition(arg, op, draw(_MASKS), draw(_VALUES))
    return Condition(arg, op, draw(_VALUES))


_CONJUNCTIONS = st.lists(_conditions(), max_size=2, unique_by=lambda c: c.arg).map(tuple)
_ALTERNATIVES = st.lists(_CONJUNCTIONS, min_size=1, max_size=3)


def _let_through(alternatives: list[Conjunction], args: tuple[int, ...]) -> bool:
    return any(all(as_test(c).holds(args) for c in each) for each in alternatives)


@given(_ALTERNATIVES, _ALTERNATIVES, st.tuples(_VALUES, _VALUES))
def test_it_is_the_intersection_or_not_said(
    first: list[Conjunction], second: list[Conjunction], args: tuple[int, ...]
) -> None:
    found = both(first, second)
    if found is None:
        return
    wanted = _let_through(first, args) and _let_through(second, args)
    if _let_through(found, args):
        assert wanted
    elif max(args) < 1 << 32:  # upper halves that nobody passes may be left out
        assert not wanted
    for conditions in found:
        assert len({c.arg for c in conditions}) == len(conditions)


def test_what_dockers_profile_says_of_socket_joins_with_a_masked_value() -> None:
    docker: list[Conjunction] = [
        (Condition(0, Op.LT, 38),),
        (Condition(0, Op.EQ, 39),),
        (Condition(0, Op.GT, 40),),
    ]
    unix = (Condition(0, Op.MASKED_EQ, 0xFFFFFFFF, 1), Condition(1, Op.MASKED_EQ, 0xF, 1))
    vsock = (Condition(0, Op.MASKED_EQ, 0xFFFFFFFF, 40),)
    xdp = (Condition(0, Op.MASKED_EQ, 0xFFFFFFFF, 44),)
    assert both(docker, [unix]) == [(Condition(0, Op.EQ, 1), unix[1])]
    assert both(docker, [vsock]) == []
    assert both(docker, [xdp]) == [xdp]
    assert both([()], [unix]) == [unix]


def test_masks_join_unless_they_contradict_each_other() -> None:
    low, high = Condition(0, Op.MASKED_EQ, 0xF, 1), Condition(0, Op.MASKED_EQ, 0xF0, 0x20)
    assert both([(low,)], [(high,)]) == [(Condition(0, Op.MASKED_EQ, 0xFF, 0x21),)]
    assert both([(low,)], [(Condition(0, Op.MASKED_EQ, 3, 2),)]) == []
    assert both([(Condition(0, Op.MASKED_EQ, 0, 5),)], [(low,)]) == [(low,)]
    assert both([(low,)], [(Condition(0, Op.NE, 2),)]) == [(low,)]
    assert both([(low,)], [(Condition(0, Op.NE, 1),)]) is None
    whole = Condition(0, Op.MASKED_EQ, 0xFFFFFFFF, 1)
    assert both([(whole,)], [(Condition(0, Op.LT, 1 << 40),)]) is None


def test_an_order_and_another_one_cannot_be_said() -> None:
    assert both([(Condition(0, Op.LT, 9),)], [(Condition(0, Op.GT, 3),)]) is None
    assert both([(Condition(0, Op.LT, 9),)], [(Condition(0, Op.LT, 3),)]) == [
        (Condition(0, Op.LT, 3),)
    ]
    assert both([(Condition(0, Op.GE, 9),)], [(Condition(0, Op.GE, 3),)]) == [
        (Condition(0, Op.GE, 9),)
    ]
