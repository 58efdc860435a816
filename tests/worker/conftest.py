"""Workers of the shared test module, closed when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Worker, WorkerSpec
from tests.worker.semantics import Built, build

StartWorker = Callable[..., Worker]


@pytest.fixture
def worker_of(targets: FuzzBinary, tmp_path: Path) -> Iterator[StartWorker]:
    """Start a worker of the named target; keyword arguments go into its WorkerSpec."""
    made: list[Worker] = []

    def start(target: str, **options: Any) -> Worker:
        spec = WorkerSpec(binary=targets.path, target=target, cwd=targets.cwd, **options)
        worker = Worker(spec, tmp_path / f"worker-{len(made)}")
        made.append(worker)
        worker.start()
        return worker

    yield start
    for worker in made:
        worker.close()


@pytest.fixture(scope="session")
def built(any_go: Go, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """``tests/agentmodule``, stock and boosted, by each Go."""
    return build(any_go, tmp_path_factory.mktemp("agent") / "targets")
