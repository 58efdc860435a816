"""Compare gofuzzsec with `go test -fuzz` on the same stock binaries; see bench/README.md.

python -m bench.compare [--seconds 60] [--runs 3] [--workers 2] [--targets encoding/json ...]
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.replay import replay
from bench.sides import BenchError, Campaign, Case, native, ours, package_copy
from gofuzzsec import __version__, toolchain
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.files import write_atomic
from gofuzzsec.toolchain.model import Go
from gofuzzsec.worker.harvest import harvest_seeds

TARGETS = {
    "encoding/json": "FuzzUnmarshalJSON",
    "encoding/csv": "FuzzRoundtrip",
    "archive/tar": "FuzzReader",
    "archive/zip": "FuzzReader",
    "image/png": "FuzzDecode",
    "image/gif": "FuzzDecode",
    "html": "FuzzEscapeUnescape",
    "net/netip": "FuzzParse",
    "compress/gzip": "FuzzReader",
    "encoding/pem": "FuzzDecode",
}
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One run of one side. CPU is seconds of all processes, ``coordinator_cpu`` of the first.

    ``edges`` and ``features`` are what the seeds and the inputs found within ``equal_cpu``
    seconds cover: the CPU time of whichever side of the pair used less.
    """

    side: str
    cpu: float
    wall: float
    coordinator_cpu: float
    executions: int
    executions_per_cpu: float
    equal_cpu: float
    inputs: int
    edges: int
    features: int
    ended: str
    method: str


def judge(case: Case, campaign: Campaign, equal_cpu: float, seeds: Sequence[bytes]) -> Row:
    """Replay what *campaign* had found by *equal_cpu* and put its figures together."""
    measured = campaign.measured
    limit = measured.time_at(equal_cpu)
    corpus = [*seeds, *(found.data for found in campaign.corpus if found.at <= limit)]
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as scratch:
        cwd = package_copy(case, Path(scratch, "src"))
        seen = replay(case.binary.path, case.target, cwd, corpus, Path(scratch, "worker"))
    return Row(
        side=campaign.side, cpu=measured.cpu, wall=measured.wall,
        coordinator_cpu=measured.main_cpu, executions=campaign.executions,
        executions_per_cpu=campaign.executions / measured.cpu, equal_cpu=equal_cpu,
        inputs=seen.inputs, edges=seen.edges, features=seen.features,
        ended=campaign.ended, method=measured.method,
    )  # fmt: skip


def compare_once(case: Case, seeds: Sequence[bytes], native_first: bool) -> dict[str, Row]:
    """Both sides once, one right after the other, in the order asked for."""
    campaigns: list[Campaign] = []
    for side in (native, ours) if native_first else (ours, native):
        with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
            campaigns.append(side(case, Path(folder) / "run"))
    equal_cpu = min(campaign.measured.cpu for campaign in campaigns)
    return {one.side: judge(case, one, equal_cpu, seeds) for one in campaigns}


def medians(pairs: Sequence[dict[str, Row]], workers: int) -> dict[str, float]:
    """The row of the table: medians over the runs of a target, and their ratios."""

    def median(side: str, field: str) -> float:
        return statistics.median(float(getattr(pair[side], field)) for pair in pairs)

    row: dict[str, float] = {}
    for side in ("native", "gofuzzsec"):
        for field in ("cpu", "executions_per_cpu", "edges", "features"):
            row[f"{side}_{field}"] = median(side, field)
        row[f"{side}_coordinator_percent"] = statistics.median(
            100 * pair[side].coordinator_cpu / pair[side].wall / workers for pair in pairs
        )
    for field in ("executions_per_cpu", "edges", "features"):
        row[f"{field}_ratio"] = row[f"gofuzzsec_{field}"] / max(row[f"native_{field}"], 1e-9)
    return row


