"""What goes into the agent and comes back, whatever fuzz functions do with it: every type, inputs
that are written to, coverage, and the input of a process that was killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from gofuzzsec.corpus.format import marshal, unmarshal
from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.coverage import from_features
from gofuzzsec.worker import Run, Worker
from gofuzzsec.worker.agent_dialect import AgentDialect
from gofuzzsec.worker.agent_wire import Batch, Plan, PlanItem, decode_input, encode_input
from tests.worker.semantics import CRASH, FAIL, KILLED, OK, Built, bytes_of, essence, run, start


def test_arguments_that_are_written_to(built: Built, tmp_path: Path) -> None:
    """What is reported is what the fuzz function was given, whatever it made of it."""
    agent = start(built.boosted, "FuzzWrite", tmp_path / "agent", GoType.BYTES, GoType.BYTES)
    types = (GoType.BYTES, GoType.BYTES)
    try:
        wires = [encode_input(bytes_of(*each)) for each in (("fail", "x"), ("a", "new"))]
        outcome = agent.call(Batch((*wires, *wires), twice=True), b"")
        assert outcome.report is not None
        results = outcome.report.results
        assert [result.failed for result in results] == [True, False, True, False]
        assert 'found "x" after "!!!!"' in results[2].text
        items = tuple(PlanItem(i, 1500, True, wire) for i, wire in enumerate(wires))
        report = agent.call(Plan(items, 7, 5000, 0, 64, True, 500), b"").report
        assert report is not None and report.finds and report.failures
        for failure in report.failures:
            again = agent.call(Run(), marshal(decode_input(failure.wire, types)))
            assert essence(again.message) == essence(failure.text)
        for find in report.finds:
            again = agent.call(Batch((find.wire,)), b"")
            assert again.report is not None
            (result,) = again.report.results
            assert not result.failed, result.text
            assert set(find.fresh.tolist()) <= set(result.features.tolist())
        values = bytes_of("die", b"\x00 exactly \xff")
        died = agent.call(Run(), marshal(values))
        assert died.verdict is CRASH
        assert unmarshal(died.data) == values
    finally:
        agent.close()


def test_plan_among_trouble(built: Built, tmp_path: Path) -> None:
    """Failing, skipping and cleaning up executions between others, at full speed."""
    agent = start(built.boosted, "FuzzCases", tmp_path / "agent", GoType.BYTES)
    names = """fatal skip helper cleanup-order panic-string run-parallel-fail goexit tempdir
        run-names setenv-panic lock-thread clean"""
    words = tuple((name.encode(), False) for name in names.split())
    items = tuple(
        PlanItem(i, 400, True, encode_input(bytes_of(word))) for i, (word, _) in enumerate(words)
    )
    try:
        outcome = agent.call(Plan(items, 3, 0, 20.0, 32, True, 2000, tokens=words), b"")
        assert outcome.verdict is OK, outcome.message
        report = outcome.report
        assert report is not None
        wrong = [item for item in report.items if item.executions < 400]
        assert len(report.items) == len(items) and not wrong
        assert not any(failure.wire.endswith(b"clean") for failure in report.failures)
        assert any(failure.wire.endswith(b"fatal") for failure in report.failures)
        assert run(agent, "clean").verdict is OK
    finally:
        agent.close()


def test_coverage_is_that_of_a_stock_worker(built: Built, tmp_path: Path) -> None:
    """Counters of the same binary, also after subtests and cleanups that cover more."""
    kinds = ("plain", "cleanup", "plain", "sub", "parallel", "plain", "skip", "plain")
    inputs = [
        (Value(GoType.STRING, kind.encode()), Value(GoType.INT, n))
        for n in (0, 1, 2, 7, 40, 255)
        for kind in kinds
    ]
    stock = start(built.boosted, "FuzzSense", tmp_path / "stock")
    agent = start(built.boosted, "FuzzSense", tmp_path / "agent", GoType.STRING, GoType.INT)
    try:
        many = Batch(tuple(encode_input(values) for values in inputs))
        expected = np.array([[coverage_of(stock, v) for v in inputs] for _ in range(5)][1:])
        found = np.array([coverages_of(agent, many) for _ in range(5)][1:])
        found = found[:, :, : expected.shape[2]]  # the agent's goes on with system calls
        # The standard library's own state shows in some counters, and there by turns.
        steady = ~np.any([np.any(each != each[0], axis=(0, 1)) for each in (expected, found)], 0)
        for index, values in enumerate(inputs):
            assert np.array_equal(found[0, index, steady], expected[0, index, steady]), values
        assert len({each[steady].tobytes() for each in expected[0]}) > 12
    finally:
        stock.close()
        agent.close()


def coverage_of(worker: Worker, values: Input) -> npt.NDArray[np.uint8]:
    outcome = worker.call(Run(), marshal(values))
    assert outcome.coverage is not None, outcome.message
    return np.frombuffer(outcome.coverage, np.uint8)


def coverages_of(worker: Worker, many: Batch) -> list[npt.NDArray[np.uint8]]:
    outcome = worker.call(many, b"")
    assert outcome.report is not None and isinstance(worker.dialect, AgentDialect)
    size = worker.dialect.snapshot_size
    return [from_features(result.features, size) for result in outcome.report.results]


def test_worker_that_is_killed(built: Built, tmp_path: Path) -> None:
    agent = start(built.boosted, "FuzzCases", tmp_path / "agent", GoType.BYTES)
    try:
        agent.send(Batch((encode_input(bytes_of("clean")), encode_input(bytes_of("hang")))), b"")
        patience = time.monotonic() + 10
        while agent.dialect.count() < 2 and time.monotonic() < patience:
            time.sleep(0.01)
        os.kill(agent.pid, signal.SIGKILL)
        while (outcome := agent.poll()) is None:
            time.sleep(0.01)
        assert outcome.verdict is KILLED
        assert unmarshal(outcome.data) == bytes_of("hang")
        assert outcome.report is not None and len(outcome.report.results) == 1
    finally:
        agent.close()


def test_long_input(built: Built, tmp_path: Path) -> None:
    data = bytes(range(256)) * (8 << 12)
    agent = start(built.boosted, "FuzzBig", tmp_path / "agent", GoType.BYTES)
    try:
        wires = tuple(encode_input(bytes_of(each)) for each in (data, b"short"))
        outcome = agent.call(Batch(wires), b"")
        assert outcome.report is not None, outcome.message
        long, short = outcome.report.results
        assert r'8388608 bytes, the last "\xfc\xfd\xfe\xff"' in long.text
        assert not short.failed
    finally:
        agent.close()


TYPES = (
    GoType.BYTES,
    GoType.STRING,
    GoType.BOOL,
    GoType.BYTE,
    GoType.RUNE,
    GoType.INT,
    GoType.INT8,
    GoType.INT16,
    GoType.RUNE,
    GoType.INT64,
    GoType.UINT,
    GoType.BYTE,
    GoType.UINT16,
    GoType.UINT32,
    GoType.UINT64,
    GoType.FLOAT32,
    GoType.FLOAT64,
)


@pytest.mark.parametrize(
    "raw",
    [
        (b"", b"", False, *[0] * 14),
        (
            *(b"\x00\xff", b"\xff\xfe", True, 255, -1, -1, -1, -1, -1, -1),
            *(2**64 - 1, 255, 2**16 - 1, 2**32 - 1, 2**64 - 1, 0x7F800001, 0x7FF0000000000001),
        ),
        (
            *(b"a" * 300, "é".encode(), True, 1, -(2**31), -(2**63), -128, -(2**15), 2**31 - 1),
            *(2**63 - 1, 2**63, 7, 0x1234, 1, 2**53 + 1, 0xFFC00001, 1 << 63),
        ),
    ],
)
def test_all_types(built: Built, tmp_path: Path, raw: tuple[bytes | bool | int, ...]) -> None:
    """The fuzz function gets the values that a stock worker gives it, bit by bit."""
    values = tuple(Value(type_, each) for type_, each in zip(TYPES, raw, strict=True))
    stock = start(built.stock, "FuzzTypes", tmp_path / "stock")
    agent = start(built.boosted, "FuzzTypes", tmp_path / "agent", *TYPES)
    try:
        expected = stock.call(Run(), marshal(values))
        outcome = agent.call(Run(), marshal(values))
        assert outcome.verdict is expected.verdict is FAIL
        assert essence(outcome.message) == essence(expected.message)
        assert decode_input(encode_input(values), TYPES) == values
    finally:
        stock.close()
        agent.close()
