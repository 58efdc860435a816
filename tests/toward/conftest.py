"""The module that these tests direct a campaign through, built once a session in each way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.counters import Counters, counters_of
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.toolchain.model import Go

MODULE = Path(__file__).parent / "module"

Build = Callable[[str], CallGraph]


@pytest.fixture(scope="session")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the module to run campaigns in."""
    return shutil.copytree(MODULE, tmp_path_factory.mktemp("toward") / "deep")


@pytest.fixture(scope="session")
def build(go: Go, deep: Path) -> Build:
    """The call graph of the stock fuzz binary for "amd64", "arm64" or "arm64-stripped"."""

    @cache
    def graph(kind: str) -> CallGraph:
        arch, _, stripped = kind.partition("-")
        path = deep.parent / f"{kind}.test"
        flags = ["-ldflags=-s -w"] if stripped else []
        subprocess.run(
            [str(go.path), "test", "-c", "-fuzz=.", *flags, "-o", str(path), "."],
            cwd=deep, check=True,
            env={**os.environ, "GOARCH": arch, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
        )  # fmt: skip
        return CallGraph.read(GoProgram.read(path))

    return graph


@pytest.fixture(scope="session")
def counted(build: Build) -> Callable[[str], Counters]:
    """The counters of such a binary."""
    return cache(lambda kind: counters_of(build(kind).program, build(kind).code))
