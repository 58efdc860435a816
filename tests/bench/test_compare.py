"""The arithmetic of the comparison, and the lines it takes from both fuzzers."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from bench.compare import Course, options
from bench.limit import Limit
from bench.replay import Covered
from bench.sides import EXECS, BenchError, events, only, session_executions
from bench.table import Pair, Row, for_json, medians, summary, table

ROW = Row(
    side="native", cpu=100.0, wall=60.0, coordinator_cpu=1.2, startup_cpu=0.1, executions=1000,
    executions_per_cpu=10.0, equal_cpu=100.0, inputs=5, edges=40, features=80, final_edges=44,
    reach_cpu=90.0, ended="time", method="cgroup",
)  # fmt: skip


def pair(
    native: int, ours: int, edges: int, reach: float | None = 5.0, limit: Limit | None = None
) -> Pair:
    return Pair(
        dataclasses.replace(ROW, executions_per_cpu=native),
        dataclasses.replace(ROW, executions_per_cpu=ours, edges=edges, reach_cpu=reach),
        limit,
    )


def test_a_row_holds_medians_and_their_ratios() -> None:
    row = medians([pair(10, 30, 40), pair(1000, 20, 60), pair(20, 90, 50)], workers=2)
    assert row["native_executions_per_cpu"] == 20
    assert row["gofuzzsec_executions_per_cpu"] == 30
    assert row["executions_per_cpu_ratio"] == 1.5
    assert row["edges_ratio"] == 50 / 40
    assert row["gofuzzsec_coordinator_percent"] == pytest.approx(1.0)


def test_time_to_gos_edges_is_a_share_of_gos_whole_time() -> None:
    row = medians([pair(1, 1, 1, 5.0), pair(1, 1, 1, None), pair(1, 1, 1, 7.0)], workers=1)
    assert (row["reach_cpu"], row["reach_ratio"]) == (7.0, 0.07)


def test_what_is_mostly_never_reached_is_said_so() -> None:
    row = medians([pair(1, 1, 1, None), pair(1, 1, 1, None), pair(1, 1, 1, 7.0)], workers=1)
    assert math.isinf(row["reach_ratio"])
    assert "never" in table({"a target": row})
    assert for_json(row)["reach_ratio"] is None
    json.dumps(for_json(row), allow_nan=False)


def test_the_limit_is_shown_where_it_was_measured() -> None:
    limit = Limit(10, ((400_000, 300_000), (500_000, 250_000), (400_000, 360_000)))
    assert (limit.engine_us, limit.plain_us, limit.ratio) == (40.0, 30.0, 0.75)
    row = medians([pair(1, 1, 1), pair(1, 1, 1, limit=limit)], workers=1)
    assert row["limit_ratio"] == 0.75
    whole = summary([row, medians([pair(1, 1, 1)], workers=1)])
    assert (whole["limit_ratio_least"], whole["targets_over_20_us"]) == (0.75, 1)


def test_the_summary_counts_targets_behind() -> None:
    rows = [medians([pair(10, 20, 39)], 2), medians([pair(10, 80, 40)], 2)]
    whole = summary(rows)
    assert whole["executions_per_cpu_ratio_geometric_mean"] == pytest.approx(4.0)
    assert whole["executions_per_cpu_ratio_least"] == 2.0
    assert whole["targets_with_at_least_as_many_edges"] == 1
    assert "limit_ratio_least" not in whole


def covered(*edges: int) -> tuple[Covered, ...]:
    return tuple(Covered(edges=each, inputs=number) for number, each in enumerate(edges))


def test_a_course_tells_what_was_covered_when() -> None:
    course = Course((10.0, 20.0, 30.0), covered(3, 5, 5, 9))
    assert [course.at(when).edges for when in (9.0, 10.0, 25.0, math.inf)] == [3, 5, 5, 9]
    assert [course.reached(edges) for edges in (5, 6, 9, 10)] == [10.0, 30.0, 30.0, None]


def test_what_seeds_cover_counts_from_the_first_input_on() -> None:
    assert Course((10.0, 20.0), covered(3, 5, 9)).reached(2) == 10.0
    assert Course((), covered(3)).reached(2) is None


def test_gos_last_count_is_taken() -> None:
    text = (
        "fuzz: elapsed: 0s, gathering baseline coverage: 0/3 completed\n"
        "fuzz: elapsed: 3s, execs: 7 (2/sec), new interesting: 1 (total: 4)\n"
        "fuzz: elapsed: 1m0s, execs: 3512 (90/sec), new interesting: 2 (total: 5)\nPASS\n"
    )
    assert EXECS.findall(text)[-1] == "3512"


def test_our_executions_are_those_of_this_run() -> None:
    text = (
        "a word from the target\n"
        '{"event":"started","time":7.5}\n'
        '{"event":"finished","stats":[{"executions":9,"session_executions":4},'
        '{"executions":9,"session_executions":3}]}\n'
    )
    assert session_executions(events(text)) == 7
    assert only(events(text), "started")["time"] == 7.5


def test_a_run_that_never_ended_is_no_result() -> None:
    with pytest.raises(BenchError, match="finished"):
        session_executions(events('{"event":"started"}\n'))


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--targets", "encoding/nothing"])
    assert "encoding/nothing" in capsys.readouterr().err
