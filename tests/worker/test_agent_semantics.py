"""What a fuzz function may do with its T ends under the agent as it does under `go test`.

The cases are those of ``tests/agentmodule``: the input is the name of one. Each runs three times:
by ``go test -run``, by a stock worker of a stock binary, and by the agent of a boosted one, there
between two executions that fail if anything of it is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.coordinator.blame import blame
from gofuzzsec.corpus.format import marshal, unmarshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.toolchain.model import Go
from gofuzzsec.worker import Run, Verdict, Worker
from gofuzzsec.worker.protocol import DEAD
from tests.worker.semantics import (
    CRASH,
    FAIL,
    HANG,
    KILLED,
    OK,
    Built,
    batch,
    bytes_of,
    essence,
    go_test,
    logged,
    run,
    start,
)

CASES: dict[Verdict, str] = {
    OK: """clean environment log skip skipnow skipf deadline f-name f-not-failed parallel
        lock-thread leave-quiet panic-caught cleanup cleanup-goexit cleanup-skips tempdir setenv
        run run-names run-skip run-cleanup run-parallel no-such-case""",
    FAIL: """error fatal fatalf fail failnow helper multiline log-then-fail fail-skip skip-deferred
        goexit f-failed f-log f-cleanup exit-0 parallel-fail goroutine-failnow goroutine-error
        panic-string panic-error panic-custom panic-nil panic-map panic-index panic-pointer
        panic-deep panic-again panic-repeated panic-then-error panic-then-failnow panic-then-goexit
        error-then-panic cleanup-order cleanup-fails cleanup-helper cleanup-panics cleanup-failnow
        cleanup-nested cleanup-fatal cleanup-skip cleanup-exit cleanup-panic cleanup-panic2
        cleanup-panic-failnow cleanup-error-failnow
        cleanup-failed cleanup-run tempdir-fatal tempdir-panic setenv-panic setenv-parallel
        run-fail run-fatal run-panic run-goexit run-nested run-parent run-skips
        run-parallel-fail run-parallel-panic run-parallel-late run-parallel-nested""",
    CRASH: """exit-3 log-fatal overflow abort goroutine-panic run-parallel-dies""",
    KILLED: "kill",
    HANG: "hang",
}
LATER: dict[tuple[int, int], dict[Verdict, str]] = {
    (1, 24): {
        OK: "chdir context context-late context-leave context-sub",
        FAIL: "chdir-panic",
    },
    (1, 25): {
        OK: "output-pass synctest",
        FAIL: "output output-run synctest-fail synctest-fatal synctest-panic attr",
    },
}
ALL = [
    pytest.param(name, verdict, since, id=name)
    for since, table in {(1, 21): CASES, **LATER}.items()
    for verdict, names in table.items()
    for name in names.split()
]


@pytest.fixture(scope="module")
def pair(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Worker]]:
    """A stock worker and an agent of FuzzCases; whoever finds one dead starts it."""
    scratch = tmp_path_factory.mktemp("pair")
    stock = start(built.stock, "FuzzCases", scratch / "stock", hang_timeout=2.0)
    agent = start(built.boosted, "FuzzCases", scratch / "agent", GoType.BYTES, hang_timeout=2.0)
    yield stock, agent
    stock.close()
    agent.close()


@pytest.mark.parametrize(("name", "verdict", "since"), ALL)
def test_case(
    built: Built,
    pair: tuple[Worker, Worker],
    name: str,
    verdict: Verdict,
    since: tuple[int, int],
) -> None:
    if built.go.version < since:
        pytest.skip(f"needs Go {since[0]}.{since[1]}")
    stock, agent = pair
    status, said = go_test(built, "FuzzCases", name, bytes_of(name))
    assert (status == 0) == (verdict is OK), said
    if name.startswith("f-"):
        stock.start()  # there F.Failed goes on knowing of earlier executions
    expected = run(stock, name)
    assert expected.verdict is verdict, expected.message
    outcome = batch(agent, "clean", name, "clean")
    assert outcome.report is not None
    results = outcome.report.results
    assert not results[0].failed, results[0].text
    if verdict in DEAD:
        assert outcome.verdict is verdict, outcome.message
        assert len(results) == 1
        assert unmarshal(outcome.data) == bytes_of(name)
        if verdict is CRASH:
            assert outcome.message.splitlines()[:1] == expected.message.splitlines()[:1]
        assert not agent.running
        assert blame(outcome) == blame(expected)
    else:
        assert outcome.verdict is OK, outcome.message
        assert [result.failed for result in results] == [False, verdict is FAIL, False], [
            result.text for result in results
        ]
        # Go leaves out the middle of a long stack.
        most = 30 if name == "panic-deep" else None
        assert essence(results[1].text)[:most] == essence(expected.message)[:most]
        if "panic: " not in said:
            assert logged(results[1].text) == (logged(said) if verdict is FAIL else [])
        again = run(agent, name)
        assert again.verdict is verdict
        assert verdict is OK or blame(again) == blame(expected)
    assert run(agent, "clean").verdict is OK


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("leave-quiet", OK), ("leave-log", OK), ("leave-error", CRASH), ("leave-run", CRASH)],
)
def test_goroutine_left_behind(pair: tuple[Worker, Worker], name: str, verdict: Verdict) -> None:
    """It goes on in the execution of "release"."""
    stock, agent = pair
    for worker in pair:
        worker.start()  # others may have been left behind before
    assert run(stock, name).verdict is OK
    expected = run(stock, "release")
    outcome = batch(agent, name, "release")
    assert outcome.verdict is expected.verdict is verdict, (outcome.message, expected.message)
    if verdict is CRASH:
        assert "panic: Fail in goroutine after FuzzCases has completed" in outcome.message
        assert unmarshal(outcome.data) == bytes_of("release")
    assert run(agent, "clean").verdict is OK


def test_failures_are_forgotten(pair: tuple[Worker, Worker]) -> None:
    """F.Failed speaks of this execution alone, and a failure's text of this failure alone."""
    outcome = batch(pair[1], "error", "f-not-failed", "run-fail", "f-not-failed", "error")
    assert outcome.report is not None
    results = outcome.report.results
    assert [result.failed for result in results] == [True, False, True, False, True]
    assert essence(results[0].text) == essence(results[4].text)


