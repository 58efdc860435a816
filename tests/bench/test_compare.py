"""The arithmetic of the comparison, and the line it takes from Go."""

from __future__ import annotations

import dataclasses

import pytest

from bench.compare import Row, medians, options, summary
from bench.sides import EXECS

ROW = Row("native", 100.0, 60.0, 1.2, 1000, 10.0, 100.0, 5, 40, 80, "time", "cgroup")


def pair(native: int, ours: int, edges: int) -> dict[str, Row]:
    return {
        "native": dataclasses.replace(ROW, executions_per_cpu=native),
        "gofuzzsec": dataclasses.replace(ROW, executions_per_cpu=ours, edges=edges),
    }


def test_a_row_holds_medians_and_their_ratios() -> None:
    row = medians([pair(10, 30, 40), pair(1000, 20, 60), pair(20, 90, 50)], workers=2)
    assert row["native_executions_per_cpu"] == 20
    assert row["gofuzzsec_executions_per_cpu"] == 30
    assert row["executions_per_cpu_ratio"] == 1.5
    assert row["edges_ratio"] == 50 / 40
    assert row["gofuzzsec_coordinator_percent"] == pytest.approx(1.0)


def test_the_summary_counts_targets_behind() -> None:
    rows = [medians([pair(10, 20, 39)], 2), medians([pair(10, 80, 40)], 2)]
    whole = summary(rows)
    assert whole["executions_per_cpu_ratio_geometric_mean"] == pytest.approx(4.0)
    assert whole["executions_per_cpu_ratio_least"] == 2.0
    assert whole["targets_with_at_least_as_many_edges"] == 1


def test_gos_last_count_is_taken() -> None:
    text = (
        "fuzz: elapsed: 0s, gathering baseline coverage: 0/3 completed\n"
        "fuzz: elapsed: 3s, execs: 7 (2/sec), new interesting: 1 (total: 4)\n"
        "fuzz: elapsed: 1m0s, execs: 3512 (90/sec), new interesting: 2 (total: 5)\nPASS\n"
    )
    assert EXECS.findall(text)[-1] == "3512"


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(["--targets", "encoding/nothing"])
    assert "encoding/nothing" in capsys.readouterr().err
