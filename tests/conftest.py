"""Fixtures shared by all tests: a Go toolchain, throw-away Go modules, one built fuzz binary.

The tests drive real fuzz binaries. `targets` is that of ``tests/gomodule``, built once a session.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gofuzzsec import toolchain
from gofuzzsec.toolchain.model import FuzzBinary, Go
from tests.go_versions import release, wanted_versions

MakeModule = Callable[[Mapping[str, str]], Path]

# A first example may build or start a Go program, so no example has a deadline. In CI the same
# examples run every time: a red build must mean that the change broke something.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, max_examples=50)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A build cache for this session, shared by its processes: the user's would grow by every
    throw-away module ever tested. Go's own cache still makes most of a build free."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOFUZZSEC_CACHE", str(base / "cache"))
        yield


@pytest.fixture(scope="session")
def go() -> Go:
    """The machine's own Go."""
    return toolchain.find_go()


@pytest.fixture(scope="session", params=wanted_versions())
def any_go(request: pytest.FixtureRequest) -> Go:
    """Each Go the protocol and the mutator are proved against, in turn (see go_versions.py)."""
    version: str = request.param
    return toolchain.find_go() if version == "machine" else release(version)


@pytest.fixture
def module(tmp_path: Path) -> MakeModule:
    """Write a Go module from {file name: content} and give its folder; adds a go.mod if none."""

    def make(files: Mapping[str, str]) -> Path:
        root = tmp_path / "module"
        for name, content in {"go.mod": "module example.org/m\n\ngo 1.21\n", **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    return make


@pytest.fixture(scope="session")
def targets_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``tests/gomodule``: crashes are written beside the code, never into the clone."""
    root = tmp_path_factory.mktemp("gomodule") / "targets"
    return shutil.copytree(Path(__file__).parent / "gomodule", root)


@pytest.fixture(scope="session")
def targets(go: Go, targets_dir: Path) -> FuzzBinary:
    """The fuzz binary of ``tests/gomodule``. Do not fuzz in its ``cwd``: copy `targets_dir`."""
    (package,) = toolchain.list_packages(go, ["."], targets_dir)
    return toolchain.build_fuzz_binary(go, package)
