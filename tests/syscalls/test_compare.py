"""The headline comparison and the summary of each call."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.compare import SOURCES, by_call, compare
from gofuzzsec.syscalls.model import Origin


def row(
    name: str,
    source: str,
    origin: str = "target",
    *,
    unstable: bool = False,
    first_input: str = "",
    first_at: float = 1.0,
    count: int = 1,
    stack: tuple[str, ...] = (),
) -> SyscallRow:
    return SyscallRow(
        name=name,
        origin=origin,
        source=source,
        first_input=first_input,
        first_at=first_at,
        count=count,
        inputs=1,
        unstable=unstable,
        stack=stack,
    )


def test_tests_count_only_what_is_or_may_be_the_targets() -> None:
    found = compare(
        [
            row("mkdirat", "tests"),
            row("flock", "tests", "unknown"),
            row("futex", "tests", "runtime"),
            row("pipe2", "tests", "harness"),
            row("mkdirat", "tests", "unknown"),
        ]
    )
    assert found.tests == ("flock", "mkdirat")
    assert found.added == ()
    assert found.tests_recorded
    assert not found.inputs_recorded


def test_added_leaves_out_what_tests_did_under_any_origin_and_the_baseline() -> None:
    found = compare(
        [
            row("mkdirat", "tests"),
            row("pipe2", "tests", "harness"),
            row("mmap", "baseline", "unknown"),
            row("mkdirat", "fuzz"),
            row("pipe2", "fuzz"),
            row("mmap", "fuzz"),
            row("socket", "fuzz"),
            row("bind", "seeds", "unknown"),
        ]
    )
    assert found.added == ("bind", "socket")
    assert found.by_seeds == ("bind",)


def test_added_needs_stable_calls_of_the_target() -> None:
    found = compare(
        [
            row("futex", "fuzz", "runtime"),
            row("read", "fuzz", "harness"),
            row("connect", "fuzz", unstable=True),
            row("listen", "fuzz", unstable=True),
            row("listen", "seeds", "unknown"),
        ]
    )
    assert found.added == ("listen",)
    assert found.unstable == ("connect",)
    assert not found.tests_recorded


def test_a_harness_source_takes_no_part() -> None:
    found = compare([row("pipe2", "harness"), row("pipe2", "fuzz")])
    assert found.added == ("pipe2",)


NAMES = st.sampled_from(["a", "b", "c", "d"])
ROWS = st.lists(
    st.builds(
        row,
        NAMES,
        st.sampled_from(SOURCES),
        st.sampled_from([origin.value for origin in Origin]),
        unstable=st.booleans(),
    )
)


@given(ROWS)
def test_the_parts_never_overlap_and_name_only_recorded_calls(rows: list[SyscallRow]) -> None:
    found = compare(rows)
    assert not set(found.added) & set(found.tests)
    assert not set(found.added) & set(found.unstable)
    assert set(found.by_seeds) <= set(found.added)
    assert {*found.tests, *found.added, *found.unstable} <= {each.name for each in rows}
    assert list(found.added) == sorted(set(found.added))


@given(ROWS, ROWS)
def test_more_tests_never_add_to_what_fuzzing_added(
    rows: list[SyscallRow], more: list[SyscallRow]
) -> None:
    tests = [each for each in more if each.source == "tests"]
    assert set(compare(rows + tests).added) <= set(compare(rows).added)


@given(ROWS)
def test_every_call_has_one_summary(rows: list[SyscallRow]) -> None:
    calls = by_call(rows)
    assert [call.name for call in calls] == sorted({each.name for each in rows})
    for call in calls:
        assert set(call.needed_by) == {each.source for each in rows if each.name == call.name}


def test_a_summary_takes_the_earliest_input_and_the_earliest_stack() -> None:
    (call,) = by_call(
        [
            row("openat", "fuzz", first_input="bb", first_at=20, count=5, stack=("late",)),
            row("openat", "tests", "unknown", first_at=5, count=2, unstable=True),
            row("openat", "seeds", first_input="aa", first_at=10, stack=("os.Open", "m.Run")),
        ]
    )
    assert call.needed_by == ("tests", "seeds", "fuzz")
    assert call.origins == ("target", "unknown")
    assert call.first_input == "aa"
    assert call.stack == ("os.Open", "m.Run")
    assert call.count == 8
    assert not call.unstable


def test_what_was_recorded_once_for_two_targets_counts_once() -> None:
    (call,) = by_call(
        [
            row("read", "tests", count=4),
            row("read", "tests", count=4),
            row("read", "tests", "runtime", count=2),
            row("read", "baseline", "unknown", count=1),
            row("read", "fuzz", count=10),
            row("read", "fuzz", count=20),
        ]
    )
    assert call.count == 4 + 2 + 1 + 10 + 20


def test_a_summary_is_unstable_when_every_row_is() -> None:
    (call,) = by_call([row("bind", "fuzz", unstable=True), row("bind", "seeds", unstable=True)])
    assert call.unstable


def test_forms_are_the_rows_by_kind_and_outcome() -> None:
    rows = [
        replace(row("socket", "fuzz", count=2, first_at=3.0), kind="unix", outcome="ok"),
        replace(row("socket", "tests", count=1), kind="unix", outcome="ok"),
        replace(row("socket", "fuzz", count=4), kind="inet", outcome="refused"),
    ]
    (found,) = by_call(rows)
    assert found.count == 7
    inet, unix = found.forms
    assert (inet.kind, inet.outcome, inet.count, inet.needed_by) == (
        "inet",
        "refused",
        4,
        ("fuzz",),
    )
    assert (unix.kind, unix.outcome, unix.count) == ("unix", "ok", 3)
    assert unix.needed_by == ("tests", "fuzz")


def test_what_passed_by_is_what_nothing_kept_shows() -> None:
    rows = [
        row("bind", "campaign"),
        row("chdir", "campaign", "unknown"),
        row("futex", "campaign", "runtime"),
        row("read", "campaign"),
        row("read", "fuzz", unstable=True),
        row("openat", "campaign"),
        row("openat", "tests"),
        row("mmap", "campaign"),
        row("mmap", "baseline", "runtime"),
    ]
    assert compare(rows).passing == ("bind", "chdir")
    assert compare(rows).added == ()


def test_what_several_targets_share_is_counted_once_and_campaigns_are_not_shared() -> None:
    shared = [row("read", "tests", count=3), row("read", "tests", count=3)]
    own = [row("read", "campaign", count=5), row("read", "campaign", count=5)]
    (found,) = by_call(shared + own)
    assert found.count == 13
