"""``profile build`` on a real campaign: sights, estimate, static bound, rules, every format."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gofuzzsec.cli import main
from gofuzzsec.seccomp.formats import FORMS, parse_profile
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from gofuzzsec.toolchain.model import Go

SOURCE = """\
package calls

import "syscall"

//go:noinline
func Call(data []byte) {
	if len(data) == 0 {
		return
	}
	switch data[0] % 8 {
	case 0:
		syscall.Getppid()
	case 1:
		syscall.Chroot("")
	case 2:
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			syscall.Close(fd)
		}
	}
	if len(data) > 64 && string(data[40:60]) == "twenty bytes to find" {
		rare(data)
	}
}

//go:noinline
func rare(data []byte) {
	if data[61] == 61 {
		syscall.Sync()
	}
}
"""
TEST = """\
package calls

import "testing"

func FuzzCall(f *testing.F) {
	f.Add([]byte("\\x07"))
	f.Fuzz(func(t *testing.T, data []byte) { Call(data[:min(len(data), 60)]) })
}
"""
PROGRAM = """\
package main

import (
	"os"

	"example.org/calls"
)

func main() { calls.Call([]byte(os.Args[0])) }
"""


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="gofuzzsec")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    (folder / "cmd").mkdir()
    (folder / "go.mod").write_text("module example.org/calls\n\ngo 1.21\n")
    (folder / "calls.go").write_text(SOURCE)
    (folder / "calls_test.go").write_text(TEST)
    (folder / "cmd" / "main.go").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def campaign(go: Go, module: Path) -> Path:
    folder = module / "campaign"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(module)
        words = ("--workers", "1", "--seed", "3", "--capture", "in-process", "--time", "60000x")
        result = command("fuzz", "--campaign", str(folder), *words)
    assert result.exit_code == 0, result.output
    return folder


def build(campaign: Path, *words: str) -> Result:
    result = command("profile", "build", "--campaign", str(campaign), "-o", "-", *words)
    assert result.exit_code == 0, result.output
    return result


def flat(text: str) -> str:
    return " ".join(text.split())


def test_random_executions_are_counted(campaign: Path) -> None:
    with Store.open_readonly(campaign) as store:
        (target,) = store.targets()
        sights = store.incidence(target.id)
        executions = sum(part.executions for part in sights)
        assert 40_000 < executions < store.executions(target.id), "the others are no draws"
    assert len(sights) > 2, "a short campaign shows its growth too"
    for part in sights[2:]:
        assert {
            "getppid",
            "getppid: ok",
            "chroot: errno",
            "socket (unix): ok",
        } <= part.counts.keys()
        assert part.counts["getppid"] <= part.executions / 2
        assert part.counts["getppid"] == part.counts["getppid: ok"]


def test_how_complete_it_is_is_said_and_written(campaign: Path, module: Path) -> None:
    result = build(campaign, "--explain")
    said = flat(result.stderr)
    assert "calls; " in said and "were never seen, of which the profile refuses" in said
    assert "example.org/calls.rare (0 of 3 edges reached): sync" in said
    assert "random executions" in said and "with 95 % at most 1 in" in said
    assert "(95 %)" in result.stdout and "edges reached" not in result.stdout
    assert "→ example.org/calls.Call → example.org/calls.rare" in said
    profile = parse_profile(result.stdout, "oci")
    (sentence,) = profile.provenance.all("completeness")
    assert "calls reachable in the fuzz tests" in sentence and "behaviours in all" not in sentence
    assert profile.provenance.all("program") == ("example.org/calls.FuzzCall",)
    assert len(profile.provenance.all("build-id")) == 1
    assert str(module) not in result.stdout


def test_a_program_may_stand_for_the_fuzz_test(campaign: Path, module: Path, go: Go) -> None:
    program = module / "server"
    subprocess.run(
        [str(go.path), "build", "-o", str(program), "./cmd"], cwd=module, check=True,
        env={**os.environ, "CGO_ENABLED": "0"},
    )  # fmt: skip
    result = build(campaign, "--no-static", "--binary", str(program))
    said = flat(result.stderr)
    assert "the program: the code can make" in said and " sync" in said
    again = build(campaign, "--no-static", "--binary", str(program))
    assert again.stdout == result.stdout, "the same every time"
    (named, server) = parse_profile(result.stdout, "oci").provenance.all("program")
    assert (named, server) == ("example.org/calls.FuzzCall", "server")


def test_what_cannot_be_looked_into_is_told_and_no_end(campaign: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(campaign, tmp_path / "campaign")
    with Store.create(copy) as store:
        store.add_target(
            "example.org/gone", "FuzzGone", str(tmp_path / "no"), "", "", external=False
        )
    result = build(copy, "--target", "FuzzGone")
    said = flat(result.stderr)
    assert "example.org/gone.FuzzGone: " in said and "no static bound" in said
    assert "no estimate: only boosted workers" in said


@pytest.mark.parametrize("form", FORMS)
def test_every_format_can_be_written(campaign: Path, form: str) -> None:
    result = build(campaign, "--no-static", "--to", form, "--args", "all")
    profile = parse_profile(result.stdout, form)
    names = {name for rule in profile.rules for name in rule.names}
    assert {"getppid", "chroot", "socket", "futex"} <= names and "sync" not in names
    assert form in ("oci", "systemd") or profile.name == "calls"
    unsaid = "warning: systemd has no rules on arguments: allowed with any are" in result.stderr
    assert unsaid == (form == "systemd")
    assert profile.provenance.all("tool")


def test_arguments_are_ruled_where_the_evidence_tells_them(campaign: Path) -> None:
    with Store.create(campaign) as store:
        (target,) = store.targets()
        use = SyscallUse("keyctl", Origin.TARGET, 3, args=(11,))
        store.add_capture(target.id, "integration", "./server", Recording((use,)))
    free = build(campaign, "--no-static", "--args", "none")
    assert not any(entry.get("args") for entry in json.loads(free.stdout)["syscalls"])
    assert "only with the arguments seen" not in free.stderr
    result = build(campaign, "--no-static", "--args", "safe", "--explain")
    ruled = [entry for entry in json.loads(result.stdout)["syscalls"] if entry.get("args")]
    names = {name for entry in ruled for name in entry["names"]}
    assert "keyctl" in names
    (listed,) = [line for line in result.stderr.splitlines() if line.startswith("keyctl: only")]
    assert "(3 times)" in listed
    told = result.stderr.partition("only with the arguments seen:\n")[2].splitlines()[0]
    assert set(told.split()) == names
