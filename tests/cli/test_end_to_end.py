"""The commands one after another on a real module, as somebody would type them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.toolchain.model import Go
from tests.requirements import require_strace

MODULE = {
    "go.mod": "module example.org/shelf\n\ngo 1.21\n",
    "shelf.go": """\
package shelf

import "os"

// Keep makes a link for names that begin with "k", and stumbles over "kx".
func Keep(dir, name string) {
	if len(name) > 0 && name[0] == 'k' {
		_ = os.Symlink("nowhere", dir+"/k")
		if len(name) > 1 && name[1] == 'x' {
			panic("stumbled")
		}
	}
}
""",
    "shelf_test.go": """\
package shelf

import "testing"

func TestKeep(t *testing.T) { Keep(t.TempDir(), "other") }

func FuzzKeep(f *testing.F) {
	f.Add("ka")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name string) { Keep(dir, name) })
}
""",
}


class Shell:
    """Runs gofuzzsec in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "gofuzzsec", *args]

    def run(self, *args: str, expect: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*args), cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode in expect, f"{args}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture(scope="module")
def shell(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A module on which a campaign has run until it found its crash."""
    folder = tmp_path_factory.mktemp("shelf")
    for name, text in MODULE.items():
        (folder / name).write_text(text)
    shell = Shell(folder)
    done = shell.run("fuzz", "--time", "60s", "--workers", "1", "--stop-on-crash", expect=(1,))
    assert "FuzzKeep: CRASH: " in done.stdout and "stumbled" in done.stdout
    assert "rerun with go test -run=FuzzKeep/" in done.stdout
    return shell


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_crash_is_where_go_test_finds_it(shell: Shell, go: Go) -> None:
    (crash,) = objects(shell.run("crashes", "list", "--json").stdout)
    path = Path(crash["path"])
    assert path.parent == shell.folder / "testdata" / "fuzz" / "FuzzKeep"
    assert 'string("kx' in path.read_text()
    done = subprocess.run(
        [str(go.path), "test", f"-run=FuzzKeep/{crash['hash']}"],
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "stumbled" in done.stdout


def test_the_crash_happens_again_until_the_bug_is_gone(shell: Shell) -> None:
    (crash,) = objects(shell.run("crashes", "list", "--json").stdout)
    assert "stumbled" in shell.run("crashes", "show", crash["hash"]).stdout
    again = shell.run("crashes", "replay", crash["hash"][:6], expect=(1,))
    assert "stumbled" in again.stdout
    source = shell.folder / "shelf.go"
    try:
        source.write_text(MODULE["shelf.go"].replace('panic("stumbled")', "return"))
        shell.run("crashes", "replay", crash["hash"], expect=(0,))
    finally:
        source.write_text(MODULE["shelf.go"])


def test_the_campaign_goes_on_with_what_it_had(shell: Shell) -> None:
    before = len(objects(shell.run("corpus", "list", "--json").stdout))
    done = shell.run("fuzz", "--time", "200x", "--workers", "1", "--json", "--capture", "off")
    events = objects(done.stdout)
    (started,) = [each for each in events if each["event"] == "started"]
    assert started["resumed"] == before > 0
    assert events[-1]["event"] == "finished"
    assert not [each for each in events if each["event"] == "crash"]  # it is known


def test_ctrl_c_ends_a_campaign_in_order(shell: Shell) -> None:
    command = shell.command("fuzz", "--workers", "1", "--json", "--capture", "off")
    with subprocess.Popen(
        command, cwd=shell.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        seen = []
        for line in child.stdout:
            seen.append(json.loads(line))
            if seen[-1]["event"] == "status":
                os.kill(child.pid, signal.SIGINT)
                break
        seen += objects(child.stdout.read())
    assert child.returncode in (0, 1)
    (finished,) = [each for each in seen if each["event"] == "finished"]
    assert finished["interrupted"] is True


def test_the_calls_that_fuzzing_added_are_told_and_allowed(shell: Shell) -> None:
    require_strace(stacks=True)
    for _ in range(10):  # a slow machine may need more runs to have everything recorded
        done = shell.run("fuzz", "--time", "1s", "--workers", "1", "--json", expect=(0, 1))
        *_, finished, comparison = objects(done.stdout)
        if comparison["tests_recorded"] and not finished["stats"][0]["unrecorded"]:
            break
    assert comparison["added"] == ["symlinkat"] == comparison["by_seeds"]
    listed = shell.run("syscalls", "--stacks").stdout
    assert "fuzzing added this 1 call:\n  symlinkat\n" in listed
    assert re.search(r"^    example\.org/shelf\.Keep( .*\.go:\d+)?$", listed, re.MULTILINE)
    built = shell.run("profile", "build", "-o", "seccomp.json")
    assert "INCOMPLETE" not in built.stderr
    profile = json.loads((shell.folder / "seccomp.json").read_text())
    allowed = {name for entry in profile["syscalls"] for name in entry["names"]}
    assert {"symlinkat", "futex", "execve"} <= allowed
    assert not {"ptrace", "mount", "bpf"} & allowed


def test_what_is_exported_go_test_accepts(shell: Shell, go: Go, tmp_path: Path) -> None:
    shell.run("corpus", "minimize")
    done = shell.run("corpus", "export", "--to", str(tmp_path))
    assert " written to " in done.stdout
    checked = shell.run("corpus", "check", "--target", "FuzzKeep", str(tmp_path))
    assert " 0 broken" in checked.stdout
    for name, text in MODULE.items():
        (tmp_path / name).write_text(text)
    seeds = tmp_path / "testdata" / "fuzz"
    seeds.mkdir(parents=True)
    (tmp_path / "FuzzKeep").rename(seeds / "FuzzKeep")
    tested = subprocess.run(
        [str(go.path), "test", "-v", "-run=FuzzKeep"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    for path in (seeds / "FuzzKeep").iterdir():
        assert f"--- PASS: FuzzKeep/{path.name}" in tested.stdout


def test_a_build_error_comes_through_as_go_printed_it(shell: Shell, tmp_path: Path) -> None:
    for name, text in MODULE.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "shelf.go").write_text("package shelf\n\nvar broken int = undefinedName\n")
    done = Shell(tmp_path).run("fuzz", "--time", "1s", expect=(3,))
    assert done.stderr.startswith("gofuzzsec: error: ")
    assert "undefined: undefinedName" in done.stderr


def test_a_folder_without_fuzz_tests(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.org/empty\n\ngo 1.21\n")
    (tmp_path / "empty.go").write_text("package empty\n")
    done = Shell(tmp_path).run("fuzz", "--time", "1s", expect=(2, 3))
    assert done.stderr.startswith("gofuzzsec: error: ")
    assert not (tmp_path / ".gofuzzsec").exists()


def test_doctor(shell: Shell) -> None:
    done = shell.run("doctor")
    assert "go1." in done.stdout
    found = objects(shell.run("doctor", "--json").stdout)
    assert all(each["event"] == "check" for each in found)
    broken = shell.run("doctor", "--go", "/nonexistent/go", expect=(3,))
    assert "MISSING" in broken.stdout
