"""Which recorder is taken, and commands under strace."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gofuzzsec.coordinator.capturing.command import capture_command
from gofuzzsec.coordinator.capturing.model import Captured, CommandOptions, SuiteOptions
from gofuzzsec.coordinator.capturing.suites import capture_tests
from gofuzzsec.errors import RecorderError, UsageError
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.model import Origin
from tests.coordinator.capturing.conftest import counts
from tests.requirements import require_strace

REASON = "expected root or CAP_BPF and CAP_PERFMON, found user 1000 without; start with sudo"


@pytest.fixture
def no_bpf(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for an ordinary user."""

    def refuse(**_: object) -> Tracer:
        raise RecorderError(REASON)

    monkeypatch.setattr(Tracer, "open", refuse)


def capture(*command: str | Path, **options: object) -> Captured:
    words = tuple(map(str, command))
    return capture_command(CommandOptions(words, **options), print)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_bpf")
def test_without_privilege_only_strace_is_left(captured: Path, tmp_path: Path) -> None:
    for options in ({"recorder": "bpf"}, {"functions": ("lib.Files",)}):
        with pytest.raises(RecorderError, match="found user 1000 without"):
            capture(captured, "files", tmp_path, **options)
    assert not list(tmp_path.iterdir())  # it was not run
    require_strace(stacks=True)
    seen = capture(captured, "files", tmp_path)
    assert seen.recorder == "strace"
    (warning,) = seen.warnings
    assert warning.startswith("recorded by strace") and REASON in warning


def test_strace_knows_no_functions(captured: Path) -> None:
    with pytest.raises(UsageError, match="found strace, which sees only whole processes"):
        capture(captured, "run", functions=("lib.Touch",), recorder="strace")


def test_a_command_under_strace(
    captured: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    require_strace(stacks=True)
    seen = capture(captured, "files", tmp_path, recorder="strace")
    assert (seen.recorder, seen.status, seen.warnings) == ("strace", 0, ())
    assert seen.everything.recording.complete
    own = counts(seen.everything)
    assert own["mkdirat"] == 3 and own["newfstatat"] == 1
    assert "mkdirat" not in counts(seen.everything, Origin.RUNTIME)
    paths = [use for use in seen.everything.paths if use.name == "mkdirat"]
    assert sum(path.count for path in paths) == 3 and len(paths) >= 2
    frames = [frame for path in paths for frame in path.stack]
    assert any(frame.startswith("example.org/captured/lib.inside ") for frame in frames)
    assert capture(captured, "exit", "9", recorder="strace").status == 9
    assert capture(captured, "kill", tmp_path, recorder="strace").status == -9
    capfd.readouterr()
    assert capture(captured, "where", recorder="strace").status == 0
    out, err = capfd.readouterr()
    # A thread that ends while strace unwinds it makes strace itself say so, there.
    said = [line for line in err.splitlines() if "strace: walk: " not in line]
    assert (out, said) == (str(Path.cwd()), [])


def test_what_strace_knows_before_the_end(
    captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_strace()
    fifo = tmp_path / "fifo"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\nmkfifo {fifo}\nread line <{fifo}\n")
    script.chmod(0o755)
    looks: list[Captured] = []
    told: list[int] = []

    def show(so_far: Captured) -> None:
        looks.append(so_far)
        # Once only: nobody reads it a second time, and so nobody would wait for us.
        if not told and "openat" in counts(so_far.everything) and fifo.exists():
            told.append(fifo.write_text("go on\n"))

    options = CommandOptions((str(script),), recorder="strace", interval=0.05)
    done = capture_command(options, show)
    assert done.status == 0
    assert looks and all(look.status is None for look in looks)
    # What is no Go program is all of one owner.
    origins = {use.origin for use in done.everything.recording.uses}
    assert origins == {Origin.TARGET}
    assert counts(done.everything)["mknodat" if shutil.which("mkfifo") else "openat"] >= 1


def test_tests_under_strace(program_dir: Path) -> None:
    require_strace(stacks=True)
    asked = SuiteOptions(("./lib",), recorder="strace")
    ((_, _, seen),) = capture_tests(asked, program_dir)
    assert seen.recorder == "strace" and seen.status == 0
    assert counts(seen.everything)["mkdirat"] == 3
    assert "openat" in counts(seen.everything, Origin.HARNESS)
    assert seen.coverage["example.org/captured/lib"].covered > 0
