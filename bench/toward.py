"""How much sooner a directed campaign reaches the last system call: bench/README.md, "Direction".

python -m bench.toward [--seconds 40] [--runs 5] [--cases jobrunner shell files] [--at-once 2]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.compare import machine, results_path
from bench.measure import Measured, run_measured
from bench.sides import BenchError, gofuzzsec_argv
from gofuzzsec import toolchain
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.files import write_atomic

HERE = Path(__file__).parent
CASES: Mapping[str, Path] = {
    "jobrunner": HERE.parent / "examples" / "jobrunner",
    "shell": HERE / "toward_modules" / "shell",
    "files": HERE / "toward_modules" / "files",
}
"""Name -> module with one fuzz test: ours, and two over modules of the Go module proxy
(mvdan.cc/sh and github.com/spf13/afero)."""

SIDES = {"plain": (), "toward": ("--toward-syscalls",)}
DRAIN_SECONDS = 60.0  # what a campaign may take to end after its time


@dataclass(frozen=True, slots=True)
class Run:
    """One campaign. ``calls`` maps each system call to the CPU seconds of all processes, from the
    start of the command, and the executions after which an input had made it; ``cpu`` and
    ``executions`` are those of the whole run."""

    side: str
    cpu: float
    executions: int
    calls: dict[str, tuple[float, int]]

    def last(self, wanted: frozenset[str]) -> tuple[float, float]:
        """CPU seconds and executions until all of *wanted* were made; infinite if some never."""
        if not wanted <= self.calls.keys():
            return math.inf, math.inf
        found = [self.calls[name] for name in wanted]
        return max(cpu for cpu, _ in found), float(max(count for _, count in found))


@dataclass(frozen=True, slots=True)
class Result:
    """One case: the ``last`` figures are medians over the runs until every call was made that any
    run of either side made (infinite where most runs did not); ``common`` those until every call
    was made that all runs made; ``calls`` is the median of how many a run made."""

    case: str
    reachable: int
    shared: int
    last: dict[str, tuple[float, float]]
    common: dict[str, tuple[float, float]]
    calls: dict[str, float]
    cpu: dict[str, float]

    @property
    def ratio(self) -> tuple[float, str]:
        """Plain over directed CPU time to the last call, a lower or upper bound where one side's
        median run never made them all: that side counts with all that it used."""
        plain, toward = self.last["plain"][0], self.last["toward"][0]
        if math.isinf(plain) and math.isinf(toward):
            return math.nan, ""
        sign = ">" if math.isinf(plain) else "<" if math.isinf(toward) else ""
        return min(plain, self.cpu["plain"]) / min(toward, self.cpu["toward"]), sign


def summary(case: str, runs: Sequence[Run]) -> Result:
    """What all *runs* of both sides come to."""
    union = frozenset().union(*(run.calls for run in runs))
    shared = union.intersection(*(run.calls for run in runs))

    def median(side: str, wanted: frozenset[str]) -> tuple[float, float]:
        found = [run.last(wanted) for run in runs if run.side == side]
        return statistics.median(a for a, _ in found), statistics.median(b for _, b in found)

    return Result(
        case, len(union), len(shared),
        {side: median(side, union) for side in SIDES},
        {side: median(side, shared) for side in SIDES},
        {side: statistics.median(len(r.calls) for r in runs if r.side == side) for side in SIDES},
        {side: statistics.median(r.cpu for r in runs if r.side == side) for side in SIDES},
    )  # fmt: skip


def read_run(side: str, text: str, measured: Measured) -> Run:
    """A run from what `fuzz --json` printed. Raises BenchError when it did not end well."""
    calls: dict[str, tuple[float, int]] = {}
    executions, finished = 0, False
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError as error:
            raise BenchError(f"expected JSON lines of gofuzzsec, found {line[:200]!r}") from error
        if event["event"] == "status":
            executions = event["session_executions"]
        elif event["event"] == "syscall":
            calls.setdefault(event["name"], (measured.cpu_at(event["time"]), executions))
        finished = finished or event["event"] == "finished"
    if not finished:
        raise BenchError(f"a {side} run ended with status {measured.status}:\n{text[-1000:]}")
    return Run(side, measured.cpu, executions, calls)


def fuzz(module: Path, side: str, seconds: float, scratch: Path, seed: int | None) -> Run:
    """One campaign of one side."""
    scratch.mkdir(parents=True)
    argv = [
        *gofuzzsec_argv(), "fuzz", ".", "--json", "--capture", "in-process", "--workers", "1",
        "--time", f"{seconds:g}s", "--campaign", str(scratch / "campaign"), *SIDES[side],
    ]  # fmt: skip
    if seed is not None:
        argv += ["--seed", str(seed)]
    output = scratch / "output"
    measured = run_measured(
        argv, cwd=module, env=dict(os.environ), output=output, timeout=seconds + DRAIN_SECONDS
    )
    return read_run(side, output.read_text(), measured)


def prepared(case: str, folder: Path) -> Path:
    """A copy of the case's module with its dependencies, in *folder*."""
    module = shutil.copytree(CASES[case], folder / case)
    go = toolchain.find_go()
    done = subprocess.run(
        [str(go.path), "mod", "tidy"], cwd=module, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"the modules of {case} cannot be had:\n{done.stderr[-1000:]}")
    return module


