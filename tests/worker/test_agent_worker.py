"""Real boosted workers: batches, plans, what they leave behind, and how they are stopped."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec import toolchain
from gofuzzsec.corpus.format import unmarshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.errors import UsageError, WorkerStartError
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import (
    Batch,
    Outcome,
    Plan,
    PlanItem,
    Report,
    Run,
    Verdict,
    Worker,
    WorkerSpec,
    agent_dialect,
)
from gofuzzsec.worker.agent_dialect import AgentDialect
from gofuzzsec.worker.agent_wire import (
    END_DONE,
    END_FULL,
    END_LIMIT,
    END_STOP,
    END_TIME,
    LOCAL_PARENT,
    BatchResult,
    decode_input,
    encode_input,
)

BYTES = (GoType.BYTES,)
CODE = """package ladder

import (
	"os"
	"testing"
	"time"
)

var depth int

func climb(data []byte, steps string) int {
	n := 0
	for i := 0; i < len(steps) && i < len(data); i++ {
		if data[i] != steps[i] {
			break
		}
		n++
	}
	return n
}

func FuzzLadder(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		switch depth = climb(data, "abcd"); depth {
		case 1:
			depth++
		case 2:
			depth--
		case 3:
			os.Exit(3)
		}
	})
}

func FuzzFails(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		switch data[0] {
		case 'f':
			t.Fatalf("fatal with %d bytes", len(data))
		case 'p':
			panic("at the disco")
		}
	})
}

