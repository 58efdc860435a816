"""What a capture prints, from values made by hand."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from gofuzzsec.coordinator.capturing.callpath import call_path, is_own, own_frame
from gofuzzsec.coordinator.capturing.model import Captured, Window
from gofuzzsec.coverage.profile import Coverage
from gofuzzsec.report.calltree import LEGEND, call_tree, tree_text
from gofuzzsec.report.capture import capture_objects, capture_text
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse

OPEN = (
    "internal/runtime/syscall/linux.Syscall6 /go/src/asm.s:36",
    "syscall.RawSyscall6 /go/src/syscall/syscall_linux.go:60",
    "syscall.Syscall6 /go/src/syscall/syscall_linux.go:96",
    "syscall.openat /go/src/syscall/zsyscall.go:83",
    "os.OpenFile /go/src/os/file.go:400",
    "example.org/m/lib.(*Store).Load[...] /m/lib/store.go:33",
    "example.org/m.run /m/run.go:12",
    "main.main /m/main.go:8",
    "runtime.main /go/src/runtime/proc.go:283",
    "runtime.goexit /go/src/runtime/asm.s:1700",
)
OWN = ("example.org/m", "main")


def use(
    name: str = "openat",
    *,
    stack: tuple[str, ...] = OPEN,
    origin: Origin = Origin.TARGET,
    count: int = 1,
    kind: str = "",
    outcome: CallOutcome = CallOutcome.OK,
) -> SyscallUse:
    return SyscallUse(name, origin, count, stack=stack, kind=kind, outcome=outcome)


def window(name: str, *uses: SyscallUse, complete: bool = True) -> Window:
    problem = "" if complete else "a map was full"
    return Window(name, Recording(uses, complete, problem), uses)


def captured(*windows: Window, **changes: object) -> Captured:
    uses = tuple(each for one in windows for each in one.recording.uses)
    complete = all(one.recording.complete for one in windows)
    made = Captured(
        subject="./server --once",
        program=Path("/m/server"),
        import_path="example.org/m",
        recorder="bpf",
        windows=windows,
        everything=window("", *uses, complete=complete),
        status=0,
        seconds=1.25,
        own=OWN,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_a_path_is_what_leads_to_the_call() -> None:
    path = [frame.partition(" ")[0] for frame in call_path(OPEN, test_binary=False)]
    assert path == [
        "main.main",
        "example.org/m.run",
        "example.org/m/lib.(*Store).Load[...]",
        "os.OpenFile",
        "syscall.openat",
    ]
    test = ("os.Mkdir", "example.org/m.TestX m_test.go:5", "testing.tRunner", "main.main")
    assert call_path(test, test_binary=True) == ("example.org/m.TestX m_test.go:5", "os.Mkdir")


def test_the_first_own_frame_is_the_innermost() -> None:
    assert own_frame(OPEN, OWN, test_binary=False).startswith("example.org/m/lib.")
    assert own_frame(OPEN[:5], OWN, test_binary=False) == ""
    assert is_own("example.org/m_test.TestX", OWN)
    assert not is_own("example.org/more.Run", OWN)
    assert not own_frame(("main.main",), ("main",), test_binary=True)


def test_a_closure_of_the_library_is_not_own_because_it_was_inlined() -> None:
    stack = (
        "example.org/m.run.Mkdir.func1 /go/src/os/file.go:330",
        "os.ignoringEINTR /go/src/os/file_posix.go:256",
        "os.Mkdir /go/src/os/file.go:329",
        "example.org/m.run /m/run.go:12",
    )
    assert own_frame(stack, OWN, test_binary=False) == stack[3]
    mine = ("example.org/m.run.func1 /m/run.go:11", stack[3])
    assert own_frame(mine, OWN, test_binary=False) == mine[0]


def test_the_set_says_what_how_often_and_from_where() -> None:
    uses = (
        use(kind="create", count=1200),
        use("futex", origin=Origin.RUNTIME, stack=(), count=7),
        use("ptrace", outcome=CallOutcome.REFUSED, stack=()),
    )
    text = capture_text(captured(window("example.org/m.run", *uses)))
    lines = text.splitlines()
    assert lines[0] == "./server --once: ended with status 0 after 1.2 s, recorded by bpf"
    assert "example.org/m.run: 3 system calls in 1,208 calls" in lines
    row = next(line for line in lines if line.startswith("openat"))
    assert re.split(r"\s{2,}", row) == [
        "openat",
        "create",
        "ok",
        "target",
        "1,200",
        "example.org/m/lib.(*Store).Load[...] store.go:33",
    ]
    order = [line.split()[0] for line in lines if line.startswith(("openat", "futex", "ptrace"))]
    assert order == ["openat", "ptrace", "futex"]


def test_several_windows_are_also_told_together() -> None:
    one = window("m.One", use(), use("close"))
    two = window("m.Two", use("close"))
    text = capture_text(captured(one, two, window("m.Three"), window("m.Four")))
    assert "no system calls in\n  m.Three m.Four\n" in text
    assert "all together: 2 system calls in 3 calls\n  close openat" in text


def test_calls_of_the_harness_are_shown_and_not_counted() -> None:
    harness = use("mkdirat", origin=Origin.HARNESS)
    text = capture_text(captured(window("", use(), harness), test_binary=True))
    assert "the whole process: 1 system call in 1 call\n" in text
    assert "mkdirat" in text


def test_doubts_come_last() -> None:
    seen = captured(
        window("m.Run", use(), complete=False), warnings=("m.Small was inlined\x1b[2J",), status=-9
    )
    *_, first, second = capture_text(seen).splitlines()
    assert first == "warning: m.Small was inlined\\x1b[2J"
    assert second == "warning: EVIDENCE INCOMPLETE: a map was full"
    assert "ended by signal 9" in capture_text(seen)
    assert "still running" in capture_text(dataclasses.replace(seen, status=None))


def test_coverage_stands_beside_the_calls() -> None:
    coverage = {"example.org/m": Coverage(50, 32)}
    tests = captured(window("", use(), use("close")), coverage=coverage, test_binary=True)
    assert (
        "these 2 system calls come from tests that cover 64.0 % of the statements of example.org/m"
    ) in capture_text(tests)
    program = dataclasses.replace(tests, test_binary=False)
    assert re.search(r"example.org/m\s+64\.0 %\s+32\s+50", capture_text(program))


def test_the_tree_merges_paths_and_marks_the_own_function() -> None:
    other = (*OPEN[:3], "syscall.unlinkat", "os.Remove", *OPEN[6:])
    paths = [
        use(count=2, kind="read"),
        use("unlinkat", stack=other, outcome=CallOutcome.FAILED),
        use("futex", origin=Origin.RUNTIME, count=4, stack=OPEN),
        use("write", origin=Origin.HARNESS),
        use("mmap", origin=Origin.UNKNOWN, stack=()),
    ]
    assert tree_text(call_tree(paths, OWN, test_binary=False)).splitlines() == [
        "├ main.main main.go:8  [3]",
        "│ └ ● example.org/m.run run.go:12  [3]",
        "│   ├ ● example.org/m/lib.(*Store).Load[...] store.go:33  [2]",
        "│   │ └ os.OpenFile file.go:400  [2]",
        "│   │   └ syscall.openat zsyscall.go:83  [2]",
        "│   │     └ openat read  ×2",
        "│   └ os.Remove  [1]",
        "│     └ syscall.unlinkat  [1]",
        "│       └ unlinkat (failed)  ×1",
        "├ (other programs and C code)  [1]",
        "│ └ mmap  ×1",
        "├ (the Go runtime for itself)  [4]",
        "│ └ futex  ×4",
        "└ (the test harness)  [1]",
        "  └ write  ×1",
    ]
    assert LEGEND in capture_text(captured(window("m.Run", *paths)), tree=True)


def test_names_cannot_drive_the_terminal() -> None:
    evil = use(stack=("main.\x1b[2Jrun \x1b[31m.go:3",))
    for tree in (True, False):
        assert "\x1b" not in capture_text(captured(window("\x1b[2J", evil)), tree=tree)


def test_objects_hold_everything() -> None:
    seen = captured(
        window("m.Run", use(kind="read", count=2), complete=False),
        coverage={"example.org/m": Coverage(10, 5)},
    )
    head, call, statements = [json.loads(dumps(each)) for each in capture_objects(seen)]
    assert head["event"] == "capture" and head["windows"] == ["m.Run"]
    assert head["complete"] is False and head["problem"] == "a map was full"
    assert (head["status"], head["running"], head["recorder"]) == (0, False, "bpf")
    assert (call["name"], call["kind"], call["outcome"]) == ("openat", "read", "ok")
    assert call["count"] == 2
    assert call["from"].startswith("example.org/m/lib.") and call["window"] == "m.Run"
    assert call["paths"] == [{"count": 2, "stack": list(OPEN)}]
    assert (statements["covered"], statements["statements"]) == (5, 10)


DOCS = Path(__file__).parents[2] / "docs" / "capture.md"


@pytest.mark.parametrize("event", ["capture", "captured_call", "statements"])
def test_every_field_is_documented(event: str) -> None:
    seen = captured(window("m.Run", use()), coverage={"example.org/m": Coverage(1, 1)})
    made = next(each for each in capture_objects(seen) if each["event"] == event)
    section = DOCS.read_text().split(f"### `{event}`")[1].split("###")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert documented == set(made) - {"event"}
