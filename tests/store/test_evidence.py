"""System calls of inputs and processes, and their sums."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)

from gofuzzsec.errors import StoreError
from gofuzzsec.store import RecordingRow, Store, TargetRow
from gofuzzsec.store.encoding import pack_args, unpack_args
from gofuzzsec.store.sums import MOST_VALUES
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from gofuzzsec.syscalls.table import machine_arch
from tests.store.making import add_input, add_target, calls, check_sums, corpus_file, only


def test_sums_over_inputs(store: Store, target: TargetRow) -> None:
    first, second = add_input(store, target.id, "1"), add_input(store, target.id, "2")
    seen = Recording(
        (
            SyscallUse("openat", Origin.TARGET, 3, False),
            SyscallUse("futex", Origin.RUNTIME, 7, True, ("runtime.futex",)),
        )
    )
    assert store.add_recording(target.id, first.id, seen, "seeds", at=50.0) == []
    row = only(store.syscalls(target.id), "openat")
    assert (row.count, row.inputs, row.unstable, row.stack) == (3, 1, True, ())

    stacked = SyscallUse("openat", Origin.TARGET, 4, True, ("syscall.openat", "m.Read"))
    new = store.add_recording(target.id, second.id, Recording((stacked,)), "seeds", at=60.0)

    assert new == ["openat"]  # seen before, but never in both runs
    row = only(store.syscalls(target.id), "openat")
    assert (row.source, row.origin, row.count, row.inputs) == ("seeds", "target", 7, 2)
    assert (row.first_input, row.first_at, row.unstable) == (first.hash, 50.0, False)
    assert row.stack == ("syscall.openat", "m.Read")
    assert store.input_syscalls(first.id) == sorted(seen.uses, key=lambda use: use.name)
    assert store.input_syscalls(second.id) == [stacked]
    assert store.input(first.id).recorded


def test_first_stack_is_kept(store: Store, target: TargetRow) -> None:
    for number in range(3):
        row = add_input(store, target.id, str(number))
        stack = (f"m.f{number}",) if number else ()
        use = SyscallUse("read", Origin.TARGET, 1, True, stack)
        store.add_recording(target.id, row.id, Recording((use,)), "fuzz")
    assert only(store.syscalls(target.id), "read").stack == ("m.f1",)


def test_news_is_what_no_input_showed(store: Store, target: TargetRow) -> None:
    one, two, three = (add_input(store, target.id, text).id for text in "abc")
    store.add_process_recording(target.id, "tests", calls("read", "write"))
    runtime = calls("futex", origin=Origin.RUNTIME).uses
    recording = Recording(calls("write", "read").uses + runtime)
    assert store.add_recording(target.id, one, recording, "seeds") == ["read", "write"]
    unknown = calls("read", "futex", origin=Origin.UNKNOWN)
    assert store.add_recording(target.id, two, unknown, "fuzz") == ["futex"]
    assert store.add_recording(target.id, three, calls("kill", stable=False), "fuzz") == []
    assert store.add_recording(target.id, two, unknown, "fuzz") == []
    assert store.behaviour(target.id) == {"read", "write", "futex"}
    other = add_target(store, "FuzzB")
    assert store.behaviour(other.id) == frozenset()
    row = add_input(store, other.id, "a")
    assert store.add_recording(other.id, row.id, calls("read"), "fuzz") == ["read"]


def test_recorded_again(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    store.add_recording(target.id, row.id, calls("read", "write"), "seeds", at=1.0)
    store.add_recording(target.id, row.id, calls("read"), "seeds", at=2.0)
    assert [use.name for use in store.input_syscalls(row.id)] == ["read"]
    read, write = store.syscalls(target.id)
    assert (read.count, read.inputs, read.first_at) == (1, 1, 2.0)
    # Seen once is evidence for good, though no kept input shows it now.
    assert (write.count, write.inputs, write.first_input) == (0, 0, row.hash)
    assert (write.first_at, write.unstable) == (1.0, False)
    check_sums(store, target.id)


def test_first_input_is_one_that_is_kept(store: Store, target: TargetRow) -> None:
    rows = [add_input(store, target.id, text) for text in "abc"]
    for at, row in zip((10.0, 20.0, 30.0), reversed(rows), strict=True):
        store.add_recording(target.id, row.id, calls("read"), "fuzz", at=at)
    assert only(store.syscalls(target.id), "read").first_input == rows[2].hash
    store.remove_input(rows[2].id)
    read = only(store.syscalls(target.id), "read")
    assert (read.first_input, read.first_at, read.count) == (rows[1].hash, 20.0, 2)
    store.replace_input(rows[1].id, corpus_file("z"), b"", 1)
    assert only(store.syscalls(target.id), "read").first_input == rows[0].hash
    store.remove_input(rows[0].id)
    assert only(store.syscalls(target.id), "read").first_input == rows[0].hash
    store.add_recording(target.id, rows[1].id, calls("read", stable=False), "fuzz", at=40.0)
    read = only(store.syscalls(target.id), "read")
    assert (read.first_input, read.first_at) == (store.input(rows[1].id).hash, 40.0)
    assert (read.inputs, read.unstable) == (1, False)


def test_process_recordings_replace(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    store.add_recording(target.id, row.id, calls("read"), "fuzz")
    store.add_process_recording(target.id, "tests", calls("read", "socket"), at=1.0)
    store.add_process_recording(target.id, "baseline", calls("mmap", origin=Origin.RUNTIME))
    store.add_process_recording(target.id, "tests", calls("read", "pipe2"), at=5.0)
    found = [(call.name, call.source, call.first_input) for call in store.syscalls(target.id)]
    assert found == [
        ("mmap", "baseline", ""),
        ("pipe2", "tests", ""),
        ("read", "fuzz", row.hash),
        ("read", "tests", ""),
    ]
    assert store.syscalls(target.id)[1].first_at == 5.0
    check_sums(store, target.id)


def test_one_recording_may_name_a_call_twice(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    uses = (
        SyscallUse("read", Origin.TARGET, 2, False, ()),
        SyscallUse("read", Origin.TARGET, 3, True, ("m.f",)),
        SyscallUse("read", Origin.RUNTIME, 1),
    )
    store.add_recording(target.id, row.id, Recording(uses), "fuzz")
    assert store.input_syscalls(row.id) == [
        SyscallUse("read", Origin.RUNTIME, 1),
        SyscallUse("read", Origin.TARGET, 5, True, ("m.f",)),
    ]
    store.add_process_recording(target.id, "tests", Recording(uses))
    assert [call.count for call in store.syscalls(target.id) if call.source == "tests"] == [1, 5]


def test_kinds_and_outcomes_are_apart(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    refused, ok = CallOutcome.REFUSED, CallOutcome.OK
    uses = (
        SyscallUse("socket", Origin.TARGET, 2, kind="inet", outcome=refused),
        SyscallUse("socket", Origin.TARGET, 1, kind="unix", outcome=ok),
        SyscallUse("socket", Origin.TARGET, 4, kind="unix", outcome=refused, stack=("m.f m.go:3",)),
    )
    assert store.add_recording(target.id, row.id, Recording(uses[::-1]), "fuzz") == ["socket"]
    assert tuple(store.input_syscalls(row.id)) == (uses[0], uses[1], uses[2])
    found = [(call.kind, call.outcome, call.count) for call in store.syscalls(target.id)]
    assert found == [("inet", "refused", 2), ("unix", "ok", 1), ("unix", "refused", 4)]


def test_all_targets_together(store: Store, target: TargetRow) -> None:
    other = add_target(store, "FuzzB")
    one, two = add_input(store, target.id, "a"), add_input(store, other.id, "b")
    late = Recording((SyscallUse("read", Origin.TARGET, 5, False, ("m.a",)),))
    early = Recording((SyscallUse("read", Origin.TARGET, 2, True, ()),))
    store.add_recording(target.id, one.id, late, "fuzz", at=20.0)
    store.add_recording(other.id, two.id, early, "fuzz", at=10.0)
    (row,) = store.syscalls()
    assert (row.first_input, row.first_at) == (two.hash, 10.0)
    assert (row.count, row.inputs, row.unstable, row.stack) == (7, 2, False, ("m.a",))


def test_incomplete_recordings_are_told(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    broken = replace(calls("read"), complete=False, problem="the worker died")
    store.add_recording(target.id, row.id, broken, "fuzz", at=3.0)
    store.add_process_recording(target.id, "tests", calls("read"), at=4.0)
    arch = machine_arch()
    (found,) = store.recordings(target.id, incomplete=True)
    assert found == RecordingRow(
        found.id, "fuzz", row.hash, 3.0, False, "the worker died", "", arch, None
    )
    (found,) = store.recordings(target.id)[1:]
    assert found == RecordingRow(found.id, "tests", "", 4.0, True, "", "", arch, None)
    assert store.unrecorded(target.id) == []


def test_recording_of_an_input_that_is_not_there(store: Store, target: TargetRow) -> None:
    other = add_target(store, "FuzzB")
    row = add_input(store, other.id, "a")
    for input_id in (row.id, 99):
        with pytest.raises(StoreError, match=f"no input with the id {input_id}"):
            store.add_recording(target.id, input_id, calls("read"), "fuzz")
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_process_recording(99, "tests", calls("read"))
    assert store.syscalls() == []


def test_sources_are_checked(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    with pytest.raises(ValueError, match="'tests', expected one of fuzz, seeds"):
        store.add_recording(target.id, row.id, calls(), "tests")
    with pytest.raises(ValueError, match="'fuzz', expected one of baseline, campaign, harness"):
        store.add_process_recording(target.id, "fuzz", calls())


def test_text_of_hostile_programs(store: Store, target: TargetRow) -> None:
    row = add_input(store, target.id, "a")
    odd = 'm.\udcff\ud800"\n\0f'
    use = SyscallUse("read", Origin.TARGET, 1, True, (odd, "main.main"))
    store.add_recording(target.id, row.id, Recording((use,), False, odd), "fuzz")
    kept = 'm.\\udcff\\ud800"\n\0f'
    assert only(store.syscalls(target.id), "read").stack == (kept, "main.main")
    assert store.recordings(target.id)[0].problem == kept


_NAMES = st.sampled_from(["read", "write", "openat", "futex"])
_USES = st.builds(
    SyscallUse,
    name=_NAMES,
    origin=st.sampled_from(Origin),
    count=st.integers(1, 9),
    stable=st.booleans(),
    stack=st.sampled_from([(), ("m.f",), ("m.g", "m.f")]),
    kind=st.sampled_from(["", "unix"]),
    outcome=st.sampled_from(CallOutcome),
)
_RECORDINGS = st.builds(Recording, uses=st.lists(_USES, max_size=6).map(tuple))


@settings(max_examples=60)
@given(recordings=st.lists(_RECORDINGS, max_size=8))
def test_news_adds_up_to_the_behaviour(recordings: list[Recording]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "c") as store:
        target = add_target(store)
        known: set[str] = set()
        for number, recording in enumerate(recordings):
            row = add_input(store, target.id, str(number))
            new = store.add_recording(target.id, row.id, recording, "fuzz")
            assert new == sorted(recording.behaviour() - known)
            known |= recording.behaviour()
        assert store.behaviour(target.id) == known


class Sums(RuleBasedStateMachine):
    """Inputs come, go, shrink and are recorded in any order; the sums always agree."""

    inputs: Bundle[int] = Bundle("inputs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.create(Path(self.folder.name) / "c")
        self.target = add_target(self.store).id
        self.ever: set[tuple[str, ...]] = set()
        self.stable: set[tuple[str, ...]] = set()
        self.gone: set[int] = set()

    @rule(target=inputs, text=st.text("abc", max_size=3))
    def add(self, text: str) -> int:
        return add_input(self.store, self.target, text).id

    @rule(target=inputs, number=inputs, text=st.text("abc", max_size=3))
    def shrink(self, number: int, text: str) -> MultipleResults[int] | int:
        if number in self.gone:
            return multiple()
        row = self.store.replace_input(number, corpus_file(text), b"", 1)
        if row.id != number:
            self.gone.add(number)
        return row.id

    @rule(number=inputs)
    def remove(self, number: int) -> None:
        self.store.remove_input(number)
        self.gone.add(number)

    @rule(number=inputs, recording=_RECORDINGS, source=st.sampled_from(["seeds", "fuzz"]))
    def record(self, number: int, recording: Recording, source: str) -> None:
        if number in self.gone:
            return
        self.store.add_recording(self.target, number, recording, source)
        for use in recording.uses:
            key = (use.name, use.kind, use.outcome.value, use.origin.value, source)
            self.ever.add(key)
            if use.stable:
                self.stable.add(key)

    @invariant()
    def sums_agree(self) -> None:
        check_sums(self.store, self.target)
        rows = self.store.syscalls(self.target)
        keys = {(r.name, r.kind, r.outcome, r.origin, r.source): r for r in rows}
        assert keys.keys() == self.ever
        steady = {key for key, row in keys.items() if not row.unstable}
        assert steady == self.stable

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestSums = Sums.TestCase
TestSums.settings = settings(max_examples=40, stateful_step_count=25)


def _with(*args: int, count: int = 1) -> SyscallUse:
    return SyscallUse("prctl", Origin.TARGET, count, args=args)


def test_values_are_rows_of_their_own(store: Store, target: TargetRow) -> None:
    first, second = (add_input(store, target.id, text) for text in "ab")
    seen = Recording((_with(15), _with(38, count=2), _with(15), _with()))
    store.add_recording(target.id, first.id, seen, "fuzz")
    store.add_recording(target.id, second.id, Recording((_with(38), _with(1, 2**32 - 1))), "fuzz")
    rows = [(row.args, row.count, row.inputs) for row in store.syscalls(target.id)]
    assert rows == [((), 1, 1), ((1, 2**32 - 1), 1, 1), ((15,), 2, 1), ((38,), 3, 2)]
    assert store.input_syscalls(first.id) == [_with(), _with(15, count=2), _with(38, count=2)]
    other = add_target(store, "FuzzB")
    row = add_input(store, other.id, "a")
    store.add_recording(other.id, row.id, Recording((_with(15),)), "fuzz")
    assert [found.count for found in store.syscalls() if found.args == (15,)] == [3]
    check_sums(store, target.id)


def test_values_without_end_are_not_told(store: Store, target: TargetRow) -> None:
    for start in range(0, MOST_VALUES + 60, 30):
        row = add_input(store, target.id, str(start))
        uses = tuple(_with(value) for value in range(start, start + 30))
        store.add_recording(target.id, row.id, Recording((*uses, _with(0))), "fuzz")
    rows = store.syscalls(target.id)
    assert len(rows) == MOST_VALUES + 1
    untold = next(row for row in rows if not row.args)
    assert untold.count >= 60
    check_sums(store, target.id)


@pytest.mark.parametrize("column", ["1;2", "1,2,3", "-1", "1,", "4294967296", "²"])
def test_broken_values_are_damage(store: Store, target: TargetRow, column: str) -> None:
    store.add_process_recording(target.id, "tests", Recording((_with(1),)))
    (recording,) = store.recordings(target.id)
    with store._writing() as connection:
        connection.execute("UPDATE syscall SET args = ?", (column,))
    with pytest.raises(StoreError, match="argument values"):
        store.syscalls(target.id)
    with pytest.raises(StoreError, match="argument values"):
        store.recording_syscalls(recording.id)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=2))
def test_values_come_back_as_they_were_kept(values: list[int]) -> None:
    assert unpack_args(pack_args(values)) == tuple(values)
