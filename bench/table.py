"""Rows of the comparison, their medians over the runs, and the printed tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.limit import Limit


@dataclass(frozen=True, slots=True)
class Row:
    """One run of one side. CPU is seconds of all processes, ``coordinator_cpu`` of the first.

    ``edges`` and ``features`` are what the seeds and the inputs found within ``equal_cpu``
    seconds cover: the CPU time of whichever side of the pair used less. ``final_edges`` counts
    everything found. ``reach_cpu`` is CPU seconds until the corpus covered as many edges as
    `go test -fuzz` had in the end, None if it never did. ``startup_cpu`` of ``cpu`` had passed
    when the workers were about to start.
    """

    side: str
    cpu: float
    wall: float
    coordinator_cpu: float
    startup_cpu: float
    executions: int
    executions_per_cpu: float
    equal_cpu: float
    inputs: int
    edges: int
    features: int
    final_edges: int
    reach_cpu: float | None
    ended: str
    method: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides once. ``limit`` is measured with our corpus; None with stock workers, and where
    mutations crash the target."""

    native: Row
    gofuzzsec: Row
    limit: Limit | None

    @property
    def reach_ratio(self) -> float:
        """Our CPU time to reach go's edges, of go's whole CPU time; infinite when never."""
        reached = self.gofuzzsec.reach_cpu
        return math.inf if reached is None else reached / self.native.cpu


def medians(pairs: Sequence[Pair], workers: int) -> dict[str, float]:
    """The row of the table: medians over the runs of a target, and their ratios.

    What was never reached counts as infinite; the limit's figures are there if any run has them.
    """

    def median(of: Callable[[Pair], float]) -> float:
        return statistics.median(of(pair) for pair in pairs)

    row: dict[str, float] = {}
    for side in ("native", "gofuzzsec"):
        rows: list[Row] = [getattr(pair, side) for pair in pairs]
        for field in ("cpu", "startup_cpu", "executions_per_cpu", "edges", "features"):
            row[f"{side}_{field}"] = statistics.median(float(getattr(r, field)) for r in rows)
        row[f"{side}_coordinator_percent"] = statistics.median(
            100 * r.coordinator_cpu / r.wall / workers for r in rows
        )
    for field in ("executions_per_cpu", "edges", "features"):
        row[f"{field}_ratio"] = row[f"gofuzzsec_{field}"] / max(row[f"native_{field}"], 1e-9)
    row["native_final_edges"] = median(lambda pair: pair.native.final_edges)
    reached = [pair.gofuzzsec.reach_cpu for pair in pairs]
    row["reach_cpu"] = statistics.median(math.inf if cpu is None else cpu for cpu in reached)
    row["reach_ratio"] = median(lambda pair: pair.reach_ratio)
    limits = [pair.limit for pair in pairs if pair.limit is not None]
    if limits:
        row["plain_us"] = statistics.median(limit.plain_us for limit in limits)
        row["engine_us"] = statistics.median(limit.engine_us for limit in limits)
        row["limit_ratio"] = statistics.median(limit.ratio for limit in limits)
    return row


def summary(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What the whole table comes to."""
    speed = [row["executions_per_cpu_ratio"] for row in rows]
    whole = {
        "executions_per_cpu_ratio_median": statistics.median(speed),
        "executions_per_cpu_ratio_geometric_mean": statistics.geometric_mean(speed),
        "executions_per_cpu_ratio_least": min(speed),
        "reach_ratio_median": statistics.median(row["reach_ratio"] for row in rows),
        "targets": len(rows),
        "targets_with_at_least_as_many_edges": sum(row["edges_ratio"] >= 1 for row in rows),
        "coordinator_percent_most": max(row["gofuzzsec_coordinator_percent"] for row in rows),
    }
    limits = [row for row in rows if "limit_ratio" in row]
    if limits:
        whole["limit_ratio_least"] = min(row["limit_ratio"] for row in limits)
        slow = [row["limit_ratio"] for row in limits if row["plain_us"] > 20]
        whole["targets_over_20_us"] = len(slow)
        if slow:
            whole["limit_ratio_least_over_20_us"] = min(slow)
    return whole


def for_json(row: Mapping[str, float]) -> dict[str, float | None]:
    """*row* without what JSON does not have: infinity becomes null."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


HEADER = f"""\
{"":34}{"executions per CPU s":^31}{"edges":^26}{"features":>9}{"CPU s":^18}{"coordinator %":^18}
{"medians; † CPU differs by over 3 %":34}{"go":>10}{"gofuzzsec":>11}{"ratio":>10}\
{"go":>8}{"gofuzzsec":>11}{"ratio":>7}{"ratio":>9}{"go":>7}{"gofuzzsec":>11}{"go":>7}{"gofuzzsec":>11}"""

SECOND_HEADER = f"""\
{"":34}{"to go's final edges":^40}{"start":>8}{"one execution, µs":^24}{"limit":>7}
{"medians":34}{"edges":>8}{"CPU s":>9}{"go's CPU s":>12}{"ratio":>11}{"CPU s":>8}\
{"plain":>12}{"engine":>12}{"ratio":>7}"""


def table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Both printed tables: one line a target in each."""
    return "\n".join(
        [
            HEADER,
            *(_line(name, row) for name, row in results.items()),
            "",
            SECOND_HEADER,
            *(_second_line(name, row) for name, row in results.items()),
        ]
    )


def _line(name: str, row: Mapping[str, float]) -> str:
    uneven = abs(row["gofuzzsec_cpu"] / row["native_cpu"] - 1) > 0.03
    return (
        f"{name + (' †' if uneven else ''):34}"
        f"{row['native_executions_per_cpu']:10,.0f}"
        f"{row['gofuzzsec_executions_per_cpu']:11,.0f}"
        f"{row['executions_per_cpu_ratio']:10,.2f}"
        f"{row['native_edges']:8.0f}{row['gofuzzsec_edges']:11.0f}{row['edges_ratio']:7.3f}"
        f"{row['features_ratio']:9.3f}"
        f"{row['native_cpu']:7.1f}{row['gofuzzsec_cpu']:11.1f}"
        f"{row['native_coordinator_percent']:7.1f}"
        f"{row['gofuzzsec_coordinator_percent']:11.1f}"
    )


def _second_line(name: str, row: Mapping[str, float]) -> str:
    reached = (
        f"{row['reach_cpu']:9.2f}{row['native_cpu']:12.1f}{row['reach_ratio']:11.4f}"
        if math.isfinite(row["reach_ratio"])
        else f"{'never':>9}{row['native_cpu']:12.1f}{'-':>11}"
    )
    limit = (
        f"{row['plain_us']:12.2f}{row['engine_us']:12.2f}{row['limit_ratio']:7.3f}"
        if "limit_ratio" in row
        else f"{'-':>12}{'-':>12}{'-':>7}"
    )
    return (
        f"{name:34}{row['native_final_edges']:8.0f}{reached}"
        f"{row['gofuzzsec_startup_cpu']:8.2f}{limit}"
    )
