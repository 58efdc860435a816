"""The GitHub Action's script, run here on a small module: it passes what the committed profile
allows, and fails, naming the line of code, where new code needs more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gofuzzsec.seccomp.effect import allowed_names
from gofuzzsec.seccomp.formats import read_profile, write_profile
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.seccomp.resolve import resolve
from gofuzzsec.syscalls.table import machine_arch
from tests.examples.test_kubernetes import ACTION
from tests.requirements import missing, require_strace
from tests.seccomp.published import docker_default

LIBRARY = """package m

import (
	"os"
	"path/filepath"
)

// Keep writes text into a new file of dir.
func Keep(dir, text string) error {
	name := filepath.Join(dir, "kept")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Remove(name)
}
"""
LAST = "\treturn os.Remove(name)\n"
MKDIR = "\tif err := os.Mkdir(name, 0o700); err != nil {"
FAIL = "\n\t\treturn err\n\t}\n"
MORE = "\tif err := os.Remove(name); err != nil {" + FAIL + MKDIR + FAIL + LAST
"""What a pull request writes for `LAST`."""
TESTS = """package m

import "testing"

func TestKeep(t *testing.T) {
	if err := Keep(t.TempDir(), "text"); err != nil {
		t.Fatal(err)
	}
}

func FuzzKeep(f *testing.F) {
	f.Add("text")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := Keep(dir, text); err != nil {
			t.Fatal(err)
		}
	})
}
"""


def act(module: Path, profile: str, **inputs: str) -> subprocess.Popen[str]:
    """Start the script as the action does."""
    own = {
        "GOFUZZSEC": f"{sys.executable} -m gofuzzsec", "PACKAGES": "./...", "FUZZ_TIME": "100x",
        "PROFILE": profile, "PROFILE_NAME": "m", "OUTPUT": "out",
        "GITHUB_STEP_SUMMARY": str(module / "summary.md"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    # A dozen commands run here; measuring their coverage would take longer than they do.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.Popen(
        [ACTION / "pipeline.sh"], cwd=module, env=plain | own | inputs, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def checkout(folder: Path, library: str, profile: Profile) -> Path:
    """A module with a committed profile, as the runner would have it."""
    folder.mkdir()
    (folder / "go.mod").write_text("module example.org/m\n\ngo 1.21\n")
    (folder / "keep.go").write_text(library)
    (folder / "keep_test.go").write_text(TESTS)
    (folder / "seccomp.json").write_text(write_profile(profile, "oci").text)
    return folder


@pytest.fixture
def committed() -> Profile:
    """Docker's default profile without mkdirat."""
    whole = resolve(read_profile(docker_default()), machine_arch())
    rules = [replace(r, names=tuple(n for n in r.names if n != "mkdirat")) for r in whole.rules]
    return replace(whole, rules=tuple(rule for rule in rules if rule.names))


def test_only_a_pull_request_that_needs_a_new_call_fails(
    committed: Profile, tmp_path: Path
) -> None:
    require_strace()
    if shutil.which("bash") is None:
        missing("no bash")
    old = checkout(tmp_path / "old", LIBRARY, committed)
    new = checkout(tmp_path / "new", LIBRARY.replace(LAST, MORE), committed)
    started = [act(module, "seccomp.json") for module in (old, new)]
    before, after = (process.communicate(timeout=280)[0] for process in started)

    assert started[0].returncode == 0, before
    assert "::error" not in before
    assert (old / "out/seccompprofile.yaml").is_file()
    assert "calls allowed" in (old / "summary.md").read_text()
    assert any((old / "testdata/fuzz/FuzzKeep").iterdir())

    assert started[1].returncode == 1, after
    line = (new / "keep.go").read_text().splitlines().index(MKDIR) + 1
    found = re.findall(r"^::error file=([^,]+),line=(\d+),title=(.*?)::", after, re.M)
    assert ("keep.go", str(line), "seccomp%3A mkdirat") in found, after
    assert "mkdirat" in allowed_names(read_profile(new / "out/seccomp.json"), machine_arch())
    assert "mkdirat" not in allowed_names(read_profile(old / "out/seccomp.json"), machine_arch())


def test_what_cannot_be_fuzzed_ends_the_run(tmp_path: Path) -> None:
    process = act(tmp_path, "none.json", PACKAGES="./none")
    output = process.communicate(timeout=280)[0]
    assert process.returncode in (2, 3)
    assert "::error title=gofuzzsec::fuzz ./none for 100x ended with exit status" in output
