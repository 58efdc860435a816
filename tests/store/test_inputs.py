"""Kept inputs: once each, in order, replaced and removed with what hangs on them."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.store.inputs import hash_prefix
from tests.store.making import add_input, add_target, calls, corpus_file


def test_input_comes_back_as_it_was_kept(store: Store, target: TargetRow) -> None:
    store.add_build(target.id, "b0", "go1.27.3", 100)
    seed = add_input(store, target.id, "seed")
    data = corpus_file("x")
    row = store.add_input(
        target.id,
        data=data,
        source="seed-cache",
        why="syscall",
        parent=seed.id,
        exec_ns=123_456_789_012,
        build_key="b0",
        coverage=b"\0\xff",
        found_at=1700000000.25,
    )
    assert row.hash == hashlib.sha256(data).hexdigest()[:16]
    assert (row.data, row.source, row.why, row.parent) == (data, "seed-cache", "syscall", seed.id)
    assert (row.exec_ns, row.build_key, row.coverage) == (123_456_789_012, "b0", b"\0\xff")
    assert (row.found_at, row.recorded) == (1700000000.25, False)
    assert store.input(row.id) == row
    assert list(store.inputs(target.id)) == [seed, row]


def test_same_bytes_again(store: Store, target: TargetRow) -> None:
    first = add_input(store, target.id, "x", coverage=b"one")
    store.add_recording(target.id, first.id, calls("read"), "fuzz")
    again = add_input(store, target.id, "x", coverage=b"two")
    assert (again.id, again.coverage, again.recorded) == (first.id, b"one", True)
    assert store.input_count(target.id) == 1
    other = add_target(store, "FuzzB")
    assert add_input(store, other.id, "x").id != first.id


@pytest.mark.parametrize(("field", "value"), [("source", "elsewhere"), ("why", "luck")])
def test_input_that_does_not_fit(store: Store, target: TargetRow, field: str, value: str) -> None:
    values: dict[str, object] = {
        "data": b"d",
        "source": "fuzz",
        "why": "seed",
        "parent": None,
        "exec_ns": 1,
        "build_key": "",
        "coverage": b"",
        "found_at": 1.0,
    }
    with pytest.raises(StoreError, match="does not fit"):
        store.add_input(target.id, **(values | {field: value}))  # type: ignore[arg-type]
    assert store.input_count(target.id) == 0
    add_input(store, target.id, "and on")
    assert store.input_count(target.id) == 1


def test_parent_that_is_gone(store: Store, target: TargetRow) -> None:
    parent = add_input(store, target.id, "large")
    add_input(store, target.id, "s")
    store.replace_input(parent.id, corpus_file("s"), b"", 1)
    assert add_input(store, target.id, "child", parent=parent.id).parent is None
    foreign = add_input(store, add_target(store, "FuzzB").id, "x")
    assert add_input(store, target.id, "y", parent=foreign.id).parent is None


def test_input_of_an_unknown_target(store: Store) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        add_input(store, 12, "x")


def test_inputs_stream(store: Store, target: TargetRow) -> None:
    for number in range(40):
        data = str(number).encode() * (1 << 19)
        store.add_input(
            target.id,
            data=data,
            source="fuzz",
            why="seed",
            parent=None,
            exec_ns=1,
            build_key="",
            coverage=b"",
            found_at=1.0,
        )
    tracemalloc.start()
    seen = sum(len(row.data) for row in store.inputs(target.id))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen > 30 << 20
    assert peak < 8 << 20


def test_inputs_may_change_while_they_are_read(store: Store, target: TargetRow) -> None:
    rows = [add_input(store, target.id, str(number)) for number in range(6)]
    seen = []
    for row in store.inputs(target.id):
        seen.append((row.hash, row.coverage))
        if row.id == rows[0].id:
            store.remove_input(rows[1].id)
            store.update_coverage(rows[2].id, "b1", b"later", 1)
            add_input(store, target.id, "new")
    assert [name for name, _ in seen] == [row.hash for row in (rows[0], *rows[2:])]
    assert seen[1][1] == b"later"


def test_update_coverage(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "x")
    store.update_coverage(row.id, "b1", b"other", 99)
    now = store.input(row.id)
    assert (now.build_key, now.coverage, now.exec_ns) == ("b1", b"other", 99)
    assert now.data == row.data
    with pytest.raises(StoreError, match="no input has the id 50"):
        store.update_coverage(50, "b1", b"", 1)


def test_replace_by_smaller(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "large")
    child = add_input(store, target.id, "child", parent=row.id)
    store.add_recording(target.id, row.id, calls("read"), "fuzz")

    small = store.replace_input(row.id, corpus_file("l"), b"less", 7)

    assert (small.id, small.data, small.coverage) == (row.id, corpus_file("l"), b"less")
    assert (small.exec_ns, small.build_key, small.why) == (7, "b0", row.why)
    assert small.recorded is False
    assert store.input_syscalls(row.id) == []
    assert [found.id for found in store.unrecorded(target.id)] == [row.id, child.id]
    assert store.input(child.id).parent == row.id


def test_replace_by_the_same(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "x")
    store.add_recording(target.id, row.id, calls("read"), "fuzz")
    same = store.replace_input(row.id, row.data, b"new", 8)
    assert (same.id, same.coverage, same.exec_ns, same.recorded) == (row.id, b"new", 8, True)


def test_replace_by_what_is_there(store: Store, target: TargetRow) -> None:
    large = add_input(store, target.id, "large")
    older = add_input(store, target.id, "older", parent=large.id)
    small = add_input(store, target.id, "s", parent=older.id, coverage=b"small")
    younger = add_input(store, target.id, "younger", parent=large.id)

    assert store.replace_input(large.id, corpus_file("s"), b"large", 9) == small

    assert [row.id for row in store.inputs(target.id)] == [older.id, small.id, younger.id]
    assert store.input(older.id).parent is None  # not of its own descendant
    assert store.input(younger.id).parent == small.id


def test_replace_an_unknown_input(store: Store, target: TargetRow) -> None:
    with pytest.raises(StoreError, match="no input has the id 5"):
        store.replace_input(5, b"", b"", 1)


def test_remove(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "x")
    child = add_input(store, target.id, "y", parent=row.id)
    store.remove_input(row.id)
    store.remove_input(row.id)
    assert list(store.inputs(target.id)) == [store.input(child.id)]
    assert store.input(child.id).parent is None
    with pytest.raises(StoreError, match=f"no input has the id {row.id}"):
        store.input(row.id)
    assert add_input(store, target.id, "x").id > child.id  # ids are never used again


def test_input_by_hash(store: Store, target: TargetRow) -> None:
    rows = [add_input(store, target.id, str(number)) for number in range(40)]
    assert store.input_by_hash(rows[3].hash) == rows[3]
    assert store.input_by_hash(rows[3].hash[:12].upper()) == rows[3]
    with pytest.raises(UsageError, match="more than one"):
        store.input_by_hash(_shared_digit([row.hash for row in rows]))
    for wrong in ("", "xyz", "0" * 17, "Ž", "%"):
        with pytest.raises(UsageError, match="hex digits"):
            store.input_by_hash(wrong)
    with pytest.raises(UsageError, match="no input's hash"):
        store.input_by_hash("0123456789abcdef")


def test_input_by_hash_in_two_targets(store: Store, target: TargetRow) -> None:
    other = add_target(store, "FuzzB")
    first, second = add_input(store, target.id, "x"), add_input(store, other.id, "x")
    with pytest.raises(UsageError, match=r"FuzzA.*FuzzB"):
        store.input_by_hash(first.hash)
    assert store.input_by_hash(first.hash, other.id) == second


def _shared_digit(hashes: list[str]) -> str:
    return max("0123456789abcdef", key=lambda digit: sum(name[0] == digit for name in hashes))


@given(st.text(max_size=20))
def test_any_prefix_is_judged(prefix: str) -> None:
    try:
        wanted = hash_prefix(prefix)
    except UsageError:
        return
    assert wanted == prefix.lower()
    assert int(wanted, 16) >= 0


def test_unrecorded(store: Store, target: TargetRow) -> None:
    rows = [add_input(store, target.id, str(number)) for number in range(5)]
    store.add_recording(target.id, rows[1].id, calls("read"), "seeds")
    store.add_recording(target.id, rows[3].id, calls(), "fuzz")
    waiting = [rows[0], rows[2], rows[4]]
    assert store.unrecorded(target.id) == waiting
    assert store.unrecorded(target.id, limit=2) == waiting[:2]
    assert store.unrecorded_count(target.id) == 3
    assert [row.recorded for row in store.inputs(target.id)] == [False, True, False, True, False]
