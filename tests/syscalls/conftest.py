"""A fuzz binary whose target makes system calls in every way, and a recorder for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.syscalls.model import Origin, Recording
from gofuzzsec.syscalls.strace import StraceRecorder
from gofuzzsec.toolchain.model import FuzzBinary, Go, Package
from gofuzzsec.worker import WorkerSpec
from tests.requirements import require_strace

Record = Callable[[str], Recording]


@pytest.fixture(scope="session")
def callers_package(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Package:
    """A copy of ``tests/syscalls/callers``."""
    root = tmp_path_factory.mktemp("callers") / "callers"
    shutil.copytree(Path(__file__).parent / "callers", root)
    (package,) = toolchain.list_packages(go, ["."], root)
    return package


@pytest.fixture(scope="session")
def callers(go: Go, callers_package: Package) -> FuzzBinary:
    """Its fuzz binary."""
    return toolchain.build_fuzz_binary(go, callers_package)


@pytest.fixture(scope="session")
def callers_spec(callers: FuzzBinary) -> WorkerSpec:
    return WorkerSpec(callers.path, "FuzzCalls", callers.cwd)


def entry(words: str) -> bytes:
    """The corpus file for an input of FuzzCalls."""
    return marshal([Value(GoType.STRING, words.encode())])


def origins(recording: Recording, name: str, *, stable: bool = True) -> set[Origin]:
    """Who made call *name* in *recording*; only where stable, unless told otherwise."""
    return {u.origin for u in recording.uses if u.name == name and (u.stable or not stable)}


@pytest.fixture(scope="module")
def record(callers_spec: WorkerSpec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """Record an input of FuzzCalls by its words, in one recorder for the test file."""
    require_strace(stacks=True)
    recorder = StraceRecorder(callers_spec, tmp_path_factory.mktemp("recorder") / "scratch")
    yield lambda words: recorder.record(entry(words))
    recorder.close()
