"""The agent's Go code: formatted, vetted, and its own unit tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import gofuzzsec
from gofuzzsec.toolchain.model import Go

AGENT = Path(gofuzzsec.__file__).parent / "agent"
STANDARD = frozenset(
    {"math", "math/bits", "reflect", "runtime", "sync/atomic", "syscall", "time", "unsafe"}
)
"""What may be imported inside internal/fuzz: packages that a fuzz build does not instrument."""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the agent: nothing is ever written into the package."""
    return shutil.copytree(AGENT, tmp_path_factory.mktemp("agent") / "agent")


def run(go: Go, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(go.path), *words],
        cwd=folder,
        env={**os.environ, "GOFLAGS": "", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_go_files_are_formatted(go: Go) -> None:
    gofmt = go.path.parent / "gofmt"
    if not gofmt.is_file():
        gofmt = go.goroot / "bin" / "gofmt"
    done = subprocess.run(
        [str(gofmt), "-l", str(AGENT)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_core_is_vetted_and_passes_its_tests(any_go: Go, module: Path) -> None:
    vetted = run(any_go, module, "vet", "./fuzz")
    assert vetted.returncode == 0, vetted.stderr
    tested = run(any_go, module, "test", "-count=1", "-parallel=1", "./fuzz")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_core_imports_only_what_is_not_instrumented(go: Go, module: Path) -> None:
    listed = run(go, module, "list", "-f", '{{join .Imports " "}}', "./fuzz")
    assert listed.returncode == 0, listed.stderr
    assert set(listed.stdout.split()) <= STANDARD
