"""Crashes by key and hash; the time series."""

from __future__ import annotations

import pytest

from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.store import Incidence, StatRow, Store, TargetRow
from tests.store.making import add_crash, add_target, corpus_file


def test_crash_comes_back_as_it_was_kept(store: Store, target: TargetRow) -> None:
    row, new = add_crash(store, target.id)
    assert new
    assert (row.target, row.hash, row.kind) == ("example.org/m.FuzzA", "0123456789abcdef", "crash")
    assert (row.key, row.summary, row.count) == ("panic: a", "index out of range", 1)
    assert row.output.startswith("panic: runtime error\n\n")
    assert (row.data, row.original) == (corpus_file("small"), corpus_file("large"))
    assert row.path == "/src/m/testdata/fuzz/FuzzA/0123456789abcdef"
    assert (row.reproduced, row.found_at) == (True, 1234.5)
    assert store.crashes() == [row]
    assert store.crashes(target.id) == [row]


def test_known_key_is_counted(store: Store, target: TargetRow) -> None:
    first, _ = add_crash(store, target.id)
    again, new = add_crash(store, target.id, hash="ffff456789abcdef")
    assert not new
    assert (again.id, again.count, again.hash) == (first.id, 2, first.hash)
    other = add_target(store, "FuzzB")
    assert add_crash(store, other.id)[1]
    assert [row.count for row in store.crashes()] == [2, 1]
    assert len(store.crashes(other.id)) == 1


def test_further_sights_are_counted_at_once(store: Store, target: TargetRow) -> None:
    row, _ = add_crash(store, target.id)
    assert store.count_crash(target.id, row.key, 41)
    assert store.crash(row.hash).count == 42
    assert not store.count_crash(target.id, "never met", 1)


def test_crash_by_hash(store: Store, target: TargetRow) -> None:
    one, _ = add_crash(store, target.id, "a", "00aa000000000000")
    two, _ = add_crash(store, target.id, "b", "00ab000000000000")
    assert store.crash("00aa") == one
    assert store.crash("00AB0") == two
    with pytest.raises(UsageError, match=r"more than one.*00aa000000000000 of example"):
        store.crash("00a")
    with pytest.raises(UsageError, match="no crash's hash begins with 'ff'"):
        store.crash("ff")
    with pytest.raises(UsageError, match="hex digits"):
        store.crash("../x")


def test_crash_of_an_unknown_kind(store: Store, target: TargetRow) -> None:
    with pytest.raises(StoreError, match="does not fit"):
        store.add_crash(
            target.id,
            hash="0123456789abcdef",
            kind="surprise",
            key="k",
            summary="s",
            output="o",
            data=b"",
            original=b"",
            path="",
            reproduced=False,
        )
    assert store.crashes() == []


def test_series(store: Store, target: TargetRow) -> None:
    assert store.executions(target.id) == 0
    assert store.series(target.id) == []
    store.add_stats(target.id, 10.0, 100, 5, 2, 3, 0, 1.5)
    store.add_stats(target.id, 9.0, 250, 6, 3, 3, 1, 2.5)  # a clock may go back
    assert store.series(target.id) == [
        StatRow(10.0, 100, 5, 2, 3, 0, 1.5),
        StatRow(9.0, 250, 6, 3, 3, 1, 2.5),
    ]
    assert store.executions(target.id) == 250
    assert store.executions(add_target(store, "FuzzB").id) == 0


def test_incidences_add_up(store: Store, target: TargetRow) -> None:
    assert store.incidence(target.id) == ()
    store.add_incidence(target.id, 3, {"read ok": 2, "a\udcffb": 1})
    store.add_incidence(target.id, 997, {"read ok": 1, "bind": 0})  # of a later epoch
    store.add_incidence(target.id, 20, {"read ok": 7})
    store.add_incidence(target.id, 30, {"read ok": 2})
    other = add_target(store, "FuzzB")
    store.add_incidence(other.id, 1, {})
    first, second, third = store.incidence(target.id)
    assert first == Incidence(3, {"a\\udcffb": 1, "read ok": 2})
    assert second == Incidence(997, {"bind": 0, "read ok": 1})
    assert third == Incidence(50, {"read ok": 9})
    assert store.incidence(other.id) == (Incidence(1, {}),)
    negative: tuple[tuple[int, dict[str, int]], ...] = ((-1, {}), (1, {"x": -1}), (1, {"": 1}))
    for executions, counts in negative:
        with pytest.raises(ValueError, match="counts of at least 0"):
            store.add_incidence(target.id, executions, counts)
    with pytest.raises(StoreError):
        store.add_incidence(99, 1, {})