@pytest.mark.parametrize("nil_panics", [False, True])
def test_nil_panic(built: Built, tmp_path: Path, nil_panics: bool) -> None:
    env = (("GODEBUG", f"panicnil={int(nil_panics)}"),)
    stock = start(built.stock, "FuzzCases", tmp_path / "stock", env=env)
    agent = start(built.boosted, "FuzzCases", tmp_path / "agent", GoType.BYTES, env=env)
    try:
        expected, outcome = run(stock, "panic-nil"), run(agent, "panic-nil")
        assert expected.verdict is outcome.verdict is FAIL
        assert essence(outcome.message) == essence(expected.message)
        said = "test executed panic(nil) or runtime.Goexit"
        assert (said in outcome.message) is nil_panics
        assert run(agent, "clean").verdict is OK
    finally:
        stock.close()
        agent.close()


def test_fuzz_function_that_is_a_helper(built: Built, tmp_path: Path) -> None:
    """Its log lines are where F.Fuzz is called, as those of a subtest are where T.Run is."""
    source = (built.boosted.cwd / "cases_test.go").read_text().splitlines()
    line = source.index("func FuzzHelper(f *testing.F) {") + 2
    agent = start(built.boosted, "FuzzHelper", tmp_path / "agent", GoType.STRING)
    try:
        outcome = agent.call(Run(), marshal((Value(GoType.STRING, b"fail"),)))
    finally:
        agent.close()
    assert outcome.verdict is FAIL
    assert logged(outcome.message) == [f"cases_test.go:{line}: seen where f.Fuzz is called"]


@pytest.mark.parametrize("name", ["run-parallel-dies", "goroutine-panic", "exit-3"])
def test_input_to_blame_on_many_threads(built: Built, tmp_path: Path, name: str) -> None:
    """While the process dies of one input, no other is taken up."""
    agent = start(built.boosted, "FuzzCases", tmp_path / "agent", GoType.BYTES, gomaxprocs=4)
    try:
        for _ in range(5):
            outcome = batch(agent, "clean", name, *["error"] * 20)
            assert outcome.verdict is CRASH
            assert outcome.report is not None and len(outcome.report.results) == 1
            assert unmarshal(outcome.data) == bytes_of(name)
    finally:
        agent.close()


def test_data_race_fails(go: Go, built: Built, tmp_path: Path) -> None:
    if built.go != go:
        pytest.skip("one build for the race detector is enough")
    (package,) = toolchain.list_packages(go, ["."], built.boosted.cwd)
    binary = toolchain.build_fuzz_binary(go, package, race=True, boosted=True)
    stock = start(binary, "FuzzCases", tmp_path / "stock", memory_limit=1 << 40)
    agent = start(
        binary, "FuzzCases", tmp_path / "agent", GoType.BYTES, memory_limit=1 << 40, gomaxprocs=2
    )
    try:
        for name, verdict in {
            "clean": OK, "race": FAIL, "run": OK, "panic-string": FAIL, "helper": FAIL,
            "cleanup-order": FAIL, "skip": OK, "run-nested": FAIL, "goexit": FAIL,
        }.items():  # fmt: skip
            expected, outcome = run(stock, name), run(agent, name)
            assert expected.verdict is outcome.verdict is verdict, (name, outcome.message)
            assert essence(outcome.message) == essence(expected.message)
            assert run(agent, "clean").verdict is OK
    finally:
        stock.close()
        agent.close()
