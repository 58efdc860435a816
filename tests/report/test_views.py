"""Each view shows every event, and nothing from a target drives the terminal."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from gofuzzsec.coordinator.events import (
    CrashFound,
    Event,
    Finished,
    Note,
    ReachedCall,
    RemainingCall,
    Started,
    Stats,
    Status,
    SyscallFound,
)
from gofuzzsec.report import JsonView, LiveView, PlainView
from gofuzzsec.report.jsonl import comparison_fields, dumps, event_fields, row_fields
from gofuzzsec.report.static import bound_fields
from gofuzzsec.store.model import CrashRow, InputRow, SyscallRow
from gofuzzsec.syscalls.bound import Bound, Opening, Place, PossibleCall, UnknownCall
from gofuzzsec.syscalls.compare import Comparison
from gofuzzsec.toolchain.doctor import Check

MakeStats = Callable[..., Stats]
HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold red]x[/] \u202e\udc80\nsecond"
DOCUMENT = Path(__file__).parents[2] / "docs" / "json.md"


def hostile_events(stats: MakeStats) -> list[Event]:
    return [
        Started(HOSTILE, 1, 0, 0, HOSTILE),
        Status(stats(target=HOSTILE)),
        CrashFound(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, False),
        SyscallFound(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        Note(HOSTILE, HOSTILE),
        Finished((stats(target=HOSTILE),), True),
    ]


def plain(events: list[Event]) -> str:
    stream = io.StringIO()
    with PlainView(stream) as view:
        for event in events:
            view.emit(event)
    return stream.getvalue()


def live(events: list[Event], width: int = 100, height: int = 24) -> str:
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None
    )
    with LiveView(console) as view:
        for event in events:
            view.emit(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_says_everything_on_one_line_of_status(stats: MakeStats) -> None:
    assert plain([Status(stats())]) == (
        "example.org/m.FuzzParse: 1m01s, execs: 123,456 (2,346/s), edges: 321, corpus: 45, "
        "syscalls: 6, crashes: 1, last find: 7s ago, to record: 3\n"
    )
    assert "last find: -\n" in plain([Status(stats(last_find=None, unrecorded=0))])


def test_plain_leaves_out_statuses_that_come_too_soon(stats: MakeStats) -> None:
    def shown(*moments: float) -> list[str]:
        text = plain([Status(stats(elapsed=moment)) for moment in moments])
        return [line.split()[1] for line in text.splitlines()]

    assert shown(0, 1, 2, 3, 4, 5, 6.5) == ["0s,", "3s,", "6s,"]
    assert shown(3600, 3610, 3635.9, 3636) == ["1h00m,", "1h00m,"]
    both = plain([Status(stats()), Status(stats(target="other")), Status(stats())])
    assert both.count("\n") == 2


def test_plain_shows_each_event(events: list[Event]) -> None:
    lines = plain(events).splitlines()
    assert lines[0] == "warning: strace is missing: system calls are not recorded"
    assert lines[1] == (
        "example.org/m.FuzzParse: started with 2 workers, 3 seeds, 4 inputs resumed; "
        "syscalls recorded by strace"
    )
    assert lines[3] == "example.org/m.FuzzParse: new syscall mkdirat by input 00aa11bb22cc33dd"
    assert lines[4] == (
        "example.org/m.FuzzParse: after 1h00m 1 of 3 system calls aimed at reached, 2 remain"
    )
    assert [line.split()[0] for line in lines[5:10]] == [
        *("REACHED", "mkdirat", "REMAINING", "statx", "mount")
    ]
    assert "no input is on a known way" in lines[9]
    assert lines[10:13] == [
        "example.org/m.FuzzParse: CRASH: panic: index out of range [5] with length 5",
        "    written to testdata/fuzz/FuzzParse/0123456789abcdef",
        "    rerun with go test -run=FuzzParse/0123456789abcdef",
    ]
    assert lines[13] == "done after 1m01s"
    head = " ".join(lines[14].split())
    assert head == "TARGET EXECS EXECS/S EDGES CORPUS SYSCALLS CRASHES LAST FIND"
    assert lines[15].split()[:4] == ["example.org/m.FuzzParse", "123,456", "2,346", "321"]


def test_plain_tells_doubts(stats: MakeStats) -> None:
    text = plain(
        [
            Started("t", 1, 0, 0, "off"),
            CrashFound("t", "hang", "s", "p", "r", reproduced=False),
            SyscallFound("t", "bind", "00", "unknown"),
            Note("warning", "two\nlines\n"),
            Finished((stats(),), interrupted=True),
            Finished(()),
        ]
    )
    assert "\nwarning: two\nlines\nstopped" in text
    assert "syscalls not recorded" in text
    assert "t: HANG (did not reproduce): s" in text
    assert "new syscall bind (unknown) by input 00" in text
    assert "stopped after 1m01s" in text
    assert text.endswith("nothing was fuzzed\n")


def test_plain_flushes_each_line(stats: MakeStats) -> None:
    class Stream(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed = self.tell()

    stream = Stream()
    PlainView(stream).emit(Status(stats()))
    assert stream.flushed == len(stream.getvalue()) > 0


def test_plain_lets_nothing_hostile_through(stats: MakeStats) -> None:
    text = plain(hostile_events(stats))
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert "[bold red]x[/]" in text
    assert text.encode()


def test_live_keeps_what_was_found_and_ends_with_the_table(events: list[Event]) -> None:
    text = live(events)
    assert "CRASH: panic: index out of range [5] with length 5" in text
    assert "new syscall mkdirat" in text
    last = text[text.rindex("done after") :]
    assert "example.org/m.FuzzParse" in last
    assert text.rindex("\x1b[?25h") > text.index("\x1b[?25l")  # the cursor is shown again


def test_live_shows_every_column_of_each_target(stats: MakeStats) -> None:
    text = live([Status(stats(target=f"m.Fuzz{letter}")) for letter in "BA"])
    frame = text[text.rindex("target ") :]
    assert frame.index("m.FuzzA") < frame.index("m.FuzzB")
    assert "123,456" in frame and "2,346" in frame and "7s ago" in frame
    assert "6 to go" in frame


def test_live_on_a_small_terminal_keeps_the_test_names_and_counts_the_rest(
    stats: MakeStats,
) -> None:
    long = "example.org/a/very/long/module/path/that/never/ends"
    text = live([Status(stats(target=f"{long}.Fuzz{n}")) for n in range(9)], width=90, height=8)
    frame = text[text.rindex("target ") :]
    assert "5 targets not shown" in frame
    assert "Fuzz8" in frame and "Fuzz4" not in frame and "…" in frame


def test_live_cuts_a_name_only_where_it_does_not_fit(stats: MakeStats) -> None:
    wide = live([Status(stats(target="example.org/module/package.FuzzParse"))], width=100)
    assert "example.org/module/package.FuzzParse" in wide
    narrow = live([Status(stats(target="example.org/module/package.FuzzParse"))], width=80)
    assert "example.org/module" not in narrow and ".FuzzParse" in narrow
    assert "123,456" in narrow and "7s ago" in narrow


def test_live_lets_only_its_own_sequences_through(stats: MakeStats) -> None:
    text = live(hostile_events(stats))
    own = re.compile(r"\x1b\[(?:\?25[lh]|[0-9]*[AK])")
    assert "\x1b" not in own.sub("", text)
    assert "\x07" not in text and "\u202e" not in text
    assert "[bold red]x[/]" in text


def test_live_gives_the_terminal_back_when_the_campaign_fails() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None)
    with pytest.raises(ValueError, match="boom"), LiveView(console):
        raise ValueError("boom")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


def test_json_is_one_parsable_ascii_object_an_event(stats: MakeStats) -> None:
    stream = io.StringIO()
    with JsonView(stream, clock=lambda: 1700000000.12345) as view:
        for event in hostile_events(stats):
            view.emit(event)
    lines = stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert all(line.isascii() for line in lines)
    found = [json.loads(line) for line in lines]
    assert [each["event"] for each in found] == [
        "started",
        "status",
        "crash",
        "syscall",
        "note",
        "finished",
    ]
    assert all(each["time"] == 1700000000.123 for each in found)
    assert found[1]["target"] == found[5]["stats"][0]["target"] == HOSTILE


def test_json_has_no_number_that_json_lacks(stats: MakeStats) -> None:
    fields = event_fields(Status(stats(executions_per_second=float("inf"))))
    assert json.loads(dumps(fields))["executions_per_second"] is None


def test_json_rows_leave_out_what_only_the_database_needs() -> None:
    row = InputRow(1, "00", b"\xff", "fuzz", "coverage", 9, 5, "key", b"x", 1.0, True)
    assert row_fields(row) == {
        "hash": "00",
        "data": "/w==",
        "source": "fuzz",
        "why": "coverage",
        "exec_ns": 5,
        "found_at": 1.0,
        "recorded": True,
    }


def documented() -> dict[str, set[str]]:
    """Fields by event, from the tables of docs/json.md."""
    found: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in DOCUMENT.read_text().splitlines():
        if heading := re.fullmatch(r"### `(\w+)`.*", line):
            current = found.setdefault(heading[1], set())
        elif field := re.match(r"\| `(\w+)` \|", line):
            current.add(field[1])
    return found


def test_every_object_and_field_is_documented(events: list[Event]) -> None:
    written: dict[str, set[str]] = {}
    for event in events:
        fields = event_fields(event)
        written[str(fields["event"])] = set(fields) - {"event"}
    comparison = comparison_fields(Comparison((), (), (), (), True, True))
    written["comparison"] = set(comparison) - {"event"}
    written["stats"] = written["status"]
    written["reached_call"] = set(ReachedCall.__dataclass_fields__)
    written["remaining_call"] = set(RemainingCall.__dataclass_fields__)
    call = SyscallRow("n", "target", "fuzz", "", 1.0, 1, 1, False, ())
    written["call"] = {"target", *row_fields(call)}
    crash = CrashRow(1, "t", "h", "fail", "k", "s", "o", b"", b"", "p", True, 1.0, 1)
    written["known_crash"] = set(row_fields(crash))
    row = InputRow(1, "00", b"", "fuzz", "coverage", None, 5, "key", b"", 1.0, True)
    written["input"] = {"target", "edges", *row_fields(row)}
    written["check"] = set(Check.__dataclass_fields__)
    place = Place("f", "f.go", 1)
    bound = Bound(
        *("amd64", "go1.26", ("main",)),
        calls=(PossibleCall("read", 0, (place,), ("main.main",)),),
        unknown=(UnknownCall(place, "why", ("main.main",)),),
        opens=(Opening("exec", "what", ("main.main",)),),
        assumes=(),
        reached=1,
        functions=2,
    )
    for fields in bound_fields(bound, "program"):
        written[str(fields["event"])] = set(fields) - {"event"}
    assert documented() == written
