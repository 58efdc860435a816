"""The memory shared with an agent, looked at without one: requests, hellos, lies, deaths."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.errors import ProtocolError, UsageError
from gofuzzsec.worker import Batch, Fuzz, Plan, Run, Verdict, agent_wire
from gofuzzsec.worker.agent_dialect import AgentDialect
from gofuzzsec.worker.agent_wire import encode_input
from tests.worker.test_agent_wire import ALL, block, features, record, u32, u64

TYPES = (GoType.STRING, GoType.BYTE)
VALUES = (Value(GoType.STRING, b"text"), Value(GoType.BYTE, 7))
WIRE = encode_input(VALUES)
COUNTERS = 1001
PLAN = Plan((), 1, 0, 0.0, 100, False, 0)


class Agent:
    """Writes what an agent would."""

    def __init__(self, dialect: AgentDialect) -> None:
        self.dialect = dialect
        self.map = mmap.mmap(dialect.fd, os.fstat(dialect.fd).st_size)

    def get(self, word: int) -> int:
        return int(struct.unpack_from("<Q", self.map, 8 * word)[0])

    def set(self, word: int, value: int) -> None:
        struct.pack_into("<Q", self.map, 8 * word, value)

    def hello(self, counters: int = COUNTERS) -> None:
        self.set(agent_wire.MAGIC_AT, agent_wire.MAGIC)
        self.set(agent_wire.COUNTERS, counters)
        self.set(agent_wire.CALLS, agent_wire.CALL_FEATURES)
        self.set(agent_wire.ARGS, len(TYPES))

    def results(self, data: bytes) -> None:
        at = self.get(agent_wire.RESULTS_AT)
        self.map[at : at + len(data)] = data
        self.set(agent_wire.RESULTS_LEN, len(data))

    def executing(self, data: bytes) -> None:
        at = self.get(agent_wire.INPUT_AT)
        self.map[at : at + len(data)] = data
        self.set(agent_wire.INPUT_LEN, len(data))


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """One that has said hello."""
    dialect = AgentDialect(TYPES, tmp_path_factory.mktemp("memory"))
    made = Agent(dialect)
    made.hello()
    dialect.check_start(b"ok\n")
    yield made
    made.map.close()
    dialect.close()


def result(*found: int, failed: bool = False, text: bytes = b"") -> bytes:
    return record(6, u32(failed), u64(80), features(*found), block(text), block(b""))


def find(fresh: int = 3, wire: bytes = WIRE) -> bytes:
    stacks = block(b"")
    return record(
        1, u32(0), u64(7), u64(9), features(3, fresh), features(fresh), block(wire), stacks
    )


def test_a_request_begins_with_clean_words(agent: Agent) -> None:
    agent.results(ALL)
    agent.set(agent_wire.COUNT, 99)
    agent.dialect.stop()
    assert agent.get(agent_wire.STOP) == 1
    assert agent.dialect.load(PLAN, b"") == b"!\n"
    assert agent.get(agent_wire.REQUEST) == agent_wire.REQUEST_PLAN
    assert agent.dialect.count() == agent.get(agent_wire.STOP) == 0
    body = agent_wire.encode_plan(PLAN)
    at = agent.get(agent_wire.REQUEST_AT)
    assert agent.map[at : at + agent.get(agent_wire.REQUEST_LEN)] == body
    outcome = agent.dialect.outcome(PLAN, b"ok\n")
    assert outcome.report is not None and not outcome.report.finds, "of the request before"


def test_one_run_is_a_batch_of_one(agent: Agent) -> None:
    agent.dialect.load(Run(), marshal(VALUES))
    at = agent.get(agent_wire.REQUEST_AT)
    body = agent.map[at : at + agent.get(agent_wire.REQUEST_LEN)]
    assert body == agent_wire.encode_batch(Batch((WIRE,)))
    agent.set(agent_wire.COUNT, 1)
    agent.results(result(16, 8 * 1008 + 5))
    outcome = agent.dialect.outcome(Run(), b"ok\n")
    assert (outcome.verdict, outcome.count, outcome.duration_ns) == (Verdict.OK, 1, 80)
    assert outcome.coverage is not None
    assert len(outcome.coverage) == agent.dialect.snapshot_size == 1008 + 2048
    assert {at: bits for at, bits in enumerate(outcome.coverage) if bits} == {2: 1, 1008: 32}
    agent.results(result(failed=True, text=b"boom"))
    outcome = agent.dialect.outcome(Run(), b"ok\n")
    assert (outcome.verdict, outcome.message) == (Verdict.FAIL, "boom")
    agent.results(result(failed=True))
    assert "without a word" in agent.dialect.outcome(Run(), b"ok\n").message


def test_what_does_not_fit_is_refused(agent: Agent) -> None:
    room = agent.get(agent_wire.INPUT_CAP)
    with pytest.raises(UsageError, match="leave them out of the corpus"):
        agent.dialect.load(Batch((bytes(room + 1),)), b"")
    with pytest.raises(ProtocolError, match="request for a boosted worker"):
        agent.dialect.load(Fuzz(1.0), b"")


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        (agent_wire.MAGIC_AT, 1, "expected the agent of a boosted binary"),
        (agent_wire.CALLS, 3, "expected 16384 system call features, found 3"),
        (agent_wire.ARGS, 1, "expected a fuzz function of 2 arguments, found 1"),
        (agent_wire.COUNTERS, 1 << 60, "coverage counters"),
    ],
)
def test_a_hello_that_does_not_fit(agent: Agent, word: int, value: int, said: str) -> None:
    before = agent.get(word)
    agent.set(word, value)
    try:
        with pytest.raises(ProtocolError, match=said):
            agent.dialect.check_start(b"ok\n")
    finally:
        agent.set(word, before)
        agent.dialect.check_start(b"ok\n")
    with pytest.raises(ProtocolError, match="expected the agent"):
        agent.dialect.check_start(b'{"Ping":{}}\n')


@pytest.mark.parametrize(
    ("area", "said"),
    [
        (result(8 * 4000), "features below"),
        (find(fresh=(1 << 32) - 1), "features below"),
        (find(wire=b"\1"), "an input of the target"),
        (find(wire=u32(4) + u32(9) + b"text12345"), "an input of the target"),
        (record(2, u64(1), u64(2), block(b"boom"), block(b"no input")), "an input of the target"),
        (ALL[:-1], "record"),
        (record(8, u64(9), u32(1), u32(0), u32(10)), "at most 9 sights"),
        (record(8, u64(9), u32(1), u32(16896), u32(1)), "an index below 16896"),
        (result() + result(), "one result"),
        (b"", "one result"),
    ],
)
def test_answers_that_cannot_be(agent: Agent, area: bytes, said: str) -> None:
    agent.dialect.load(Run(), marshal(VALUES))
    agent.results(area)
    with pytest.raises(ProtocolError, match=said):
        agent.dialect.outcome(Run(), b"ok\n")


def test_a_refusal_is_told(agent: Agent) -> None:
    with pytest.raises(ProtocolError, match="expected a request that"):
        agent.dialect.outcome(PLAN, b"expected a request that the agent understands\n")


def test_a_death_leaves_the_input_and_what_was_found(agent: Agent) -> None:
    agent.dialect.load(PLAN, b"")
    agent.executing(WIRE)
    agent.results(find())
    agent.set(agent_wire.COUNT, 5)
    agent.set(agent_wire.TRIM_RUNS, 2)
    outcome = agent.dialect.death(PLAN, Verdict.CRASH, "panic", 42)
    assert outcome.data == marshal(VALUES)
    assert (outcome.verdict, outcome.count, outcome.duration_ns) == (Verdict.CRASH, 5, 42)
    assert outcome.report is not None
    assert [each.wire for each in outcome.report.finds] == [WIRE]
    assert outcome.report.runs == (0, 0, 2, 0)


def test_a_death_before_any_input_blames_none(agent: Agent) -> None:
    agent.dialect.load(PLAN, b"")
    assert agent.dialect.death(PLAN, Verdict.CRASH, "panic", 42).data == b""


def test_a_death_in_the_middle_of_writing_is_no_error(agent: Agent) -> None:
    agent.dialect.load(PLAN, b"")
    agent.executing(u32(400) + u32(401) + b"the length is that of the input before")
    agent.results(find()[:-1])
    outcome = agent.dialect.death(PLAN, Verdict.KILLED, "signal 9", 42)
    assert outcome.data == b""
    assert outcome.report is not None and not outcome.report.finds


@given(st.dictionaries(st.integers(0, 20), st.integers(0, (1 << 64) - 1)), st.binary(max_size=60))
def test_a_header_of_any_words_raises_nothing_else(
    agent: Agent, words: dict[int, int], area: bytes
) -> None:
    """Once running, a target may have written anything anywhere."""
    kept = agent.map[:4096]
    agent.dialect.load(PLAN, b"")
    agent.results(area)
    places = {agent_wire.RESULTS_LEN: 1 << 20}  # what is there is zeroes: no need for 64 MiB of it
    for word, value in words.items():
        agent.set(word, value % places.get(word, 1 << 64))
    try:
        outcome = agent.dialect.outcome(PLAN, b"ok\n")
    except ProtocolError:
        outcome = agent.dialect.death(PLAN, Verdict.CRASH, "", 0)
    assert outcome.count <= agent_wire.MOST
    assert agent.dialect.snapshot_size == 1008 + 2048
    agent.map[:4096] = kept
