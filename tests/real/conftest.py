"""Real programs with many system calls: the standard library's and those of the module proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gofuzzsec.toolchain.model import Go
from tests.requirements import missing

Built = Callable[[str, str], tuple[Path, Path]]

Fetched = Callable[[str], Path]

ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
"""Without C code the bound has to be closed."""


def _run(go: Go, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [str(go.path), *arguments],
        cwd=cwd, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        missing(f"go {' '.join(arguments)}: {done.stderr.strip()[-500:] or done.stdout}")
    return done.stdout


@pytest.fixture(scope="session")
def fetched(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Fetched:
    """A scratch copy of a module ("go.etcd.io/bbolt@v1.4.3"), which is fetched."""
    root = tmp_path_factory.mktemp("fetched")
    (root / "go.mod").write_text("module example.org/real\n")

    def fetch(module: str) -> Path:
        folder = json.loads(_run(go, "mod", "download", "-json", module, cwd=root))["Dir"]
        source = root / "".join(char if char.isalnum() else "-" for char in module)
        if not source.exists():
            shutil.copytree(folder, source)
            for path in (source, *source.rglob("*")):  # the module cache is read-only
                path.chmod(path.stat().st_mode | 0o200)
        return source

    return fetch


@pytest.fixture(scope="session")
def built(go: Go, fetched: Fetched, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the test binary of a package: of the standard library ("std", "net/http"), or of a
    module, which is fetched. Gives the binary and the folder that its tests run in."""
    root = tmp_path_factory.mktemp("real")

    def build(module: str, package: str) -> tuple[Path, Path]:
        name = "".join(char if char.isalnum() else "-" for char in f"{module}-{package}")
        binary = root / f"{name}.test"
        if module == "std":
            _run(go, "test", "-c", "-o", str(binary), package, cwd=root)
            return binary, Path(_run(go, "env", "GOROOT", cwd=root).strip(), "src", package)
        source = fetched(module)
        _run(go, "test", "-c", "-o", str(binary), package, cwd=source)
        return binary, source / package

    return build
