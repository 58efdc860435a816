"""System calls that a boosted worker told of, as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coordinator.calls import parse_callers, record_calls
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording
from gofuzzsec.toolchain.find import host_arch
from tests.coordinator.test_boosted_jobs import COUNTERS, Scene

GETPID = {"amd64": 39, "arm64": 172}[host_arch()] * 32 + 1
GETUID = {"amd64": 102, "arm64": 174}[host_arch()] * 32 + 1
TEXT = f"""complete
feature {GETPID} count 3
syscall.Getpid /go/src/syscall/x.go:5
example.org/m.Work /m/work.go:7
feature {GETPID} count 1 values 77
runtime.main /go/src/runtime/proc.go:9
"""


def test_callers_are_read_with_their_stacks() -> None:
    calls, complete = parse_callers(TEXT)
    assert complete
    assert [(call.feature, call.count) for call in calls] == [(GETPID, 3), (GETPID, 1)]
    assert calls[0].stack == (
        "syscall.Getpid /go/src/syscall/x.go:5",
        "example.org/m.Work /m/work.go:7",
    )
    assert parse_callers(TEXT.removeprefix("complete\n"))[1] is False
    assert parse_callers("") == ([], False)


def test_values_are_read_where_they_are_told() -> None:
    calls, _ = parse_callers("feature 7 count 1 values 0\nm.F x.go:1\nfeature 7 count 2\n")
    assert [(call.count, call.values) for call in calls] == [(1, 0), (2, None)]
    assert parse_callers(f"feature 7 count 1 values {'9' * 21}\n")[0] == []
    (most,) = parse_callers(f"feature 7 count 1 values {2**64 - 1}\n")[0]
    assert most.values == 2**64 - 1


@given(st.text(max_size=200) | st.lists(st.sampled_from(TEXT.split(" "))).map(" ".join))
def test_any_text_is_read(text: str) -> None:
    for call in parse_callers(text)[0]:
        assert 0 <= call.feature < 1 << 30 and 0 <= call.count < 1 << 30
        assert call.values is None or 0 <= call.values < 10**20


def test_numbers_that_go_on_for_ever_are_no_numbers() -> None:
    assert parse_callers(f"feature {'9' * 5000} count 1\nm.F x.go:1")[0] == []


class Taken:
    """A scene whose evidence is only noted down; system call features are all there are."""

    def __init__(self, folder: Path) -> None:
        self.scene = Scene(folder)
        self.recordings: list[tuple[int, Recording, str]] = []
        state = self.scene.state
        state.pool.known = np.zeros(COUNTERS + 2048, dtype=np.uint8)
        state.pool.frequency = np.zeros(8 * (COUNTERS + 2048), dtype=np.uint32)
        state.pool.call_bytes = 2048
        state.take_calls = self.take
        self.entry = self.scene.seed(b"seed", 0)

    def take(self, entry: Entry, recording: Recording, source: str) -> None:
        self.recordings.append((entry.id, recording, source))

    def record(self, text: str, *marks: int) -> Recording:
        features = np.array([3, *(8 * COUNTERS + mark for mark in marks)], dtype=np.uint32)
        record_calls(self.scene.state, self.entry, features, text, "fuzz")
        ident, recording, source = self.recordings[-1]
        assert (ident, source) == (self.entry.id, "fuzz")
        return recording


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Taken]:
    made = Taken(tmp_path)
    yield made
    made.scene.store.close()


def test_marks_and_callers_become_a_recording(taken: Taken) -> None:
    recording = taken.record(TEXT, GETPID, GETUID)
    uses = {(use.name, use.origin): use for use in recording.uses}
    mine = uses["getpid", Origin.TARGET]
    assert mine.count == 3 and mine.outcome is CallOutcome.OK
    assert mine.stack == (
        "syscall.Getpid /go/src/syscall/x.go:5",
        "example.org/m.Work /m/work.go:7",
    )
    assert {name for name, _ in uses} == {"getpid", "getuid"}
    assert recording.complete


def test_callers_that_are_not_all_make_it_incomplete(taken: Taken) -> None:
    recording = taken.record(TEXT.removeprefix("complete\n"), GETPID)
    assert not recording.complete and "more places" in recording.problem


def test_an_execution_without_calls_is_evidence_too(taken: Taken) -> None:
    recording = taken.record("")
    assert recording == Recording(())


@pytest.mark.parametrize("text", ["feature 999999 count 1\nm.F x.go:1", ""])
def test_features_that_no_agent_gives_are_no_evidence(taken: Taken, text: str) -> None:
    mark = GETPID + 3 * 5  # a class of arguments that getpid does not have
    recording = taken.record(text, mark)
    assert not recording.complete and recording.problem


def test_without_a_taker_nothing_is_read(taken: Taken) -> None:
    taken.scene.state.take_calls = None
    record_calls(taken.scene.state, taken.entry, np.zeros(0, dtype=np.uint32), TEXT, "fuzz")
    assert not taken.recordings
