"""`gofuzzsec capture` as from a shell."""

# ruff: noqa: F811  (fixtures are imported, and then named as arguments)
from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from gofuzzsec.cli.profiles import build as profile_command
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Recording
from tests.cli.conftest import Run
from tests.coordinator.capturing.conftest import (  # noqa: F401
    build,
    captured,
    one_tracer,
    program_dir,
    tracer,
)
from tests.requirements import require_bpf

LIB = "example.org/captured/lib"


@pytest.fixture(autouse=True)
def nobody_called_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in this process, which would give up root's privileges for good."""
    monkeypatch.delenv("SUDO_UID", raising=False)


def argv(*args: str | Path) -> Sequence[str]:
    """A process of its own: the command that is captured shares its streams."""
    return [sys.executable, "-m", "gofuzzsec", "capture", *map(str, args)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "expected a command, or --tests and packages"),
        (("--tree", "--json", "--", "true"), "--tree and --json exclude"),
        (("--tests", "--binary", sys.executable), "--binary is for a command"),
        (("--tests", "--interval", "1s"), "--interval is for a command"),
        (("--function-by-function", "--", "true"), "needs --tests"),
        (("-run", "X", "--", "true"), "--run needs --tests"),
        (("--tests", "-f", "x", "--function-by-function", "."), "exclude each other"),
        (("--interval", "0", "--", "true"), "above zero"),
        (("--recorder", "strace", "-f", "x", "--", sys.executable), "found: "),
        (("--", "/no/such/program"), "expected a program to run at /no/such/program"),
    ],
)
def test_what_cannot_be_asked_for(run: Run, args: tuple[str, ...], said: str) -> None:
    result = run("capture", "--no-store", *args)
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_the_output_stays_the_programs_own_and_its_calls_are_evidence(
    run: Run, captured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_bpf()
    monkeypatch.setattr(profile_command, "runtime_baseline", lambda go: Recording(()))
    data = bytes(range(256)) * 300
    plain = subprocess.run([captured, "echo"], input=data, capture_output=True, check=True)
    report, campaign = tmp_path / "report.json", tmp_path / "campaign"
    args = argv("--campaign", campaign, "--json", "-o", report, "--", captured, "echo")
    done = subprocess.run(args, input=data, capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 0
    assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)
    head, *calls = [json.loads(line) for line in report.read_text().splitlines()]
    assert head["event"] == "capture" and head["status"] == 0 and head["complete"]
    assert head["import_path"] == "example.org/captured"
    assert {"read", "write"} <= {each["name"] for each in calls if each["origin"] == "target"}
    built = run("profile", "build", "--campaign", str(campaign), "-o", "-", "--explain")
    assert built.exit_code == 0, built.stderr
    profile = json.loads(built.stdout)
    assert "read" in {name for each in profile["syscalls"] for name in each["names"]}
    said = next(line for line in built.stderr.splitlines() if line.startswith("read:"))
    assert "integration" in said


def test_signals_come_through(captured: Path, tmp_path: Path) -> None:
    require_bpf()
    report = tmp_path / "report"
    args = argv("--no-store", "-o", report, "-f", "main.main", "--", captured, "signal")
    with subprocess.Popen(args, stdout=subprocess.PIPE, cwd=tmp_path, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"terminated\n"
        assert process.wait() == 7
    assert "main.main: " in report.read_text()


def test_who_kills_the_capture_kills_the_program(captured: Path, tmp_path: Path) -> None:
    require_bpf()
    pipe = subprocess.PIPE
    args = argv("--no-store", "--", captured, "serve")
    with subprocess.Popen(args, stdin=pipe, stdout=pipe, cwd=tmp_path) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"
        process.kill()
        assert process.stdout.read() == b""  # nobody has the other end any more
        process.stdin.close()


@pytest.mark.usefixtures("one_tracer")
def test_the_report_and_the_status(run: Run, captured: Path, tmp_path: Path) -> None:
    died = run("capture", "--no-store", "--tree", "--", str(captured), "kill", str(tmp_path))
    assert died.exit_code == 128 + signal.SIGKILL
    assert died.stdout == ""
    assert "● example.org/captured/lib.inside lib.go:27" in died.stderr
    # Behind its first word options are the command's.
    behind = run("capture", "--no-store", "-o", "-", str(captured), "exit", "5", "--tests")
    assert behind.exit_code == 5
    assert "exit 5 --tests: ended with status 5" in behind.stdout
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    run("capture", "--no-store", "-o", str(link), "--", str(captured), "exit", "5")
    assert link.is_symlink() and "status 5" in (tmp_path / "real").read_text()
    for _ in range(2):
        run("capture", "--campaign", "c", "-f", "lib.Touch", "--", str(captured), "run")
    with Store.open_readonly(Path("c")) as store:
        assert store.targets() == []
        (row,) = store.targets(programs=True)
        assert row.full_name == "example.org/captured"
        labels = [each.label for each in store.captures(row.id)]
        assert labels == [f"{captured} run", f"{captured} run (2)"]
        (call,) = [each for each in store.syscalls(row.id) if each.origin == "target"]
        assert (call.name, call.outcome, call.source) == ("faccessat", "failed", "integration")
        assert call.count == 2


@pytest.mark.usefixtures("one_tracer")
def test_tests_with_coverage(
    run: Run, program_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, campaign = str(program_dir / "lib"), tmp_path / "campaign"
    with Store.create(campaign) as store:
        store.add_target(LIB, "FuzzX", folder, str(program_dir), "", False)
    args = ("capture", "--campaign", str(campaign), "--tests", folder, "--function-by-function")
    done = run(*args)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"% of the statements of {LIB}" in done.stdout
    assert f"{LIB}.TestFiles: " in done.stdout
    monkeypatch.setenv("CAPTURED_FAIL", "1")
    failed = run(*args)
    assert failed.exit_code == 1
    assert "as asked" in failed.stderr
    assert "EVIDENCE INCOMPLETE" in failed.stdout
    with Store.open_readonly(campaign) as store:
        (row,) = store.targets(programs=True)  # the fuzz test, and no target beside it
        (recording,) = store.captures(row.id)  # the second run replaced the first
        assert (recording.source, recording.complete) == ("tests", False)
        assert recording.label == "tests function by function"
        assert recording.statements is not None and recording.statements.covered > 0


def test_what_cannot_be_written_is_told_before_anything_runs(
    run: Run, captured: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "file").write_text("")
    campaign = str(tmp_path / "file" / "c")
    output = str(tmp_path / "file" / "report")
    for options in (("--campaign", campaign), ("--no-store", "-o", output)):
        done = run("capture", *options, "--", str(captured), "files", str(folder))
        assert done.exit_code in (2, 3)
        assert done.stderr.startswith("gofuzzsec: error: ")
    assert not list(folder.iterdir())
