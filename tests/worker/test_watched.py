"""A boosted worker with a page that the kernel marks. Here the test is the kernel: what the page
brings a real campaign is in tests/coordinator/test_bpf.py."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.errors import WorkerStartError
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Batch, Verdict, Watch, Worker, WorkerSpec
from gofuzzsec.worker.agent_dialect import AgentDialect
from gofuzzsec.worker.agent_wire import BatchResult, encode_input

OFFSET = 16384
CALL, FEATURE = 300, 300 * 32 + 1
_PAGE = struct.Struct("<Q56x16Q512Q")
CODE = """package watched

import (
	"os"
	"strings"
	"testing"
)

// FuzzLook fails with what it finds of the page: in the environment, and among the descriptors.
func FuzzLook(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, each := range os.Environ() {
			for _, name := range []string{"GOFUZZSEC_AGENT", "GOFUZZSEC_PAGE"} {
				if strings.HasPrefix(each, name) {
					t.Error(each)
				}
			}
		}
		if link, _ := os.Readlink("/proc/self/fd/6"); strings.Contains(link, "pages") {
			t.Error(link)
		}
	})
}
"""


@dataclass
class Pages:
    """Memory of two pages as the kernel's map has it; a worker gets the second."""

    fd: int
    memory: mmap.mmap

    def now(self) -> int:
        return int(_PAGE.unpack_from(self.memory, OFFSET)[0]) >> 32

    def stamp(self, epoch: int) -> None:
        """Mark CALL as made in *epoch*."""
        for at, bit in ((64 + 8 * (CALL // 32), CALL % 32), (192 + 8 * CALL, FEATURE % 32)):
            struct.pack_into("<Q", self.memory, OFFSET + at, epoch << 32 | 1 << bit)


@pytest.fixture
def pages() -> Iterator[Pages]:
    fd = os.memfd_create("pages")
    os.ftruncate(fd, 2 * OFFSET)
    memory = mmap.mmap(fd, 2 * OFFSET)
    yield Pages(fd, memory)
    memory.close()
    os.close(fd)


@pytest.fixture(scope="module")
def binary(go: Go, tmp_path_factory: pytest.TempPathFactory) -> FuzzBinary:
    root = tmp_path_factory.mktemp("watched")
    (root / "go.mod").write_text("module example.org/watched\n\ngo 1.21\n")
    (root / "watched_test.go").write_text(CODE)
    (package,) = toolchain.list_packages(go, ["."], root)
    return toolchain.build_fuzz_binary(go, package, boosted=True)


def nothing() -> Callable[[], None]:
    return lambda: None


@pytest.fixture
def worker(binary: FuzzBinary, pages: Pages, tmp_path: Path) -> Iterator[Worker]:
    watch = Watch(nothing, lambda: (pages.fd, OFFSET))
    spec = WorkerSpec(binary.path, "FuzzLook", binary.cwd, agent=(GoType.BYTES,), watch=watch)
    worker = Worker(spec, tmp_path / "worker")
    yield worker
    worker.close()


def run(worker: Worker, count: int = 1) -> list[BatchResult]:
    wires = tuple(encode_input((Value(GoType.BYTES, b"x"),)) for _ in range(count))
    outcome = worker.call(Batch(wires, twice=True), b"")
    assert outcome.verdict is Verdict.OK and outcome.report is not None
    return outcome.report.results


def saw(worker: Worker, result: BatchResult) -> bool:
    assert isinstance(worker.dialect, AgentDialect)
    first = 8 * worker.dialect.snapshot_size - 16384
    return first + FEATURE in result.features.tolist()


def test_the_target_finds_nothing_of_the_page(worker: Worker) -> None:
    worker.start()
    (result,) = run(worker)
    assert not result.failed, result.text
    assert "pages" in Path(f"/proc/{worker.pid}/maps").read_text()


def test_marks_count_in_their_execution_alone(worker: Worker, pages: Pages) -> None:
    pages.stamp(epoch=3)  # left by an earlier process, whose third execution it was
    worker.start()
    assert not any(saw(worker, result) for result in run(worker, 3))
    before = pages.now()
    assert before >= 6, "each execution has its epoch"
    pages.stamp(before + 2)
    assert not any(saw(worker, result) for result in run(worker)), "in one of two runs: chance"


def test_a_worker_that_cannot_map_its_page_does_not_start(worker: Worker, pages: Pages) -> None:
    os.ftruncate(pages.fd, 0)
    worker.spec = WorkerSpec(
        worker.spec.binary,
        "FuzzLook",
        worker.spec.cwd,
        agent=(GoType.BYTES,),
        watch=Watch(nothing, lambda: (os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)),
    )
    with pytest.raises(WorkerStartError, match="expected the agent to map the page"):
        worker.start()


def test_a_stock_worker_gets_no_page(binary: FuzzBinary, pages: Pages, tmp_path: Path) -> None:
    watch = Watch(nothing, lambda: (pages.fd, OFFSET))
    worker = Worker(WorkerSpec(binary.path, "FuzzLook", binary.cwd, watch=watch), tmp_path / "w")
    try:
        worker.start()
        assert "pages" not in Path(f"/proc/{worker.pid}/maps").read_text()
        assert not Path(f"/proc/{worker.pid}/fd/6").exists()
    finally:
        worker.close()
