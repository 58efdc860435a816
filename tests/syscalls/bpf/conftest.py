"""A loaded recorder, and programs that know which calls they make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_bpf, require_cgo
from tests.syscalls.bpf.truths import Truth, build


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    """A recorder for the test file."""
    require_bpf()
    tracer = Tracer.open(slots=4)
    yield tracer
    tracer.close()


@pytest.fixture(scope="session")
def truth_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("truth")


@pytest.fixture(scope="session")
def truth(go: Go, truth_folder: Path) -> Truth:
    """The program in ``truth``."""
    return Truth.of(build(go, "truth", truth_folder))


@pytest.fixture(scope="session")
def c_truth(go: Go, truth_folder: Path) -> Truth:
    """The program in ``ctruth``, whose calls are C's."""
    require_cgo()
    return Truth.of(build(go, "ctruth", truth_folder))
