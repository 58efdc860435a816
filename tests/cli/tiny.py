"""A real module with a real campaign and its program, for the commands that explain profiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gofuzzsec.cli import main
from gofuzzsec.syscalls.table import machine_arch, names
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_strace

MODULE = {
    "go.mod": "module example.org/tiny\n\ngo 1.21\n",
    "tiny.go": """\
package tiny

import (
	"os"
	"path/filepath"
	"syscall"
)

// Do does in folder what text says.
func Do(folder, text string) error {
	path := filepath.Join(folder, "f")
	switch {
	case text == "make":
		return os.Mkdir(path, 0o755)
	case text == "link":
		return os.Symlink("nowhere", path)
	case text == "open":
		return open()
	case os.Getenv("TINY_NEVER_SET") == text+"!":
		return never(path)
	}
	return nil
}

func open() error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

//go:noinline
func never(path string) error {
	return syscall.Mount("none", path, "tmpfs", 0, "")
}
""",
    "tiny_test.go": """\
package tiny

import "testing"

func TestLink(t *testing.T) {
	if err := Do(t.TempDir(), "link"); err != nil {
		t.Fatal(err)
	}
}

func FuzzDo(f *testing.F) {
	f.Add("make")
	f.Fuzz(func(t *testing.T, text string) { _ = Do(t.TempDir(), text) })
}
""",
    "testdata/fuzz/FuzzDo/mine": 'go test fuzz v1\nstring("open")\n',
    "cmd/tiny/main.go": """\
package main

import (
	"os"

	"example.org/tiny"
)

func main() {
	if err := tiny.Do(os.TempDir(), os.Args[1]); err != nil {
		os.Exit(1)
	}
}
""",
}
_OPEN = (
    MODULE["tiny.go"]
    .splitlines()
    .index("\tfd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)")
)
SOCKET_LINE = _OPEN + 1
MAKE_LINE = MODULE["tiny.go"].splitlines().index("\t\treturn os.Mkdir(path, 0o755)") + 1


@dataclass(frozen=True)
class Tiny:
    """The module, its campaign, its program and the go command's folder."""

    root: Path
    campaign: Path
    program: Path
    go: Path

    def run(self, *args: str) -> Result:
        """A command of gofuzzsec, in the module's folder."""
        here = Path.cwd()
        os.chdir(self.root)
        try:
            return CliRunner().invoke(main, ["profile", *args], prog_name="gofuzzsec")
        finally:
            os.chdir(here)

    def explain(self, *args: str) -> dict[str, dict[str, Any]]:
        """What `profile explain --json` says, by call."""
        done = self.run("explain", "--campaign", str(self.campaign), "--json", *args)
        assert done.exit_code == 0, done.output
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return {each["call"]: each for each in found}

    def shell(self, command: str) -> str:
        """What a command that was printed prints, when somebody types it elsewhere."""
        path = os.pathsep.join([str(Path(sys.executable).parent), str(self.go), os.environ["PATH"]])
        done = subprocess.run(
            ["sh", "-c", command],
            cwd="/",
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def tiny(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    require_strace(stacks=True)
    root = tmp_path_factory.mktemp("tiny") / "module"
    for name, content in MODULE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / ".git").mkdir()
    program = root / "tiny.bin"
    subprocess.run(
        [go.path, "build", "-o", program, "./cmd/tiny"],
        cwd=root,
        env=os.environ | {"CGO_ENABLED": "0"},
        check=True,
    )
    made = Tiny(root, root / "kept", program, go.path.parent)
    # The execution budget is tiny: what is looked for, the seeds and the test make.
    command = [sys.executable, "-m", "gofuzzsec", "fuzz", "--campaign", str(made.campaign)]
    command += ["--capture", "strace", "--workers", "1", "--seed", "1", "--time", "40x", "."]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=120)
    return made


def profile_without(tiny: Tiny, out: Path, *without: str) -> Path:
    """A profile of the evidence that refuses *without*."""
    done = tiny.run("build", "--campaign", str(tiny.campaign), "--no-static", "-o", str(out))
    assert done.exit_code == 0, done.output
    document = json.loads(out.read_text())
    for rule in document["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in without]
    document["syscalls"] = [rule for rule in document["syscalls"] if rule["names"]]
    out.write_text(json.dumps(document))
    return out


def wide_profile(out: Path) -> Path:
    """Every call allowed."""
    rule = {"names": sorted(names(machine_arch())), "action": "SCMP_ACT_ALLOW"}
    out.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    return out
