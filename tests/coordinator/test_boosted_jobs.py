"""Jobs of boosted workers, played: the store is real, the outcomes are made here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from gofuzzsec.coordinator.events import CrashFound, Event, Note
from gofuzzsec.coordinator.jobs import Seed, batch_job, plan_job
from gofuzzsec.coordinator.pool import Entry, Pool
from gofuzzsec.coordinator.state import CampaignOptions, State
from gofuzzsec.coordinator.talk import Ask, Job
from gofuzzsec.corpus.format import marshal, unmarshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.coverage import Features, pack
from gofuzzsec.errors import WorkerStartError
from gofuzzsec.store import InputRow, Store
from gofuzzsec.store.model import Incidence
from gofuzzsec.syscalls import table
from gofuzzsec.toolchain.find import host_arch
from gofuzzsec.toolchain.model import FuzzBinary
from gofuzzsec.worker import Batch, Outcome, Plan, Report, Run, Verdict
from gofuzzsec.worker.agent_wire import (
    LOCAL_PARENT,
    BatchResult,
    Failure,
    Find,
    ItemReport,
    Sights,
    encode_input,
)

COUNTERS, CALL_BYTES = 64, 16
CALL = COUNTERS * 8
"""The number of the first system call feature."""


def corpus(data: bytes) -> bytes:
    return marshal([Value(GoType.BYTES, data)])


def wire(data: bytes) -> bytes:
    return encode_input((Value(GoType.BYTES, data),))


def found(*numbers: int) -> Features:
    return np.array(numbers, dtype=np.uint32)


def outcome(verdict: Verdict = Verdict.OK, **fields: Any) -> Outcome:
    values: dict[str, Any] = {
        "count": 10, "coverage": None, "message": "", "duration_ns": 5, "data": b"",
        "rand_state": 0, "rand_inc": 0, **fields,
    }  # fmt: skip
    return Outcome(verdict, **values)


def find(
    number: int, data: bytes, *fresh: int, parent: int = 0, covers: Features | None = None
) -> Find:
    new = found(*fresh)
    return Find(number, parent, 700, new if covers is None else covers, new, wire(data), "")


_One = TypeVar("_One", Seed, InputRow)


class Scene:
    """A campaign's state and what it said."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.said: list[Event] = []
        self.left: list[Seed | InputRow] = []  # put back by a batch
        self.store = Store.create(folder / "campaign")
        target = self.store.add_target("m", "FuzzX", str(folder), str(folder), "", external=False)
        settings: dict[str, Any] = {
            "workers": 2, "hang_timeout": 10.0, "memory_limit": 1 << 30, "minimise_seconds": 0.0,
            "stop_on_crash": False, "crash_dir": str(folder / "crashes"),
            "spare_crash_dir": str(folder / "spare"), "rerun": "go test -run={hash}", **options,
        }  # fmt: skip
        self.state = State(
            store=self.store,
            target=target,
            binary=FuzzBinary(folder / "x", "key", "m", None, ("FuzzX",), folder, "go1.26", True),
            options=CampaignOptions(**settings),
            emit=self.said.append,
            capture=None,
            pool=Pool(call_bytes=CALL_BYTES),
            types=(GoType.BYTES,),
        )
        self.state.pool.begin(COUNTERS + CALL_BYTES)

    def seed(self, data: bytes, *features: int) -> Entry:
        return self.state.keep(
            corpus(data), found(*features), 100, source="seed-add", why="seed", parent=None
        )

    def play(self, job: Job, *outcomes: Outcome) -> list[Ask]:
        """What *job* asked when it was answered with *outcomes*, which must end it."""
        asked = []
        try:
            asked.append(next(job))
            for reply in outcomes:
                asked.append(job.send(reply))
        except StopIteration:
            return asked
        raise AssertionError(f"the job goes on: {asked[-1]}")

    def batch(self, inputs: Sequence[_One]) -> Job:
        return batch_job(self.state, inputs, self.left.extend)

    def rows(self) -> dict[bytes | bool | int, Any]:
        rows = self.store.inputs(self.state.target.id)
        return {unmarshal(row.data)[0].raw: row for row in rows}

    def crashes(self) -> list[CrashFound]:
        return [event for event in self.said if isinstance(event, CrashFound)]

    def notes(self) -> list[str]:
        return [event.text for event in self.said if isinstance(event, Note)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


# -- plans --------------------------------------------------------------------------------------


def test_finds_are_kept_with_their_parents(scene: Scene) -> None:
    seed = scene.seed(b"seed", 0)
    report = Report(
        finds=[
            find(0, b"child", 8, parent=seed.id),
            find(1, b"grandchild", 16, CALL + 3, parent=LOCAL_PARENT | 0),
            find(2, b"call", CALL + 4, parent=LOCAL_PARENT | 77),
        ],
        items=[ItemReport(seed.id, 500, 3, True)],
        solved=[1, 9],
        tokens=[b"MAGIC"],
        runs=(80, 10, 7, 3),
    )
    ((request, _),) = scene.play(plan_job(scene.state), outcome(count=100, report=report))
    assert isinstance(request, Plan) and {item.id for item in request.items} == {seed.id}
    rows = scene.rows()
    assert rows[b"child"].parent == seed.id and rows[b"child"].why == "coverage"
    assert rows[b"grandchild"].parent == rows[b"child"].id
    assert rows[b"grandchild"].why == "coverage"
    assert rows[b"call"].parent is None and rows[b"call"].why == "syscall"
    entries = scene.state.pool.entries
    assert seed.finds == 1 and entries[rows[b"child"].id].finds == 1
    assert seed.solved and entries[rows[b"grandchild"].id].solved
    assert not entries[rows[b"child"].id].solved
    assert scene.state.tokens.pairs() == ((b"MAGIC", True),)
    counts = scene.state.counts
    assert (counts.executions, counts.minimising, counts.reserved) == (93, 7, 0)


def test_sights_of_random_executions_are_counted(scene: Scene) -> None:
    scene.seed(b"seed", 0)
    getpid = table.number("getpid", host_arch()) or 0
    first, second = ((getpid * 32 + 1, 5),), ((16384 + getpid, 6),)
    report = Report(sights=[Sights(70, first), Sights(30, second)])
    scene.play(plan_job(scene.state), outcome(report=report))
    scene.play(plan_job(scene.state), outcome(report=replace(report, sights=report.sights[:1])))
    assert scene.store.incidence(scene.state.target.id) == (
        Incidence(100, {"getpid": 6, "getpid: ok": 5}), Incidence(70, {"getpid: ok": 5}),
    )  # fmt: skip
    few = Report(sights=[Sights(9, ())])
    scene.play(plan_job(scene.state), outcome(report=few))
    assert len(scene.store.incidence(scene.state.target.id)) == 2, "not worth a commit yet"
    scene.state.incidence.flush()
    assert sum(part.executions for part in scene.store.incidence(scene.state.target.id)) == 179


def test_sights_that_no_agent_tells_of_are_a_note(scene: Scene) -> None:
    scene.seed(b"seed", 0)
    report = Report(sights=[Sights(70, ((31, 5),))])
    scene.play(plan_job(scene.state), outcome(report=report))
    assert any("not counted: expected a feature" in note for note in scene.notes())
    assert scene.store.incidence(scene.state.target.id) == ()


def test_what_two_workers_find_is_kept_once(scene: Scene) -> None:
    scene.seed(b"seed", 0)
    jobs = [plan_job(scene.state), plan_job(scene.state)]
    for job in jobs:
        next(job)
    for number, job in enumerate(jobs):
        report = Report(finds=[find(0, b"by worker %d" % number, 8), find(1, b"both", 8, 16)])
        with pytest.raises(StopIteration):
            job.send(outcome(report=report))
    assert set(scene.rows()) == {b"seed", b"by worker 0", b"both"}


def test_failures_are_looked_into_once_and_counted(scene: Scene) -> None:
    seed = scene.seed(b"seed", 0)
    text = "--- FAIL: FuzzX\n    x_test.go:7: boom"
    failures = [Failure(99, seed.id, text, wire(data)) for data in (b"bad", b"worse")]
    report = Report(failures=failures, again={99: 5, 12345: 3})
    confirmed = outcome(Verdict.FAIL, message=text)
    asked = scene.play(plan_job(scene.state), outcome(report=report), confirmed)
    assert [type(request) for request, _ in asked] == [Plan, Run]
    assert asked[1][1] == corpus(b"bad")
    (crash,) = scene.crashes()
    assert "boom" in crash.summary and crash.reproduced
    assert seed.crashes == 2
    scene.state.count_sights()
    (row,) = scene.store.crashes()
    assert row.count == 1 + 1 + 5, "the first, the second in full, and those only counted"
    later = Report(again={99: 10})
    scene.play(plan_job(scene.state), outcome(report=later))
    scene.state.count_sights()
    assert scene.store.crashes()[0].count == 17


def test_a_death_keeps_what_was_found_before(scene: Scene) -> None:
    scene.seed(b"seed", 0)
    died = outcome(
        Verdict.CRASH, message="panic: dead\n\ngoroutine 1 [running]:\nm.F(0x1)\n",
        data=corpus(b"killer"), report=Report(finds=[find(0, b"before", 8)]),
    )  # fmt: skip
    scene.play(plan_job(scene.state), died, died)
    assert b"before" in scene.rows()
    (crash,) = scene.crashes()
    assert crash.summary == "panic: dead" and Path(crash.path).read_bytes() == corpus(b"killer")


@pytest.mark.parametrize("verdict", [Verdict.KILLED, Verdict.BROKEN, Verdict.CRASH])
def test_a_lost_worker_without_an_input_is_a_note(scene: Scene, verdict: Verdict) -> None:
    scene.seed(b"seed", 0)
    scene.play(plan_job(scene.state), outcome(verdict, message="signal 9"))
    assert any("a worker was lost" in note and "signal 9" in note for note in scene.notes())
    assert not scene.crashes() and scene.state.counts.reserved == 0


def test_no_plan_beyond_the_limit_or_without_entries(scene: Scene) -> None:
    assert scene.play(plan_job(scene.state)) == []
    scene.seed(b"seed", 0)
    scene.state.limit = 100
    job = plan_job(scene.state)
    request, _ = next(job)
    assert isinstance(request, Plan) and request.limit == 100
    assert scene.play(plan_job(scene.state)) == [], "all is reserved"
    with pytest.raises(StopIteration):
        job.send(outcome(count=100))
    assert scene.play(plan_job(scene.state)) == [], "all is used up"


# -- batches ------------------------------------------------------------------------------------


def result(*features: int, failed: bool = False, text: str = "") -> BatchResult:
    return BatchResult(failed, 80, found(*features), text, "")


def seeds(*data: bytes, always: bool = True) -> list[Seed]:
    return [Seed(corpus(each), "seed-add", always) for each in data]


def batch_of(ask: Ask) -> list[bytes | bool | int]:
    request, _ = ask
    assert isinstance(request, Batch) and request.twice
    return [each[4:] for each in request.inputs]


def test_seeds_are_kept_with_what_they_cover(scene: Scene) -> None:
    report = Report(results=[result(0, CALL + 1), result(0)])
    scene.play(scene.batch(seeds(b"one", b"two")), outcome(count=4, report=report))
    rows = scene.rows()
    assert {data: row.why for data, row in rows.items()} == {b"one": "seed", b"two": "seed"}
    assert rows[b"one"].coverage == pack(found(0, CALL + 1)) and rows[b"one"].exec_ns == 80
    assert scene.state.counts.executions == 4


def test_seeds_of_the_cache_are_kept_only_when_they_bring_something(scene: Scene) -> None:
    report = Report(results=[result(0), result(0), result(8)])
    scene.play(
        scene.batch(seeds(b"one", b"same", b"two", always=False)),
        outcome(report=report),
    )
    assert set(scene.rows()) == {b"one", b"two"}


def test_what_a_batch_did_not_come_to_is_put_back(scene: Scene) -> None:
    given = seeds(b"one", b"two", b"three")
    asked = scene.play(scene.batch(given), outcome(report=Report(results=[result(0)])))
    assert batch_of(asked[0]) == [b"one", b"two", b"three"]
    assert scene.left == given[1:]
    assert set(scene.rows()) == {b"one"} and not scene.notes()


def test_an_input_that_kills_is_not_put_back(scene: Scene) -> None:
    given = seeds(b"one", b"two", b"three")
    died = outcome(
        Verdict.CRASH,
        message="panic: dead\n\ngoroutine 1 [running]:\nm.F(0x1)\n",
        data=corpus(b"two"),
        report=Report(results=[result(8)]),
    )
    asked = scene.play(scene.batch(given), died, died)
    assert asked[1] == (Run(), corpus(b"two")), "does it crash again"
    assert scene.left == given[2:]
    assert set(scene.rows()) == {b"one"}
    assert len(scene.crashes()) == 1


def test_a_seed_that_fails_is_reported(scene: Scene) -> None:
    text = "    x_test.go:7: boom"
    report = Report(results=[result(0, failed=True, text=text), result(8)])
    scene.play(
        scene.batch(seeds(b"bad", b"good")),
        outcome(report=report),
        outcome(Verdict.FAIL, message=text),
    )
    assert set(scene.rows()) == {b"good"}
    assert [crash.summary for crash in scene.crashes()] == ["x_test.go:7: boom"]


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.KILLED])
def test_an_input_without_a_result_is_left_out(scene: Scene, verdict: Verdict) -> None:
    given = seeds(b"odd", b"good")
    scene.play(scene.batch(given), outcome(verdict, message="signal 9", report=Report()))
    assert scene.left == given[1:], "or the same batch would be sent for ever"
    assert any("an input could not be run" in note for note in scene.notes())


def test_inputs_of_another_build_are_measured_again(scene: Scene) -> None:
    scene.store.add_input(
        scene.state.target.id, data=corpus(b"old"), source="fuzz", why="coverage", parent=None,
        exec_ns=1, build_key="older", coverage=pack(found(400)), found_at=1.0,
    )  # fmt: skip
    (row,) = scene.rows().values()
    scene.play(scene.batch([row]), outcome(report=Report(results=[result(8)])))
    (row,) = scene.rows().values()
    assert (row.build_key, row.exec_ns, row.coverage) == ("key", 80, pack(found(8)))
    assert scene.state.pool.entries[row.id].found.tolist() == [8]


@pytest.mark.parametrize("features", [(), (CALL + 1,)])
def test_a_binary_without_counters_is_told(scene: Scene, features: tuple[int, ...]) -> None:
    job = scene.batch(seeds(b"one"))
    next(job)
    with pytest.raises(WorkerStartError, match="expected coverage counters"):
        job.send(outcome(report=Report(results=[result(*features)])))