func FuzzHangs(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 0 {
			time.Sleep(time.Hour)
		}
	})
}
"""
MODULE = {"go.mod": "module example.org/ladder\n\ngo 1.21\n", "ladder_test.go": CODE}

StartAgent = Callable[..., Worker]


@pytest.fixture(scope="module")
def ladder(go: Go, tmp_path_factory: pytest.TempPathFactory) -> FuzzBinary:
    """The boosted binary of the module above."""
    root = tmp_path_factory.mktemp("ladder")
    for name, text in MODULE.items():
        (root / name).write_text(text)
    (package,) = toolchain.list_packages(go, ["."], root)
    return toolchain.build_fuzz_binary(go, package, boosted=True)


@pytest.fixture
def agent_of(ladder: FuzzBinary, tmp_path: Path) -> Iterator[StartAgent]:
    """Start a worker of the named target that speaks through its agent."""
    made: list[Worker] = []

    def start(target: str, types: tuple[GoType, ...] = BYTES, **options: Any) -> Worker:
        spec = WorkerSpec(ladder.path, target, ladder.cwd, agent=types, **options)
        made.append(Worker(spec, tmp_path / f"worker-{len(made)}"))
        made[-1].start()
        return made[-1]

    yield start
    for worker in made:
        worker.close()


def wire(data: bytes) -> bytes:
    return encode_input((Value(GoType.BYTES, data),))


def raw(wired: bytes) -> bytes:
    (value,) = decode_input(wired, BYTES)
    assert isinstance(value.raw, bytes)
    return value.raw


def plan_of(*seeds: bytes, limit: int = 0, seconds: float = 0.0, **options: Any) -> Plan:
    settings: dict[str, Any] = {"energy": 1 << 30, "solve": True, "seed": 1, **options}
    energy, solve, seed = settings["energy"], settings["solve"], settings["seed"]
    items = tuple(PlanItem(i + 1, energy, solve, wire(data)) for i, data in enumerate(seeds))
    return Plan(items, seed, limit, seconds, 4096, solve, 1000)


def report_of(outcome: Outcome) -> Report:
    assert outcome.report is not None
    return outcome.report


def learnt(worker: Worker, *seeds: bytes) -> bytes:
    """A known map that holds all that *seeds* cover in this process."""
    assert isinstance(worker.dialect, AgentDialect)
    known = bytearray(worker.dialect.snapshot_size)
    for _ in range(2):
        for result in report_of(worker.call(Batch(tuple(map(wire, seeds))), b"")).results:
            for feature in result.features.tolist():
                known[feature >> 3] |= 1 << (feature & 7)
    return bytes(known)


def test_a_batch_of_many(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzFails")
    inputs = [b"x%d" % number if number % 50 else b"f" * (1 + number) for number in range(500)]
    results: list[BatchResult] = []
    count = 0
    while len(results) < len(inputs):  # a slow machine may need a second request
        outcome = worker.call(Batch(tuple(map(wire, inputs[len(results) :])), twice=True), b"")
        assert outcome.verdict is Verdict.OK and report_of(outcome).results
        assert not report_of(outcome).failures, "each is in its result"
        results += report_of(outcome).results
        count += outcome.count
    assert count == 990, "what fails is not run twice"
    for data, result in zip(inputs, results, strict=True):
        assert result.failed == data.startswith(b"f")
        assert (f"fatal with {len(data)} bytes" in result.text) == result.failed
        assert len(result.features) and result.exec_ns > 0
    covered = {tuple(result.features.tolist()) for result in results if not result.failed}
    assert len(covered) == 1


def test_a_batch_goes_on_when_the_results_are_full(
    agent_of: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_dialect, "_RESULTS", 1 << 10)
    worker = agent_of("FuzzLadder")
    left = [b"x" * number for number in range(200)]
    rounds = 0
    while left:
        outcome = worker.call(Batch(tuple(map(wire, left))), b"")
        report = report_of(outcome)
        assert outcome.verdict is Verdict.OK and report.results
        assert len(report.results) == len(left) or report.end in (END_FULL, END_TIME)
        left = left[len(report.results) :]
        rounds += 1
    assert rounds > 3


def test_a_plan_whose_results_are_full_ends(
    agent_of: StartAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_dialect, "_RESULTS", 300)
    worker = agent_of("FuzzFails")
    ends, texts = set(), ""
    for seed in range(20):
        # A panic's text alone is longer than the area.
        report = report_of(worker.call(plan_of(b"x", b"ff", b"pp", energy=300, seed=seed), b""))
        ends.add(report.end)
        texts += "".join(failure.text for failure in report.failures)
    assert END_FULL in ends
    assert "fatal with" in texts and "disco" not in texts


def test_a_crash_within_a_batch_leaves_the_results_before(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzLadder")
    inputs = (b"x", b"ab", b"abc", b"y")
    outcome = worker.call(Batch(tuple(map(wire, inputs))), b"")
    assert outcome.verdict is Verdict.CRASH and "exit status 3" in outcome.message
    assert len(report_of(outcome).results) == 2
    assert unmarshal(outcome.data)[0].raw == b"abc"
    worker.start()
    assert worker.call(Batch((wire(b"y"),)), b"").verdict is Verdict.OK


def test_a_plan_dies_of_what_it_looked_for(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzLadder")
    for seed in range(50):
        outcome = worker.call(plan_of(b"x", seed=seed, seconds=2.0, energy=20_000), b"")
        if outcome.verdict is not Verdict.OK:
            break
    assert outcome.verdict is Verdict.CRASH and "exit status 3" in outcome.message
    died_of = unmarshal(outcome.data)[0].raw
    assert isinstance(died_of, bytes) and died_of.startswith(b"abc")
    assert outcome.count > 0 and not worker.running
    before = [raw(find.wire) for find in report_of(outcome).finds]
    assert before and b"abc" not in [data[:3] for data in before], "what was found is not lost"
    worker.start()
    assert worker.call(Batch((wire(b"x"),)), b"").verdict is Verdict.OK


def test_finds_are_small_and_know_their_parents(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzFails")
    report = report_of(worker.call(plan_of(b"x and a lot of noise", energy=2000), b""))
    assert report.finds and report.end == END_DONE
    for number, find in enumerate(report.finds):
        assert find.number == number
        assert find.parent == 1 or find.parent ^ LOCAL_PARENT < number
        assert set(find.fresh.tolist()) <= set(find.features.tolist())
        assert len(raw(find.wire)) <= 1
        assert find.exec_ns > 0
    (item,) = report.items
    assert item.id == 1 and item.finds == len(report.finds) and item.executions >= 2000


def test_failures_are_told_in_full_and_then_counted(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzFails")
    report = report_of(worker.call(plan_of(b"pp", b"ff", energy=1000), b""))
    texts = [failure.text for failure in report.failures]
    line = CODE[: CODE.index("t.Fatalf")].count("\n") + 1
    assert any("panic: at the disco" in text for text in texts)
    assert any(f"ladder_test.go:{line}: fatal with" in text for text in texts)
    for failure in report.failures:
        assert raw(failure.wire)[:1] in (b"f", b"p")
    keys = {failure.key for failure in report.failures}
    assert len(keys) < len(report.failures) <= 2 * len(keys)
    assert report.again.keys() <= keys and sum(report.again.values()) > 10


def test_single_runs_leave_the_count_of_failures_alone(agent_of: StartAgent) -> None:
    """The coordinator makes many of them to shrink a crash."""
    worker = agent_of("FuzzFails")
    for _ in range(5):
        assert worker.call(Run(), b'go test fuzz v1\n[]byte("f")\n').verdict is Verdict.FAIL
    report = report_of(worker.call(plan_of(b"f", energy=2, limit=2), b""))
    assert not report.again


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({"limit": 1234}, END_LIMIT),
        ({"seconds": 0.2}, END_TIME),
        ({"energy": 50}, END_DONE),
    ],
)
def test_a_plan_keeps_to_its_limits(
    agent_of: StartAgent, options: dict[str, Any], end: int
) -> None:
    worker = agent_of("FuzzFails")
    began = time.monotonic()
    outcome = worker.call(plan_of(b"x", solve=False, **options), b"")
    assert report_of(outcome).end == end
    assert time.monotonic() - began < 5.0
    if end == END_LIMIT:
        assert 1234 <= outcome.count < 1234 + 300
    assert 0 < sum(report_of(outcome).runs) <= outcome.count


def test_a_plan_stops_when_told(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzFails")
    assert isinstance(worker.dialect, AgentDialect)
    worker.send(plan_of(b"x"), b"")
    while worker.dialect.count() < 1000:
        assert worker.poll() is None
    worker.dialect.stop()
    while (outcome := worker.poll()) is None:
        select.select(worker.filenos(), [], [], 0.1)
    assert outcome.verdict is Verdict.OK and report_of(outcome).end == END_STOP


def test_what_is_known_is_not_found_again(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzLadder")
    known = learnt(worker, b"x", b"", b"a", b"ab", b"abX", b"aX")
    plan = plan_of(b"x", energy=3000, solve=False)
    told = Plan(*(getattr(plan, name) for name in Plan.__slots__[:7]), known=known)  # type: ignore[misc]
    assert not report_of(worker.call(told, b"")).finds


def test_the_same_seed_finds_the_same(agent_of: StartAgent) -> None:
    found = []
    for _ in range(2):
        worker = agent_of("FuzzFails")
        report = report_of(worker.call(plan_of(b"x", limit=3000, seed=7), b""))
        found.append([(find.wire, find.parent, find.fresh.tolist()) for find in report.finds])
    assert found[0] == found[1]


def test_a_hang_within_a_plan_names_its_input(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzHangs", hang_timeout=0.5)
    outcome = worker.call(plan_of(b"", energy=100, seconds=5.0), b"")
    assert outcome.verdict is Verdict.HANG
    assert unmarshal(outcome.data)[0].raw
    assert len(report_of(outcome).finds) <= 1


def test_a_worker_that_is_killed_blames_no_input(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzFails")
    worker.send(plan_of(b"x"), b"")
    os.kill(worker.pid, signal.SIGKILL)
    while (outcome := worker.poll()) is None:
        select.select(worker.filenos(), [], [], 0.1)
    assert outcome.verdict is Verdict.KILLED


def test_other_types_than_the_target_has_do_not_start(agent_of: StartAgent) -> None:
    with pytest.raises(WorkerStartError, match="a fuzz function of 2 arguments, found 1"):
        agent_of("FuzzLadder", (GoType.BYTES, GoType.INT))


def test_a_stock_binary_is_no_agent(targets: FuzzBinary, tmp_path: Path) -> None:
    worker = Worker(
        WorkerSpec(targets.path, "FuzzNested", targets.cwd, agent=BYTES), tmp_path / "worker"
    )
    with pytest.raises(WorkerStartError):
        worker.start()
    worker.close()


def test_a_request_that_makes_no_sense_breaks_the_worker(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzLadder")
    outcome = worker.call(Batch((b"\1\2",)), b"")
    assert outcome.verdict is Verdict.BROKEN and "refused" in outcome.message
    worker.start()
    assert worker.call(Batch((wire(b"x"),)), b"").verdict is Verdict.OK


def test_an_input_larger_than_the_memory_is_refused(agent_of: StartAgent) -> None:
    worker = agent_of("FuzzLadder")
    with pytest.raises(UsageError, match="leave them out of the corpus"):
        worker.call(Batch((bytes(65 << 20),)), b"")
    assert worker.call(Batch((wire(b"x"),)), b"").verdict is Verdict.OK
