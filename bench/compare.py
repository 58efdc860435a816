"""Compare gofuzzsec with `go test -fuzz` over targets of Go's standard library; see README.md.

python -m bench.compare [--seconds 60] [--runs 3] [--workers 2] [--engine stock]
                        [--targets encoding/json ...]
"""

from __future__ import annotations

import argparse
import bisect
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.limit import Limit, measure_limit
from bench.replay import Covered, replay
from bench.sides import TARGETS, BenchError, Campaign, Case, cases, native, ours, package_copy
from bench.table import Pair, Row, for_json, medians, summary, table
from gofuzzsec import __version__
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.files import write_atomic
from gofuzzsec.toolchain.model import Go
from gofuzzsec.worker.harvest import harvest_seeds

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Course:
    """How coverage grew: ``covered[k]`` is what the seeds and the first k finds cover together.

    ``times`` are the Unix times of the finds, in order.
    """

    times: tuple[float, ...]
    covered: tuple[Covered, ...]

    def at(self, when: float) -> Covered:
        """What was covered by the Unix time *when*."""
        return self.covered[bisect.bisect_right(self.times, when)]

    def reached(self, edges: int) -> float | None:
        """The Unix time by which there were so many edges, None if there never were.

        The seeds count from the first input on that is in the corpus: they were run by then.
        """
        for number, seen in enumerate(self.covered):
            if seen.edges >= edges:
                return self.times[max(number - 1, 0)] if self.times else None
        return None


def course_of(case: Case, campaign: Campaign, seeds: Sequence[bytes]) -> Course:
    """Replay *seeds*, then what *campaign* found in the order of time, through a stock worker."""
    finds = sorted(campaign.corpus, key=lambda found: found.at)
    corpus = [*seeds, *(found.data for found in finds)]
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as scratch:
        cwd = package_copy(case, Path(scratch, "src"))
        seen = replay(case.binary.path, case.target, cwd, corpus, Path(scratch, "worker"))
    return Course(tuple(found.at for found in finds), seen[len(seeds) :])


def judge(campaign: Campaign, course: Course, equal_cpu: float, wanted: int) -> Row:
    """The figures of one side; *wanted* is how many edges go had in the end."""
    measured = campaign.measured
    seen = course.at(measured.time_at(equal_cpu))
    reached = course.reached(wanted)
    return Row(
        side=campaign.side, cpu=measured.cpu, wall=measured.wall,
        coordinator_cpu=measured.main_cpu, startup_cpu=measured.cpu_at(campaign.began),
        executions=campaign.executions,
        executions_per_cpu=campaign.executions / measured.cpu, equal_cpu=equal_cpu,
        inputs=seen.inputs, edges=seen.edges, features=seen.features,
        final_edges=course.covered[-1].edges,
        reach_cpu=None if reached is None else measured.cpu_at(reached),
        ended=campaign.ended, method=measured.method,
    )  # fmt: skip


def compare_once(case: Case, seeds: Sequence[bytes], native_first: bool) -> Pair:
    """Both sides once, one right after the other, in the order asked for."""
    runs: dict[str, Campaign] = {}
    for side in (native, ours) if native_first else (ours, native):
        with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
            campaign = side(case, Path(folder) / "run")
        runs[campaign.side] = campaign
    equal_cpu = min(campaign.measured.cpu for campaign in runs.values())
    courses = {name: course_of(case, campaign, seeds) for name, campaign in runs.items()}
    wanted = courses["native"].covered[-1].edges
    rows = {name: judge(runs[name], courses[name], equal_cpu, wanted) for name in runs}
    return Pair(rows["native"], rows["gofuzzsec"], physical_limit(case, runs["gofuzzsec"]))


def physical_limit(case: Case, campaign: Campaign) -> Limit | None:
    """`bench.limit` over our corpus; None with stock workers or a target that crashes."""
    if not case.fuzzed.boosted:
        return None
    try:
        return measure_limit(case.fuzzed, case.target, [found.data for found in campaign.corpus])
    except BenchError as error:
        print(f"{case.name}: no physical limit: {error}", flush=True)
        return None


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


def results_path(facts: dict[str, object], kind: str) -> Path:
    """A new file in ``results`` for figures of this *kind*."""
    return RESULTS / f"{str(facts['date']).replace(':', '')[:17]}-{kind}-{facts['go']}.json"


def options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.compare", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="wall time of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", choices=("boosted", "stock"), default="boosted")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run everything, print as it comes, write JSON after every pair.

    All targets once, then all again: what is there when the time is up is spread evenly.
    """
    args = options(argv)
    every = list(cases(args.targets, args.seconds, args.workers, args.engine))
    chosen = {name: getattr(args, name) for name in ("seconds", "runs", "workers", "engine")}
    facts = machine(every[0].go) | chosen
    path = results_path(facts, f"compare-{args.engine}")
    runs: dict[str, list[Pair]] = {}
    failed: list[str] = []
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
    facts: dict[str, object], runs: dict[str, list[Pair]], failed: Sequence[str]
) -> dict[str, object]:
    """Everything measured so far, as it is written."""
    workers = int(str(facts["workers"]))
    results = {name: medians(pairs, workers) for name, pairs in runs.items()}
    return {
        "machine": facts,
        "summary": for_json(summary(list(results.values()))),
        "medians": {name: for_json(row) for name, row in results.items()},
        "failed": list(failed),
        "runs": {name: [asdict(pair) for pair in pairs] for name, pairs in runs.items()},
    }


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
