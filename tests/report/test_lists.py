"""Tables of evidence, inputs, crashes and checks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gofuzzsec.coverage import pack
from gofuzzsec.errors import StoreError
from gofuzzsec.report.campaign import (
    checks_table,
    crash_details,
    crashes_table,
    edges_of,
    input_cells,
    inputs_table,
)
from gofuzzsec.report.evidence import (
    calls_table,
    calls_with_stacks,
    coverage_lines,
    headline,
    profile_reasons,
    profile_summary,
)
from gofuzzsec.seccomp import build_profile
from gofuzzsec.store import Statements, Store
from gofuzzsec.store.model import CrashRow, InputRow, SyscallRow
from gofuzzsec.syscalls.compare import CallForm, CallSummary, Comparison
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from gofuzzsec.toolchain.doctor import Check

FULL = Comparison(
    tests=("close", "openat"),
    added=("bind", "socket"),
    by_seeds=("bind",),
    unstable=("connect",),
    tests_recorded=True,
    inputs_recorded=True,
)
CRASH = CrashRow(
    id=1,
    target="m.FuzzParse",
    hash="0123456789abcdef",
    kind="crash",
    key="k",
    summary="panic: \x1b[2Jindex out of range",
    output="panic: index out of range\n\x1b[31m\n\ngoroutine 1 [running]:\nmain.f()\n",
    data=b'go test fuzz v1\nstring("\xff")\n',
    original=b"x" * 2048,
    path="testdata/fuzz/FuzzParse/0123456789abcdef",
    reproduced=True,
    found_at=1700000000.0,
    count=3,
)
INPUT = InputRow(
    id=7,
    hash="00aa00aa00aa00aa",
    data=b"go test fuzz v1\nint(1)\n",
    source="fuzz",
    why="coverage",
    parent=None,
    exec_ns=12345,
    build_key="key",
    coverage=pack(np.array([8, 9, 16, 800], dtype=np.uint32)),
    found_at=1700000000.0,
    recorded=False,
)


def test_headline_names_both_sides() -> None:
    assert headline(FULL).splitlines() == [
        "hand-written tests alone reached these 2 system calls:",
        "  close openat",
        "fuzzing added these 2 calls:",
        "  bind socket",
        "of these, the seeds alone reached:",
        "  bind",
        "not counted, because seen in only one of an input's two runs:",
        "  connect",
    ]


def test_headline_of_nothing_added() -> None:
    nothing = dataclasses.replace(FULL, tests=(), added=(), by_seeds=(), unstable=())
    assert headline(nothing).splitlines() == [
        "hand-written tests alone reached these 0 system calls:",
        "  (none)",
        "fuzzing added these 0 calls:",
        "  (none)",
    ]


def test_headline_claims_nothing_that_was_not_recorded() -> None:
    without_tests = headline(dataclasses.replace(FULL, tests=(), tests_recorded=False))
    assert "tests were not recorded" in without_tests
    assert "alone reached these 0" not in without_tests
    assert "nothing to compare" in headline(dataclasses.replace(FULL, inputs_recorded=False))


def test_calls_with_and_without_stacks() -> None:
    deep = tuple(f"m.f{n}" for n in range(50))
    calls = (
        CallSummary("bind", ("seeds", "fuzz"), ("target",), "00aa", 1234, True, deep),
        CallSummary("mmap", ("baseline",), ("runtime", "unknown"), "", 1, False, ()),
    )
    assert calls_table(calls).splitlines() == [
        "SYSCALL  NEEDED BY       ORIGIN            FIRST INPUT  COUNT",
        "bind     seeds, fuzzing  target            00aa         1,234  unstable",
        "mmap     baseline        runtime, unknown  -                1",
    ]
    lines = calls_with_stacks(calls).splitlines()
    assert lines[0] == (
        "bind: needed by seeds, fuzzing; origin target; 1,234 seen, first by input 00aa, unstable"
    )
    assert lines[1:3] == ["    m.f0", "    m.f1"]
    assert lines[41] == "    … 10 more frames"
    assert lines[42:] == [
        "mmap: needed by baseline; origin runtime, unknown; 1 seen",
        "    (no stack recorded)",
    ]


def form(kind: str, outcome: str, count: int, *stack: str) -> CallForm:
    return CallForm(kind, outcome, ("campaign",), ("target",), "", count, False, stack)


def call_of(name: str, *forms: CallForm) -> CallSummary:
    count = sum(each.count for each in forms)
    return CallSummary(name, ("campaign",), ("target",), "", count, False, ("m.F",), forms)


def test_kinds_and_outcomes_have_lines_of_their_own() -> None:
    calls = (
        call_of("socket", form("unix", "ok", 2), form("unix", "refused", 3), form("", "untold", 0)),
        call_of("read", form("", "ok", 7)),
        call_of("openat", form("", "untold", 1), form("create", "untold", 4)),
    )
    lines = [" ".join(line.split()) for line in calls_table(calls).splitlines()[1:]]
    assert lines == [
        "socket campaign target - 5",
        "(unix) ok campaign target - 2",
        "(unix) refused campaign target - 3",
        "read campaign target - 7",
        "openat campaign target - 5",
        "(not told) campaign target - 1",
        "(create) campaign target - 4",
    ]
    stacks = calls_with_stacks(calls).splitlines()
    assert stacks[0] == "socket (unix) ok: needed by campaign; origin target; 2 seen"
    assert stacks[4:6] == ["read: needed by campaign; origin target; 7 seen", "    m.F"]


def test_stacks_point_to_the_users_code_and_leave_the_harness_out() -> None:
    stack = (
        "internal/runtime/syscall.Syscall6 /go/a.s:1",
        "os.Open /go/os/file.go:2",
        "example.org/dep.Open /deps/dep.go:3",
        "example.org/m/sub.(*T).Read[...] /m/sub/t.go:4",
        "example.org/m_test.FuzzRead.func1 /m/m_test.go:5",
        "reflect.Value.Call /go/reflect/value.go:6",
        "testing.(*F).Fuzz.func1.1 /go/testing/fuzz.go:7",
        "runtime.goexit /go/runtime/asm_amd64.s:8",
    )
    call = CallSummary("openat", ("fuzz",), ("target",), "00aa", 1, False, stack)
    lines = calls_with_stacks([call], ["example.org/m"]).splitlines()
    assert lines[1:] == [f"    {frame}" for frame in stack[:3]] + [
        f"  → {stack[3]}",
        f"    {stack[4]}",
    ]
    harness = CallSummary("read", ("fuzz",), ("harness",), "", 1, False, stack[6:])
    assert len(calls_with_stacks([harness]).splitlines()) == 3


def test_what_no_kept_input_shows_is_named_in_the_headline() -> None:
    text = headline(dataclasses.replace(FULL, passing=("ptrace",)))
    assert text.splitlines()[-2:] == [
        "seen while the campaign ran, though no kept input shows them:",
        "  ptrace",
    ]


def test_coverage_beside_captures(tmp_path: Path) -> None:
    uses = (
        SyscallUse("read", Origin.TARGET, 1),
        SyscallUse("openat", Origin.UNKNOWN, 1),
        SyscallUse("futex", Origin.RUNTIME, 1),
    )
    with Store.create(tmp_path / "campaign") as store:
        targets = [store.add_target("m", name, "", "", "", False) for name in ("FuzzA", "FuzzB")]
        for target in targets:
            store.add_capture(
                target.id, "tests", "m/sub", Recording(uses), statements=Statements(64, 100)
            )
            store.add_capture(target.id, "integration", "./m", Recording(uses))
        nothing = Recording(uses[2:])
        store.add_capture(targets[0].id, "integration", "x", nothing, statements=Statements(0, 7))
        assert coverage_lines(store, targets) == [
            "these 2 calls come from the tests m/sub, covering 64.0 % of the statements:\n"
            "  openat read",
            "these 0 calls come from the run x, covering 0.0 % of the statements:\n  (none)",
        ]


def test_inputs() -> None:
    assert inputs_table([]) == "no inputs kept"
    head, line = inputs_table([input_cells("m.FuzzParse", INPUT)]).splitlines()
    assert " ".join(head.split()) == "HASH TARGET SOURCE WHY SIZE EXEC TIME EDGES SYSCALLS"
    assert " ".join(line.split()) == "00aa00aa00aa00aa m.FuzzParse fuzz coverage 23 B 12.3µs 3 -"


def test_edges_are_counters_not_buckets() -> None:
    assert edges_of(INPUT) == 3
    assert edges_of(dataclasses.replace(INPUT, coverage=b"")) == 0
    with pytest.raises(StoreError, match="damaged"):
        edges_of(dataclasses.replace(INPUT, coverage=b"not zlib"))


def test_crashes_show_what_happened_and_drive_nothing() -> None:
    assert crashes_table([]) == "no crashes"
    table = crashes_table([CRASH])
    details = crash_details(CRASH)
    assert "\x1b" not in table + details
    assert table.splitlines()[1].endswith("panic: \\x1b[2Jindex out of range")
    assert "size:       28 B, 2.0 KiB as found" in details
    assert "seen:       3 times" in details
    assert 'string("\\xff")' in details
    assert details.endswith("\n\\x1b[31m\n\ngoroutine 1 [running]:\nmain.f()")


def test_a_long_crashing_input_is_cut() -> None:
    details = crash_details(dataclasses.replace(CRASH, data=b"a" * 5000, output=""))
    assert "… (904 more characters)" in details


def test_checks_say_what_to_do_only_where_something_is_missing() -> None:
    lines = checks_table(
        [
            Check("go", True, "go1.26.8", "install Go", True),
            Check("strace", False, "not found", "apt-get install strace", False),
            Check("cache", False, "read-only", "set GOFUZZSEC_CACHE", True),
        ]
    ).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "CHECK FOUND WHAT TO DO",
        "go ok go1.26.8",
        "strace missing not found apt-get install strace",
        "cache MISSING read-only set GOFUZZSEC_CACHE",
    ]


def test_a_profile_is_summed_up_by_who_needs_its_calls() -> None:
    def row(name: str, source: str, origin: str) -> SyscallRow:
        return SyscallRow(name, origin, source, "", 1.0, 1, 1, False, ())

    rows = [
        row("bind", "fuzz", "target"),
        row("bind", "seeds", "unknown"),
        row("futex", "fuzz", "runtime"),
        row("pipe2", "fuzz", "harness"),
    ]
    profile = build_profile(rows, baseline=["futex"], oci=["execve"], arch="amd64")
    assert not any("campaign" in line for line in profile_summary(profile, rows, []).splitlines())
    more = profile_summary(profile, [*rows, row("bind", "campaign", "target")], ["futex"])
    assert "  campaign:               1" in more.splitlines()
    lines = profile_summary(profile, rows, ["futex"]).splitlines()
    assert lines[0].startswith("seccomp profile for amd64: ")
    assert [" ".join(line.split()) for line in lines[1:5]] == [
        "hand-written tests: 0",
        "seeds: 1",
        "fuzzing: 2",
        "Go runtime baseline: 1",
    ]
    assert lines[-2:] == ["left out, because only the test harness made them:", "  pipe2"]
    reasons = profile_reasons(profile).splitlines()
    assert [line.split(":")[0] for line in reasons] == list(profile.names)
