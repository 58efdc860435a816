"""The call graphs that several tests look at, each built and read once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.toolchain.model import Go
from tests.go_versions import OLDEST, release

SHAPES = Path(__file__).parent / "shapes"

Graphs = Callable[[str], CallGraph]


@pytest.fixture(scope="session")
def shapes(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    """The graph of ``shapes``, built as asked for: "amd64", "arm64", "pie", "stripped",
    "arm64-stripped" or "oldest" (the oldest Go supported)."""
    source = shutil.copytree(SHAPES, tmp_path_factory.mktemp("shapes") / "source")

    @cache
    def graph(kind: str) -> CallGraph:
        tool = release(OLDEST) if kind == "oldest" else go
        flags = ["-buildmode=pie"] if kind == "pie" else []
        flags += ["-ldflags=-s -w"] if "stripped" in kind else []
        arch = "arm64" if "arm64" in kind else "amd64"
        path = source.parent / kind
        subprocess.run(
            [str(tool.path), "build", *flags, "-o", str(path), "."],
            cwd=source, check=True,
            env={**os.environ, "GOARCH": arch, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
        )  # fmt: skip
        return CallGraph.read(GoProgram.read(path))

    return graph
