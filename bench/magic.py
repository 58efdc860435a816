"""How long the puzzles of examples/magic take: bench/README.md, "Comparisons".

python -m bench.magic [--seconds 10] [--go-seconds 60] [--runs 1] [--jobs 1]
                      [--puzzles FuzzCRC32 ...]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.compare import machine, results_path
from bench.sides import (
    EXECS,
    BenchError,
    events,
    gofuzzsec_argv,
    native_argv,
    need_empty_cache,
    only,
    session_executions,
)
from gofuzzsec import toolchain
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.files import write_atomic
from gofuzzsec.toolchain.model import FuzzBinary

MODULE = Path(__file__).parent.parent / "examples" / "magic"
SOLUTIONS = "magic_test.go"
END_SECONDS = 60.0  # what a fuzzer may take beyond its own time limit, minimising for instance
GO_FAILING = re.compile(r"^fuzz: minimizing \d+-byte failing input|^--- FAIL", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One fuzzer at one puzzle. ``seconds`` is from the start of the fuzzing to the solution, None
    when there was none in time; ``wall`` is of the whole process. ``executions`` are its own count.
    """

    seconds: float | None
    wall: float
    executions: int


@dataclass(frozen=True, slots=True)
class Puzzle:
    """All attempts at one puzzle; ``go`` is None where that side was left out or is to come."""

    ours: tuple[Attempt, ...]
    go: Attempt | None

    @property
    def solved(self) -> int:
        """How many of our attempts ended with the solution."""
        return sum(attempt.seconds is not None for attempt in self.ours)


@dataclass(frozen=True, slots=True)
class Printed:
    """What a process printed, each piece with the seconds since the start at which it came."""

    pieces: tuple[tuple[float, str], ...]
    wall: float

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.pieces)

    def when(self, pattern: re.Pattern[str]) -> float | None:
        """When *pattern* had been printed first."""
        so_far = ""
        for at, piece in self.pieces:
            so_far += piece
            if pattern.search(so_far):
                return at
        return None


def follow(argv: Sequence[str], cwd: Path, core: int, timeout: float) -> Printed:
    """Run *argv* on one core alone and take down what it prints.

    Raises BenchError, with its whole session killed, when it runs longer than *timeout* seconds.
    """
    began = time.monotonic()
    pieces: list[tuple[float, str]] = []
    process = subprocess.Popen(
        argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )  # fmt: skip
    assert process.stdout is not None
    alarm = concurrent.futures.ThreadPoolExecutor(1)
    alarm.submit(_kill_after, process, timeout)
    try:
        while chunk := os.read(process.stdout.fileno(), 1 << 16):
            pieces.append((time.monotonic() - began, chunk.decode("utf-8", "replace")))
        process.wait()
    finally:
        _kill_session(process)
        process.stdout.close()
        alarm.shutdown()
    printed = Printed(tuple(pieces), time.monotonic() - began)
    if printed.wall > timeout:
        raise BenchError(f"{argv[0]} did not end in {timeout:.0f} s:\n{printed.text[-1000:]}")
    return printed


def _kill_after(process: subprocess.Popen[bytes], timeout: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout)
        return
    _kill_session(process)


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def ours(name: str, module: Path, seconds: int, core: int) -> Attempt:
    """`gofuzzsec fuzz` with one worker; it and the worker share one core."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
        argv = [
            *gofuzzsec_argv(), "fuzz", ".", "--target", f"^{name}$", "--time", f"{seconds}s",
            "--workers", "1", "--stop-on-crash", "--minimize-time", "0s", "--capture", "off",
            "--json", "--campaign", folder,
        ]  # fmt: skip
        printed = follow(argv, module, core, seconds + END_SECONDS)
    happened = events(printed.text)
    began = float(str(only(happened, "started")["time"]))
    solved = [
        float(str(event["time"])) - began
        for event in happened
        if event.get("event") == "crash" and "solved: " in str(event["summary"])
    ]
    return Attempt(min(solved, default=None), printed.wall, session_executions(happened))


def native(name: str, binary: FuzzBinary, seconds: int, core: int) -> Attempt:
    """What `go test -fuzz -parallel=1` runs, from its start to the first failing input."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
        argv = native_argv(binary.path, name, seconds, 1, Path(folder))
        printed = follow(argv, binary.cwd, core, seconds + 2 * END_SECONDS)
    counts = EXECS.findall(printed.text)
    solved = printed.when(GO_FAILING) if "solved: " in printed.text else None
    if solved is None and "PASS" not in printed.text:
        raise BenchError(f"{name}: go's coordinator failed:\n{printed.text[-2000:]}")
    return Attempt(solved, printed.wall, int(counts[-1]) if counts else 0)


