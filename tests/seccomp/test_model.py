"""What a profile's values say by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.model import Condition, Op, Provenance, plain
from gofuzzsec.seccomp.regions import test_of as as_test
from tests.seccomp.profiles import conditions, values


@given(conditions(), st.lists(values, max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_condition_holds_where_its_test_does(condition: Condition, args: list[int]) -> None:
    assert condition.holds(tuple(args)) == as_test(condition).holds(args)


@pytest.mark.parametrize("found", [(6, 0, 0), (-1, 0, 0), (0, 1 << 64, 0), (0, 0, -1)])
def test_conditions_are_on_six_arguments_of_64_bits(found: tuple[int, int, int]) -> None:
    with pytest.raises(ProfileError, match="expected an"):
        Condition(found[0], Op.EQ, found[1], found[2])


def test_provenance_may_have_a_key_several_times() -> None:
    found = Provenance((("program", "a"), ("tool", "t"), ("program", "b")))
    assert found.all("program") == ("a", "b")
    assert found
    assert not Provenance()


def test_a_plain_profile_names_each_call_once() -> None:
    assert plain(["write", "read", "read"], "arm64").rules[0].names == ("read", "write")