def measure(case: str, arguments: argparse.Namespace, folder: Path) -> tuple[Result, list[Run]]:
    """All pairs of one case; the first, short runs build the binary and work out the distances."""
    module = prepared(case, folder)
    warm = {
        side: fuzz(module, side, 1.0, folder / "warm" / case / side, None).cpu for side in SIDES
    }
    again = fuzz(module, "toward", 1.0, folder / "warm" / case / "again", None).cpu
    print(
        f"{case}: building took {warm['plain']:.1f} CPU s, working out the distances "
        f"{max(warm['toward'] - again, 0):.1f}, once a binary",
        flush=True,
    )
    runs: list[Run] = []
    with concurrent.futures.ThreadPoolExecutor(arguments.at_once) as pool:
        for number in range(arguments.runs):
            order = list(SIDES)[:: 1 if number % 2 == 0 else -1]
            seed = None if arguments.seed is None else arguments.seed + number
            waiting = [
                pool.submit(
                    fuzz, module, side, arguments.seconds, folder / f"{case}-{side}-{number}", seed
                )
                for side in order
            ]
            runs += [future.result() for future in waiting]
    return summary(case, runs), runs


def report(results: Sequence[Result]) -> str:
    """The table."""
    lines = [
        "case       calls  plain: made  CPU s   execs  toward: made  CPU s   execs   ratio  "
        "| made by all  plain  toward"
    ]
    for result in results:
        cells = [f"{result.case:10} {result.reachable:5}"]
        for side in SIDES:
            cpu, count = result.last[side]
            shown = f">{result.cpu[side]:5.1f}" if math.isinf(cpu) else f"{cpu:6.1f}"
            execs = "  never" if math.isinf(count) else f"{count:7.0f}"
            cells.append(f"{result.calls[side]:12g} {shown} {execs}")
        ratio, sign = result.ratio
        cells.append("      -" if math.isnan(ratio) else f"{sign + format(ratio, '.2f'):>7}")
        common = (result.common[side][0] for side in SIDES)
        cells.append(f"| {result.shared:11} " + " ".join(f"{cpu:6.1f}" for cpu in common))
        lines.append(" ".join(cells))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="of each campaign")
    parser.add_argument("--runs", type=int, default=5, help="pairs of each case")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--at-once", type=int, default=2, help="campaigns that run side by side")
    parser.add_argument("--seed", type=int, help="the same for both of a pair; plans go by counts")
    arguments = parser.parse_args()
    results, every = [], {}
    try:
        with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
            for case in arguments.cases:
                result, runs = measure(case, arguments, Path(folder))
                results.append(result)
                every[case] = [asdict(run) for run in runs]
                print(report([result]), flush=True)
    except (BenchError, GofuzzsecError) as error:
        print(f"bench.toward: {error}", file=sys.stderr)
        return 1
    print("\n" + report(results))
    facts = machine(toolchain.find_go())
    path = results_path(facts, "toward")
    write_atomic(path, json.dumps({**facts, "runs": every}, indent=1).encode())
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