@contextlib.contextmanager
def module_copy() -> Iterator[Path]:
    """A copy of the puzzles, since solutions are written beside them. The test that holds all the
    solutions is left out: gofuzzsec makes a dictionary of the literals in a package."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
        copy = Path(folder) / "magic"
        shutil.copytree(
            MODULE, copy, ignore=shutil.ignore_patterns("testdata", SOLUTIONS, ".gofuzzsec")
        )
        yield copy


def forget_solutions(module: Path) -> None:
    """Remove the failing inputs written so far: the next run would take them as seeds."""
    shutil.rmtree(module / "testdata", ignore_errors=True)


HEADER = f"""\
{"":20}{"gofuzzsec, one worker":^46}{"go test -fuzz -parallel=1":^26}
{"medians":20}{"solved":>8}{"s":>10}{"s, process":>12}{"executions":>14}\
{"s":>12}{"executions":>14}"""


def line(name: str, puzzle: Puzzle) -> str:
    """One line below `HEADER`."""
    times = [attempt.seconds for attempt in puzzle.ours if attempt.seconds is not None]
    median = f"{statistics.median(times):10.2f}" if times else f"{'-':>10}"
    text = (
        f"{name:20}{f'{puzzle.solved}/{len(puzzle.ours)}':>8}{median}"
        f"{statistics.median(attempt.wall for attempt in puzzle.ours):12.2f}"
        f"{statistics.median(attempt.executions for attempt in puzzle.ours):14,.0f}"
    )
    if puzzle.go is not None:
        took = "unsolved" if puzzle.go.seconds is None else f"{puzzle.go.seconds:.2f}"
        text += f"{took:>12}{puzzle.go.executions:14,}"
    return text


def options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.magic", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="our time for each puzzle")
    parser.add_argument("--go-seconds", type=int, default=60, help="go's time; 0 leaves it out")
    parser.add_argument("--runs", type=int, default=1, help="our attempts at each puzzle")
    parser.add_argument("--jobs", type=int, default=1, help="go's attempts at a time")
    parser.add_argument("--puzzles", nargs="+", metavar="FuzzX", help="default: all")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Our attempts one by one, then go's; JSON is written after each."""
    args, go = options(argv), toolchain.find_go()
    facts = machine(go) | {name: getattr(args, name) for name in ("seconds", "go_seconds", "runs")}
    path = results_path(facts, "magic")
    puzzles: dict[str, Puzzle] = {}

    def keep(name: str, puzzle: Puzzle) -> None:
        puzzles[name] = puzzle
        print(line(name, puzzle), flush=True)
        content = {"machine": facts, "puzzles": {n: asdict(p) for n, p in puzzles.items()}}
        write_atomic(path, json.dumps(content, indent=1).encode())

    with module_copy() as module:
        (package,) = toolchain.list_packages(go, ["."], module)
        binary = toolchain.build_fuzz_binary(go, package)
        _, reason = toolchain.build_boosted(go, package)
        if reason:
            raise BenchError(f"no boosted build to measure: {reason}")
        names = args.puzzles or list(binary.targets)
        for name in names:
            need_empty_cache(go, package.import_path, name)
        print(HEADER, flush=True)
        for name in names:
            attempts = []
            for _ in range(args.runs):
                attempts.append(ours(name, module, args.seconds, min(os.sched_getaffinity(0))))
                forget_solutions(module)
            keep(name, Puzzle(tuple(attempts), None))
        if args.go_seconds:
            print(HEADER)
            for name, attempt in native_attempts(names, binary, args.go_seconds, args.jobs):
                keep(name, Puzzle(puzzles[name].ours, attempt))
    solved = sum(puzzle.solved == args.runs for puzzle in puzzles.values())
    print(f"solved every time within {args.seconds} s: {solved} of {len(puzzles)}")
    if args.go_seconds:
        by_go = sum(p.go is not None and p.go.seconds is not None for p in puzzles.values())
        print(f"solved by go test -fuzz within {args.go_seconds} s: {by_go} of {len(puzzles)}")
    print(f"written to {path}")
    return 0


def native_attempts(
    names: Sequence[str], binary: FuzzBinary, seconds: int, jobs: int
) -> Iterator[tuple[str, Attempt]]:
    """Go's attempts in the order of *names*, *jobs* at a time, each on a core of its own."""
    cores: queue.SimpleQueue[int] = queue.SimpleQueue()
    available = sorted(os.sched_getaffinity(0))[:jobs]
    for core in available:
        cores.put(core)

    def attempt(name: str) -> Attempt:
        core = cores.get()
        try:
            return native(name, binary, seconds, core)
        finally:
            cores.put(core)

    with concurrent.futures.ThreadPoolExecutor(len(available)) as pool:
        yield from zip(names, pool.map(attempt, names), strict=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