def summary(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """What the whole table comes to."""
    speed = [row["executions_per_cpu_ratio"] for row in rows]
    return {
        "executions_per_cpu_ratio_median": statistics.median(speed),
        "executions_per_cpu_ratio_geometric_mean": statistics.geometric_mean(speed),
        "executions_per_cpu_ratio_least": min(speed),
        "targets": len(rows),
        "targets_with_at_least_as_many_edges": sum(row["edges_ratio"] >= 1 for row in rows),
        "coordinator_percent_most": max(row["gofuzzsec_coordinator_percent"] for row in rows),
    }


HEADER = f"""\
{"":34}{"executions per CPU s":^31}{"edges":^26}{"features":>9}{"CPU s":^18}{"coordinator %":^18}
{"medians; † CPU differs by over 3 %":34}{"go":>10}{"gofuzzsec":>11}{"ratio":>10}\
{"go":>8}{"gofuzzsec":>11}{"ratio":>7}{"ratio":>9}{"go":>7}{"gofuzzsec":>11}{"go":>7}{"gofuzzsec":>11}"""


def table(results: dict[str, dict[str, float]]) -> str:
    """The printed table: one line a target."""
    lines = [HEADER]
    for name, row in results.items():
        uneven = abs(row["gofuzzsec_cpu"] / row["native_cpu"] - 1) > 0.03
        lines.append(
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
    return "\n".join(lines)


def machine(go: Go) -> dict[str, object]:
    """Facts without which the figures mean nothing."""
    cpu = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine())  # fmt: skip
    git = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=RESULTS.parent,
                         capture_output=True, text=True, check=False)  # fmt: skip
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
        "python": platform.python_version(), "go": go.text,
        "gofuzzsec": f"{__version__} {git.stdout.strip()}".strip(),
    }  # fmt: skip


def cases(go: Go, names: Sequence[str], seconds: int, workers: int) -> Iterator[Case]:
    """Build the fuzz binary of each named package, in the order given."""
    for name in names:
        (package,) = toolchain.list_packages(go, [name], Path.cwd())
        binary = toolchain.build_fuzz_binary(go, package)
        yield Case(go, binary, TARGETS[name], seconds, workers)


def options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.compare", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="wall time of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run everything, print as it comes, write JSON after every pair.

    All targets once, then all again: what is there when the time is up is spread evenly.
    """
    args, go = options(argv), toolchain.find_go()
    facts = machine(go) | {name: getattr(args, name) for name in ("seconds", "runs", "workers")}
    path = RESULTS / f"{str(facts['date']).replace(':', '')[:17]}-{go.text}.json"
    runs: dict[str, list[dict[str, Row]]] = {}
    failed: list[str] = []
    every = list(cases(go, args.targets, args.seconds, args.workers))
    for number in range(args.runs):
        for case in every:
            harvest = harvest_seeds(case.binary.path, case.target, case.binary.cwd)
            try:
                pair = compare_once(case, harvest.seeds, native_first=number % 2 == 0)
            except BenchError as error:
                failed.append(f"{case.name}, run {number + 1}: {error}")
                print(failed[-1], flush=True)
                continue
            runs.setdefault(case.name, []).append(pair)
            print(f"{case.name}: run {number + 1} of {args.runs} done", flush=True)
            write_atomic(path, json.dumps(report(facts, runs, failed), indent=1).encode())
    if not runs:
        raise BenchError("no run of any target could be compared")
    results = {name: medians(pairs, args.workers) for name, pairs in runs.items()}
    print(table(results))
    for name, value in summary(list(results.values())).items():
        print(f"{name.replace('_', ' ')}: {value:.4g}")
    print(f"written to {path}")
    return 1 if failed else 0


def report(
    facts: dict[str, object], runs: dict[str, list[dict[str, Row]]], failed: Sequence[str]
) -> dict[str, object]:
    """Everything measured so far, as it is written."""
    workers = int(str(facts["workers"]))
    results = {name: medians(pairs, workers) for name, pairs in runs.items()}
    return {
        "machine": facts,
        "summary": summary(list(results.values())),
        "medians": results,
        "failed": list(failed),
        "runs": {
            name: [{side: asdict(row) for side, row in pair.items()} for pair in pairs]
            for name, pairs in runs.items()
        },
    }


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
