"""``gofuzzsec profile build`` on a campaign made by hand."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gofuzzsec.cli.profiles import build as profile_command
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from tests.cli.conftest import Run

BUILD = ("profile", "build", "--no-static")


@pytest.fixture(autouse=True)
def on_amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests read the same on every machine."""
    monkeypatch.setattr(profile_command, "machine_arch", lambda: "amd64")


def allowed(text: str) -> set[str]:
    document = json.loads(text)
    assert document["defaultAction"] == "SCMP_ACT_ERRNO"
    return {name for entry in document["syscalls"] for name in entry["names"]}


def test_it_allows_the_evidence_and_says_where_that_is_weak(
    run: Run, campaign: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "seccomp.json"
    result = run("profile", "build", "--no-static", "--campaign", str(campaign), "-o", str(out))
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    names = allowed(out.read_text())
    assert {"mkdirat", "openat", "mmap", "futex"} <= names
    assert "ptrace" not in names
    counts = {}
    for line in result.stderr.splitlines():
        what, _, number = line.strip().rpartition(":")
        if line.startswith("  ") and number.strip().isdigit():
            counts[what] = int(number)
    assert counts["hand-written tests"] == 1
    assert counts["seeds"] == 1
    assert counts["fuzzing"] == 2
    assert counts["Go runtime baseline"] == 2
    assert f"{len(names)} calls allowed" in result.stderr
    assert "warning: EVIDENCE INCOMPLETE: 1 kept input" in result.stderr
    assert "encoding/json.FuzzText: the hand-written tests are not recorded" in result.stderr


def test_only_the_profile_goes_to_standard_output(run: Run, campaign: Path) -> None:
    args = ("profile", "build", "--no-static", "--campaign", str(campaign), "--target", "FuzzParse")
    result = run(*args, "-o", "-")
    assert "mkdirat" in allowed(result.stdout)
    assert "FuzzText" not in result.stderr
    assert run(*args, "-o", "-").stdout == result.stdout


def test_explain_names_who_needs_each_call(run: Run, campaign: Path) -> None:
    result = run(
        "profile", "build", "--no-static", "--campaign", str(campaign), "-o", "-", "--explain"
    )
    lines = result.stderr.splitlines()
    assert any(line.startswith("mkdirat: fuzz ") for line in lines)
    assert any(line.startswith("openat: tests") for line in lines)


def test_what_was_refused_and_what_is_incomplete_is_said(run: Run, campaign: Path) -> None:
    refused = SyscallUse("clone3", Origin.TARGET, 1, outcome=CallOutcome.REFUSED)
    with Store.create(campaign) as store:
        program = store.add_program("example.org/m/cmd/job")
        cut = Recording((refused,), complete=False, problem="a kernel map was full")
        store.add_capture(program.id, "integration", "./job serve", cut, arch="amd64")
    result = run(
        "profile", "build", "--no-static", "--campaign", str(campaign), "-o", "-", "--explain"
    )
    assert "clone3" in allowed(result.stdout)
    assert (
        "clone3: integration ./job serve [refused]; tried and refused; allowed so that the program "
        "behaves the same" in result.stderr
    )
    assert "integration runs:" in result.stderr
    assert "warning: NOT A COMPLETE PROFILE: 1 recording may miss calls" in result.stderr
    assert "integration run ./job serve are incomplete: a kernel map was full" in result.stderr


def test_another_architecture_is_warned_of(run: Run, campaign: Path) -> None:
    args = (
        "profile",
        "build",
        "--no-static",
        "--campaign",
        str(campaign),
        "-o",
        "-",
        "--arch",
        "arm64",
    )
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["architectures"] == ["SCMP_ARCH_AARCH64"]
    assert "warning: ANOTHER ARCHITECTURE" in result.stderr


def test_calls_that_another_architecture_lacks_are_refused(run: Run, campaign: Path) -> None:
    with Store.create(campaign) as store:
        parse = store.target("FuzzParse")
        calls = Recording((SyscallUse("arch_prctl", Origin.RUNTIME, 1),))
        store.add_process_recording(parse.id, "baseline", calls)
    out = Path("seccomp.json")
    args = (
        "profile",
        "build",
        "--no-static",
        "--campaign",
        str(campaign),
        "-o",
        str(out),
        "--arch",
        "arm64",
    )
    result = run(*args)
    assert result.exit_code == 2
    assert "arch_prctl" in result.stderr
    assert not out.exists()


def test_a_device_or_a_link_is_written_to_and_not_replaced(
    run: Run, campaign: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real.json"
    link = tmp_path / "link.json"
    link.symlink_to(real)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for path in (link, fifo):
            args = ("profile", "build", "--no-static", "--campaign", str(campaign), "-o", str(path))
            assert run(*args).exit_code == 0
        assert link.is_symlink() and "mkdirat" in allowed(real.read_text())
        assert stat.S_ISFIFO(fifo.lstat().st_mode)
        assert "mkdirat" in allowed(os.read(reader, 1 << 16).decode())
    finally:
        os.close(reader)


def test_where_nothing_can_be_written(run: Run, campaign: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "seccomp.json"
    result = run("profile", "build", "--no-static", "--campaign", str(campaign), "-o", str(out))
    assert result.exit_code == 3
    assert result.stderr.startswith("gofuzzsec: error: ")
