"""`gofuzzsec profile verify` as from a shell."""

# ruff: noqa: F811  (fixtures are imported, and then named as arguments)
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gofuzzsec.seccomp.formats import write_profile
from gofuzzsec.seccomp.model import Action, Profile
from tests.cli.conftest import Run
from tests.coordinator.verifying.conftest import (  # noqa: F401
    corpus,
    name_of,
    program,
    refusing,
    verified_dir,
)
from tests.requirements import require_root, require_strace


@pytest.fixture(autouse=True)
def nobody_called_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in this process, which would give up root's privileges for good."""
    monkeypatch.delenv("SUDO_UID", raising=False)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Profile], str]:
    def make(profile: Profile) -> str:
        path = tmp_path / "profile.json"
        path.write_text(write_profile(profile, "oci").text)
        return str(path)

    return make


Write = Callable[[Profile], str]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "expected a profile, found none"),
        (("p.json", "--may", "ptrace"), "--may needs --against-attack"),
        (("p.json", "--against-attack", "--tests", "."), "runs nothing but attacks"),
        (("--against-attack", "--audit"), "runs nothing but attacks"),
        (("p.json", "--against-attack", "--may", "nothing"), "'nothing' is not one of"),
        (("none.json", "--", "true"), "none.json"),
    ],
)
def test_what_cannot_be_asked_for(run: Run, args: tuple[str, ...], said: str) -> None:
    result = run("profile", "verify", *args)
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_a_report_to_read(run: Run, write: Write, corpus: Callable[..., Path]) -> None:
    require_strace(stacks=True)
    campaign = corpus("priority", "goroutine", "tolerant", "panic", "tempdir", "nothing")
    path = write(refusing("getpriority", "mkdirat"))
    strace = ("--recorder", "strace", "--campaign", str(campaign))
    result = run("profile", "verify", path, *strace)
    assert result.exit_code == 1, result.output
    for said in (
        "FAILED under the profile, passes without it: 2",
        f"    {name_of('priority')}  getpriority",
        "under:   fail: ",
        "operation not permitted",
        f"--input {name_of('priority')} --to testdata",
        f"'-run=^FuzzDo$/^{name_of('priority')}$'",
        "makes calls that the profile refuses: 1",
        "fails without the profile too (not the profile's doing): 1",
        "let through because the harness needs it too",
        "let through for the test harness only:\n    mkdirat  testing.",
        "example.org/verified.Do ",
        "warning: goroutines are not told",
        "breaks 2 and refuses calls of 1 more (6 run by strace); 1 fail without it too",
    ):
        assert said in result.output, f"{said}\n{result.output}"
    result = run("profile", "verify", path, *strace, "--tolerated", "--target", "FuzzDo")
    assert result.exit_code == 1
    result = run("profile", "verify", write(refusing("mkdirat")), *strace, "--tolerated")
    assert result.exit_code == 0, result.output


def test_a_report_for_programs(run: Run, write: Write, corpus: Callable[..., Path]) -> None:
    require_strace(stacks=True)
    args = ("--recorder", "strace", "--campaign", str(corpus("priority")), "--json", "--audit")
    result = run("profile", "verify", write(refusing("getpriority", errno=13)), *args)
    assert result.exit_code == 1
    subject, finding, verified = (json.loads(line) for line in result.stdout.splitlines())
    assert (subject["subject"], subject["ran"]) == ("example.org/verified.FuzzDo", 1)
    assert finding["judgement"] == "denied"
    (refusal,) = finding["refusals"]
    assert (refusal["name"], refusal["errno"], refusal["enforced"]) == ("getpriority", 13, False)
    assert any("verified.Do" in frame for frame in refusal["path"])
    assert (verified["denied"], verified["audit"], verified["left"]) == (1, True, 0)


def test_nothing_refused(run: Run, write: Write, program: Path) -> None:
    require_strace(stacks=True)
    path = write(refusing("kexec_load", "restart_syscall"))
    result = run("profile", "verify", path, "--recorder", "strace", "--", str(program), "unix")
    assert result.exit_code == 0, result.output
    assert "let through for recording only (the kernel's own): restart_syscall" in result.output
    assert "passed: " in result.output
    assert "no inputs were run: there is no campaign" in result.output
    audit = run(
        "profile", "verify", path, "--audit", "--recorder", "strace", "--", str(program), "unix"
    )
    assert "would refuse nothing of what was run" in audit.output


def test_no_campaign_and_nothing_else(run: Run, write: Write) -> None:
    result = run("profile", "verify", write(refusing("mkdir")), "--recorder", "strace")
    assert result.exit_code == 3
    assert "no campaign here" in result.output


def test_an_empty_campaign(run: Run, write: Write, corpus: Callable[..., Path]) -> None:
    result = run(
        "profile", "verify", write(refusing("mkdir")), "--campaign", str(corpus()), "--recorder",
        "strace",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "found no input, test or command" in result.output


def test_attacks(run: Run, write: Write) -> None:
    strict = Profile(Action.KILL_PROCESS, architectures=("SCMP_ARCH_X86_64",))
    result = run("profile", "verify", write(strict), "--against-attack")
    assert result.exit_code == 0, result.output
    assert "and none that counts got through" in result.output
    loose = write(refusing("mount"))
    result = run("profile", "verify", "--against-attack", loose, "--may", "ptrace")
    assert result.exit_code == 1
    assert "FAILED: " in result.output
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    assert "stopped by the profile" in lines["mount"]
    assert "got through (--may)" in lines["ptrace"]
    assert "does not count" in lines["write-execute"]
    result = run("profile", "verify", "--against-attack", "--json")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {each["stop"] for each in found} <= {"nobody", "kernel"}
    assert all(not each["under"] for each in found)
    assert "possible" in run("profile", "verify", "--against-attack").output


def test_an_interrupt_ends_it_in_order(write: Write, program: Path, tmp_path: Path) -> None:
    require_strace()
    words = ("profile", "verify", write(refusing("mkdir")), "--recorder", "strace")
    process = subprocess.Popen(
        [sys.executable, "-m", "gofuzzsec", *words, "--", str(program), "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    assert "running" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "NOT ALL VERIFIED: interrupted, 1 were not run" in output


def test_without_root(write: Write, program: Path) -> None:
    """strace, the filter and the attacks need no privilege."""
    require_root()
    require_strace(stacks=True)
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-test-") as name:
        folder = Path(name)
        cache = folder / "cache" / "tmp"
        cache.mkdir(parents=True)
        for path in (folder, cache):
            path.chmod(0o777)
        copied = shutil.copy(program, folder)
        profile = shutil.copy(write(refusing("getpriority")), folder)
        # Our own Python may be in a folder of root's alone, so all that is needed is imported by a
        # first run.
        code = (
            "import os, sys, tempfile; from gofuzzsec.cli import main; words = sys.argv[1:];"
            "main([*words[:2], '--audit', *words[2:]], standalone_mode=False);"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
            "print('AS NOBODY', flush=True);"
            "main(words, prog_name='gofuzzsec')"
        )
        words = ["profile", "verify", "--recorder", "strace", str(profile)]
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--", str(copied), "priority"],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
            env={**os.environ, "HOME": name, "GOFUZZSEC_CACHE": str(folder / "cache")},
        )
    _, _, output = done.stdout.partition("AS NOBODY")
    assert done.returncode == 1, done.stderr
    assert "goroutines are not told" in output
    assert "operation not permitted" in output
    assert "getpriority" in output
    assert "example.org/verified.Do " in output, output
