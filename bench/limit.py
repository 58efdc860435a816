"""What the engine costs beside the fuzz function itself: bench/README.md, "The physical limit".

python -m bench.limit [--seconds 5] [--targets encoding/json ...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.sides import TARGETS, BenchError, cases, ours
from gofuzzsec.corpus.directory import types_of
from gofuzzsec.corpus.format import unmarshal
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.toolchain.model import FuzzBinary
from gofuzzsec.worker import Batch, Loop, Plan, PlanItem, Worker, WorkerSpec
from gofuzzsec.worker.agent_wire import encode_input
from gofuzzsec.worker.protocol import Verdict

SAMPLE = 256  # entries of the corpus that are mutated
PASS_SECONDS = 0.3
MOST_INPUTS = 1 << 18
LEAST_INPUTS = 16
MEMORY = 256 << 20  # bytes of inputs held ready for the bare loop
MOST_LEN = 1 << 20
LEAST_LEN = 4096
SEEDS = (1, 2, 3)  # a mutation may crash the target: then others are tried
GOGC = 400  # what `gofuzzsec fuzz` gives boosted workers


@dataclass(frozen=True, slots=True)
class Limit:
    """``pairs`` of nanoseconds for the same ``inputs`` mutations: (engine, bare loop)."""

    inputs: int
    pairs: tuple[tuple[int, int], ...]

    @property
    def engine_us(self) -> float:
        """Microseconds of one execution as a campaign does it, mutation included."""
        return statistics.median(engine for engine, _ in self.pairs) / self.inputs / 1e3

    @property
    def plain_us(self) -> float:
        """Microseconds of one call of the fuzz function in a bare loop."""
        return statistics.median(plain for _, plain in self.pairs) / self.inputs / 1e3

    @property
    def ratio(self) -> float:
        """How much of the engine's time is the fuzz function's: the median over the pairs."""
        return statistics.median(plain / engine for engine, plain in self.pairs)


def measure_loop(worker: Worker, plan: Plan) -> list[tuple[int, int]]:
    """Nanoseconds of ``plan.limit`` executions by the engine and by a bare loop, pair by pair.

    Raises BenchError when an input ends the process.
    """
    outcome = worker.call(Loop(plan), b"")
    if outcome.verdict is not Verdict.OK or outcome.report is None:
        raise BenchError(
            f"{worker.spec.target}: expected the loop to end, found {outcome.verdict}:\n"
            f"{outcome.message[:500]}"
        )
    return list(outcome.report.loops)


def measure_limit(binary: FuzzBinary, target: str, corpus: Sequence[bytes]) -> Limit:
    """Measure *target* of a boosted binary with mutations of *corpus* (marshalled inputs).

    Raises BenchError when no input runs, or every set of mutations holds one that crashes.
    """
    if not corpus:
        raise BenchError(f"{target}: expected at least one input to mutate, found none")
    spec = worker_spec(binary, target, corpus[0])
    problem: BenchError | None = None
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as scratch:
        for seed in SEEDS:
            worker = Worker(spec, Path(scratch, str(seed)))
            try:
                worker.start()
                return _measure(worker, evenly(corpus, SAMPLE), seed)
            except BenchError as error:
                problem = error
            finally:
                worker.close()
    assert problem is not None
    raise problem


def worker_spec(binary: FuzzBinary, target: str, example: bytes) -> WorkerSpec:
    """How a campaign would start a worker; *example* is any marshalled input of *target*."""
    return WorkerSpec(
        binary.path, target, binary.cwd,
        agent=types_of(unmarshal(example)), gogc=GOGC, hang_timeout=120.0,
    )  # fmt: skip


def evenly(items: Sequence[bytes], most: int) -> list[bytes]:
    """At most *most* of *items*, from all over them, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]


def loop_plan(wires: Sequence[bytes], inputs: int, seed: int) -> Plan:
    """A plan for `measure_loop`: *inputs* mutations of *wires* (inputs as they travel)."""
    longest = max(len(wire) for wire in wires)
    return Plan(
        items=tuple(PlanItem(number, inputs, False, wire) for number, wire in enumerate(wires)),
        seed=seed,
        limit=inputs,
        seconds=0.0,
        max_len=max(LEAST_LEN, min(2 * longest, MOST_LEN), longest),
        solve=False,
        solve_budget=0,
    )


def inputs_for(seconds_each: float, wires: Sequence[bytes]) -> int:
    """How many inputs make a pass of `PASS_SECONDS`, as far as memory allows."""
    mean = sum(map(len, wires)) / len(wires)
    most = min(MOST_INPUTS, int(MEMORY / (2 * mean + 256)))
    return max(LEAST_INPUTS, min(most, int(PASS_SECONDS / max(seconds_each, 1e-9))))


def _measure(worker: Worker, corpus: Sequence[bytes], seed: int) -> Limit:
    wires, seconds = _passing(worker, [encode_input(unmarshal(data)) for data in corpus])
    inputs = inputs_for(seconds, wires)
    while True:
        limit = Limit(inputs, tuple(measure_loop(worker, loop_plan(wires, inputs, seed))))
        # Mutations mostly fail early, so that they can be much faster than what they are made of.
        more = inputs_for(limit.engine_us / 1e6, wires)
        if more < 2 * inputs:
            return limit
        inputs = more


def _passing(worker: Worker, wires: list[bytes]) -> tuple[list[bytes], float]:
    """Those of *wires* that run without failing, and the mean seconds of one execution."""
    outcome = worker.call(Batch(tuple(wires)), b"")
    results = outcome.report.results if outcome.report is not None else []
    good = [pair for pair in zip(wires, results, strict=False) if not pair[1].failed]
    if outcome.verdict is not Verdict.OK or not good:
        raise BenchError(
            f"{worker.spec.target}: expected inputs that run, found {outcome.verdict}:\n"
            f"{outcome.message[:500]}"
        )
    return [wire for wire, _ in good], statistics.fmean(result.exec_ns for _, result in good) / 1e9


HEADER = f"{'':34}{'inputs':>9}{'plain µs':>10}{'engine µs':>11}{'around it µs':>14}{'ratio':>7}"


def line(name: str, limit: Limit) -> str:
    """One line below `HEADER`."""
    around = limit.engine_us - limit.plain_us
    return (
        f"{name:34}{limit.inputs:9,}{limit.plain_us:10.2f}{limit.engine_us:11.2f}"
        f"{around:14.2f}{limit.ratio:7.3f}"
    )


def main(argv: Sequence[str]) -> int:
    """Grow a corpus for each target and measure with it."""
    parser = argparse.ArgumentParser(prog="bench.limit", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="time to grow a corpus first")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    args = parser.parse_args(argv)
    print(HEADER, flush=True)
    for case in cases(args.targets, args.seconds, workers=1, engine="boosted"):
        with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
            corpus = [found.data for found in ours(case, Path(folder) / "run").corpus]
        print(line(case.name, measure_limit(case.fuzzed, case.target, corpus)), flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
