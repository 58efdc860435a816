"""Marks of system calls: what they mean, and that boosted programs make them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.classes import class_names
from gofuzzsec.syscalls.inprocess import (
    FEATURES,
    TABLES_SIZE,
    Feature,
    TracedCall,
    feature,
    frames,
    functions,
    read_tables,
    recording_of,
    recording_of_trace,
)
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording
from gofuzzsec.syscalls.table import machine_arch, number
from gofuzzsec.toolchain.find import go_env
from gofuzzsec.toolchain.model import Go
from gofuzzsec.toolchain.overlay import agent_files, prepare_overlay
from gofuzzsec.toolchain.patch import apply_patches
from gofuzzsec.toolchain.patches_syscall import SYSCALL_PATCHES

ARCH = machine_arch()
TARGET = ("syscall.Syscall /go/a.go:1", "os.Open /go/b.go:2", "example.org/m.F /home/x y/m.go:3")
HARNESS = ("syscall.Syscall /go/a.go:1", "os.Mkdir /go/b.go:2", "testing.(*common).TempDir /t.go:3")


def index(call: str, kind: str = "", outcome: int = 1) -> int:
    """The feature of a call on this machine."""
    trap = number(call, ARCH)
    assert trap is not None
    return trap * 32 + class_names(call).index(kind) * 3 + outcome


def test_features_have_meanings() -> None:
    assert feature(index("openat", "create", 2), ARCH) == Feature("openat", "create", "errno")
    assert str(feature(index("openat", "create", 0), ARCH)) == "openat (create): begun"
    assert str(feature(index("read"), ARCH)) == "read: ok"
    assert feature(511 * 32 + 2, ARCH) == Feature("syscall_0x1ff", "", "errno")


@pytest.mark.parametrize("wrong", [-1, FEATURES, 30, 31, 511 * 32 + 3])
def test_what_is_no_feature_is_refused(wrong: int) -> None:
    with pytest.raises(RecorderError, match="expected a feature of a system call"):
        feature(wrong, ARCH)


def test_stacks_say_who_was_first_and_no_more() -> None:
    marks = [index("openat", "read"), index("mkdirat"), index("read")]
    recording = recording_of(marks, {marks[0]: TARGET, marks[1]: HARNESS}, ARCH)
    assert {use.name: use.origin for use in recording.uses} == {
        "openat": Origin.TARGET,
        "mkdirat": Origin.UNKNOWN,
        "read": Origin.UNKNOWN,
    }
    assert recording.complete
    assert recording.behaviour() == {"openat", "mkdirat", "read"}
    assert [(use.kind, use.outcome) for use in recording.uses] == [
        ("", CallOutcome.OK),
        ("read", CallOutcome.OK),
        ("", CallOutcome.OK),
    ]
    assert recording.uses[1].stack == TARGET


def test_a_trace_says_who_made_every_call() -> None:
    mkdir, opened = index("mkdirat"), index("openat", "read")
    calls = [TracedCall(mkdir, 2, HARNESS), TracedCall(mkdir, 3, TARGET)]
    calls += [TracedCall(opened, 1, TARGET), TracedCall(opened + 1, 4, TARGET)]
    recording = recording_of_trace(calls, [mkdir, opened, index("exit_group", "", 0)], ARCH)
    assert [(use.name, use.outcome.value, use.origin, use.count) for use in recording.uses] == [
        ("exit_group", "begun", Origin.UNKNOWN, 1),
        ("mkdirat", "ok", Origin.HARNESS, 2),
        ("mkdirat", "ok", Origin.TARGET, 3),
        ("openat", "failed", Origin.TARGET, 4),
        ("openat", "ok", Origin.TARGET, 1),
    ]
    assert recording.complete
    cut = recording_of_trace(calls, [], ARCH, all_traced=False)
    assert not cut.complete
    assert "more places" in cut.problem


def test_a_trace_tells_values() -> None:
    prctl, read = index("prctl", "name"), index("read")
    calls = [TracedCall(prctl, 2, TARGET, 15), TracedCall(prctl, 1, TARGET, 16)]
    calls += [TracedCall(prctl, 4, TARGET, 1 << 40 | 15), TracedCall(prctl, 7, TARGET)]
    calls += [TracedCall(read, 1, TARGET, 99)]  # has none, whatever somebody says
    recording = recording_of_trace(calls, [prctl], ARCH)
    assert [(use.name, use.args, use.count) for use in recording.uses] == [
        ("prctl", (), 7),
        ("prctl", (15,), 6),
        ("prctl", (16,), 1),
        ("read", (), 1),
    ]


@pytest.mark.parametrize(
    ("marks", "word"),
    [
        ([index("clone", "vfork")], "clone"),
        ([index("execve", "", 0), index("clone", "process")], "clone, execve"),
        ([511 * 32 + 2], "over 510"),
    ],
)
def test_what_may_be_missing_is_said(marks: list[int], word: str) -> None:
    recording = recording_of(marks, {}, ARCH)
    assert not recording.complete
    assert word in recording.problem


def test_threads_and_failed_starts_hide_nothing() -> None:
    marks = [index("clone", "thread"), index("clone", "vfork", 2), index("execve", "", 2)]
    assert recording_of(marks, {}, ARCH).complete


def test_hostile_stacks_are_cut() -> None:
    assert frames(["", " x", "f" * 5000 + " a:1", "g"]) == ("f" * 1000 + " a:1", "g")
    assert frames(["f " + "a" * 5000]) == ("f " + "a" * 1000,)
    assert len(frames(["f a:1"] * 5000)) == 200
    assert functions(["m.F /a b/m.go:1", "m.G"]) == ("m.F", "m.G")


@given(st.binary(max_size=8192), st.binary(max_size=8192))
def test_any_memory_can_be_read(head: bytes, tail: bytes) -> None:
    memory = head + bytes(TABLES_SIZE - len(head) - len(tail)) + tail
    tables = read_tables(memory)
    assert set(tables.stacks) <= set(tables.seen)
    for mark in (*tables.marked, *tables.seen):
        assert 0 <= mark < FEATURES
        assert mark % 32 < 30
    with pytest.raises(RecorderError, match="of the agent's tables"):
        read_tables(memory[:-1])


PROGRAM = Path(__file__).parent / "marked"
"""Runs the scenarios named by its arguments and prints their marks and stacks."""


@dataclass
class Seen:
    """Marks of one scenario with their stacks, and what was traced."""

    marks: dict[int, tuple[str, ...]] = field(default_factory=dict)
    traced: list[TracedCall] = field(default_factory=list)

    def features(self) -> set[str]:
        return {str(feature(mark, ARCH)) for mark in self.marks}

    def stack(self, wanted: str) -> str:
        found = [m for m in self.marks if str(feature(m, ARCH)) == wanted]
        assert found, f"{wanted} is not in {sorted(self.features())}"
        return " < ".join(functions(self.marks[found[0]]))

    def recording(self) -> Recording:
        return recording_of(list(self.marks), self.marks, ARCH)


Run = Callable[..., Seen]


def build(go: Go, folder: Path, *options: str) -> Path:
    """The program, with nothing but the system call patches in the standard library."""
    shutil.copytree(PROGRAM, folder)
    ours = {path: text for path, text in agent_files().items() if path.startswith("syscall/")}
    overlay = prepare_overlay(go, patches=SYSCALL_PATCHES, added=ours)
    program = folder / "program"
    subprocess.run(
        [overlay.go, "build", "-p", "1", "-overlay", overlay.path, *options, "-o", program, "."],
        cwd=folder, check=True,
    )  # fmt: skip
    return program


@pytest.fixture(scope="module")
def program(any_go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(any_go, tmp_path_factory.mktemp("inprocess") / "a folder")


@pytest.fixture(scope="module")
def run(program: Path) -> Run:
    return lambda *scenario: run_program(program, *scenario)


def run_program(program: Path, *scenario: str) -> Seen:
    done = subprocess.run(
        [program, *scenario], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = Seen()
    for line in done.stdout.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "mark":
            mark, stack = int(rest), ()
            seen.marks[mark] = stack
        elif kind == "call":
            mark, count = map(int, rest.split())
            seen.traced.append(TracedCall(mark, count, ()))
        elif kind == "frame" and seen.traced:
            last = seen.traced[-1]
            seen.traced[-1] = TracedCall(last.feature, last.count, (*last.stack, rest))
        else:
            assert kind == "frame", line
            seen.marks[mark] += (rest,)
    return seen


def test_outcomes_and_stacks(run: Run) -> None:
    seen = run("open")
    assert {"openat (read): ok", "openat (read): errno", "close: ok"} <= seen.features()
    assert "main.openInlined < main.scenarioOpen <" in seen.stack("openat (read): errno")
    assert seen.stack("openat (read): ok").startswith("syscall.RawSyscall6 < syscall.Syscall6 <")
    assert not any("ofuzzsec" in name for s in seen.marks.values() for name in functions(s))
    uses = [use for use in seen.recording().uses if use.name == "openat"]
    assert [(u.kind, u.outcome.value) for u in uses] == [("read", "failed"), ("read", "ok")]
    assert all(use.origin in {Origin.TARGET, Origin.UNKNOWN} for use in uses)
    assert all("/main.go:" in use.stack[-3] for use in uses), uses


def test_calls_around_raw_syscall6(run: Run) -> None:
    seen = run("around")
    assert {"getuid: ok", "fcntl (get flags): ok", "prctl (dumpable): ok"} <= seen.features()
    assert "syscall.Getuid < os.Getuid < main." in seen.stack("getuid: ok")
    assert "unix.Fcntl < " in seen.stack("fcntl (get flags): ok")
    assert "syscall.RawSyscall6 < main.scenarioAround" in seen.stack("getpgid: ok")


def test_classes_of_real_calls(run: Run) -> None:
    kinds = {text.rpartition(":")[0] for text in run("classes").features()}
    assert kinds >= {
        "socket (unix)",
        "socket (inet)",
        "socket (netlink)",
        "socketpair (unix)",
        "setsockopt (socket)",
        "mmap (write)",
        "mmap (read)",
        "mprotect (read)",
        "fcntl (get descriptor flags)",
        "ioctl (terminal get)",
        "prctl (name)",
        "openat (create)",
        "openat (directory)",
        "unlinkat (file)",
        "unlinkat (directory)",
    }


def test_numbers_out_of_the_table(run: Run) -> None:
    seen = run("number")
    assert seen.features() == {"syscall_0x1ff: errno"}
    assert "over 510" in seen.recording().problem


def test_started_processes(run: Run) -> None:
    seen = run("exec")
    # The child runs on the parent's memory until its execve, which does not come back.
    assert {"clone (vfork): ok", "execve: begun", "dup3: ok"} <= seen.features()
    assert "main.scenarioExec" in seen.stack("execve: begun")
    assert "clone, execve" in seen.recording().problem


def test_a_child_that_sets_itself_up_before_its_execve(run: Run) -> None:
    features = run("attr").features()
    assert {"setpgid: ok", "setsid: ok", "getppid: ok", "chdir: ok"} <= features
    assert "execve: errno" not in features


def test_a_process_that_cannot_start(run: Run) -> None:
    features = run("noexec").features()
    assert {"clone (vfork): ok", "execve: errno"} <= features
    assert "execve: begun" not in features


def test_goroutines_do_not_lose_marks(run: Run) -> None:
    seen = run("storm")
    assert seen.features() == {"getppid: ok", "openat (read): errno", "fcntl (get flags): errno"}


def test_every_call_of_a_trace_is_counted_by_its_stack(run: Run) -> None:
    seen = run("trace")
    calls = {(str(feature(c.feature, ARCH)), c.count): functions(c.stack) for c in seen.traced}
    assert set(calls) == {("getppid: ok", 5), ("getppid: ok", 1), ("openat (read): errno", 2)}
    assert "main.traceOnce" in calls["getppid: ok", 1]
    assert "main.traceOnce" not in calls["getppid: ok", 5]


def test_deep_stacks_and_callbacks(run: Run) -> None:
    stack = run("deep").stack("getppid: ok")
    assert stack.count("main.deep") > 30


def test_tables_outlive_the_process(program: Path, tmp_path: Path) -> None:
    shared = tmp_path / "tables"
    done = subprocess.run(
        [program, "die", shared], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 7, done.stderr
    tables = read_tables(shared.read_bytes())
    died = index("exit_group", "", 0)
    assert died in tables.marked
    assert len(tables.stacks[died]) >= 3
    assert index("openat", "read", 2) in tables.marked
    assert index("getuid") in tables.seen
    assert index("getuid") not in tables.marked


def test_under_the_race_detector_and_unoptimised(
    go: Go, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # The longest chain of functions that must not grow their stack is the unoptimised one: the
    # linker refuses what could overflow.
    folder = tmp_path_factory.mktemp("race") / "folder"
    program = build(go, folder, "-race", "-gcflags=syscall=-N -l")
    assert "getppid: ok" in run_program(program, "storm").features()
    assert "execve: begun" in run_program(program, "exec").features()
    assert len(run_program(program, "trace").traced) >= 3


def test_the_other_architecture_builds(
    go: Go, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOARCH", "amd64" if ARCH == "arm64" else "arm64")
    monkeypatch.setenv("CGO_ENABLED", "0")
    assert build(go, tmp_path_factory.mktemp("other") / "folder").is_file()


def test_lines_stay_where_they_are(any_go: Go) -> None:
    goroot = go_env(any_go.path, ("GOROOT",), cwd=Path.cwd())["GOROOT"]
    fitting = [patch for patch in SYSCALL_PATCHES if patch.fits(any_go.version)]
    assert len(fitting) >= 11
    for file in {patch.file for patch in fitting}:
        text = Path(goroot, "src", file).read_text("utf-8")
        patched = apply_patches(text, [patch for patch in fitting if patch.file == file])
        assert patched != text
        assert patched.count("\n") == text.count("\n"), file


def test_the_marks_pass_their_own_tests(go: Go) -> None:
    module = resources.files("gofuzzsec").joinpath("agent")
    done = subprocess.run(
        [go.path, "test", "-p", "1", "./syscall"],
        cwd=str(module), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
