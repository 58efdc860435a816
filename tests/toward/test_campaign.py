"""Campaigns that are directed at system calls, with real workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.coordinator.events import Event, Note, Status, Toward
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.session import run
from gofuzzsec.errors import BinaryError, UsageError
from gofuzzsec.syscalls import nearness as module
from gofuzzsec.syscalls.nearness import Nearness, nearness
from tests.toward.conftest import Build

Session = Callable[..., list[Event]]


@pytest.fixture
def session(deep: Path, tmp_path: Path) -> Session:
    """Run a directed session of one worker; returns what it said."""

    def start(target: str = "FuzzDeep", **changed: Any) -> list[Event]:
        events: list[Event] = []
        options = {
            "target_regex": target, "campaign": tmp_path / "campaign", "cwd": deep, "seed": 1,
            "capture": "in-process", "workers": 1, "executions": 60_000, "toward_syscalls": True,
        }  # fmt: skip
        run(SessionOptions(**{**options, **changed}), events.append)
        return events

    return start


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_deep_call_is_reached_and_told(session: Session) -> None:
    events = session()
    (picture,) = of(events, Toward)
    reached = {call.name: call for call in picture.reached}
    assert reached["sync"].executions > 0 and reached["getppid"].input_hash
    assert "umask" not in {call.name for call in picture.remaining} | set(reached)
    assert "futex" in picture.left_out, "the runtime's own"
    last = of(events, Status)[-1].stats
    assert last.goals == len(picture.remaining)
    again = session(executions=500)
    (picture,) = of(again, Toward)
    names = {call.name for call in (*picture.reached, *picture.remaining)}
    assert not names & {"sync", "getppid"}, "resumed from the store"


def test_a_flag_that_nobody_has_used_is_tried(session: Session) -> None:
    events = session("FuzzWords", executions=20_000)
    (picture,) = of(events, Toward)
    assert "getpgid" in {call.name for call in picture.reached}


def test_the_stock_engine_is_directed_too(session: Session) -> None:
    events = session(engine="stock", capture="strace", executions=200)
    (picture,) = of(events, Toward)
    calls = {call.name: call for call in picture.remaining}
    if "sync" in calls:
        assert calls["sync"].distance is not None and calls["sync"].function
    else:
        assert "sync" in {call.name for call in picture.reached}


def test_where_nothing_is_recorded_nothing_can_be_aimed_at(session: Session) -> None:
    with pytest.raises(UsageError, match="expected system calls to be recorded"):
        session(capture="off", executions=10)


def test_where_nothing_is_left_the_plain_schedule_goes_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*given: Any) -> Nearness:
        found = nearness(*given)
        return replace(found, names=(), rows=found.rows[:, :0])

    monkeypatch.setattr("gofuzzsec.coordinator.aim.nearness", none)
    events = session("FuzzNothing", executions=200)
    assert any("were made already" in note.text for note in of(events, Note))
    assert not of(events, Toward) and of(events, Status)[-1].stats.goals is None


def test_a_binary_that_cannot_be_followed_is_fuzzed_as_ever(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BinaryError("expected something else")

    monkeypatch.setattr("gofuzzsec.coordinator.aim.nearness", fail)
    events = session(executions=100)
    assert any("not directed" in note.text for note in of(events, Note))


def test_distances_are_kept_and_a_damaged_copy_is_not_used(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "cache"))
    program: GoProgram = build("amd64").program
    roots = ["example.org/deep.FuzzDeep"]
    first = module.nearness(program, roots)
    monkeypatch.setattr("gofuzzsec.binary.static.CallGraph.read", None)  # not needed again
    second = module.nearness(program, roots)
    assert second.names == first.names and second.harness == first.harness
    assert second.tokens == first.tokens
    assert (second.rows == first.rows).all() and second.bound == first.bound
    assert [second.function(i) for i in range(5)] == [first.function(i) for i in range(5)]
    (kept,) = (tmp_path / "cache" / "nearness").iterdir()
    whole = kept.read_bytes()
    for damage in (whole[:-30], b"{}\n", b"", whole.replace(b"{", b"[", 1)):
        kept.write_bytes(damage)
        assert module._kept(kept.name, first.bound) is None
