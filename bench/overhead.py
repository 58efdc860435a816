"""What the engine adds to an execution, and what capture adds to the engine.

python -m bench.overhead [--rounds 7]
python -m bench.overhead --capture bpf [--rounds 7] [--targets encoding/json ...]

For bpf it is the same binary by turns with the kernel following it and its marks page, and
without, in CPU seconds of the worker and its children; needs root. (What other programs of the
machine pay for the tracepoints meanwhile is in neither: they are loaded all the time.)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.limit import (
    HEADER,
    Limit,
    inputs_for,
    line,
    loop_plan,
    measure_limit,
    measure_loop,
    worker_spec,
)
from bench.sides import TARGETS, BenchError
from gofuzzsec import toolchain
from gofuzzsec.coordinator.kernel import Kernel
from gofuzzsec.corpus.format import unmarshal
from gofuzzsec.errors import BuildError, GofuzzsecError
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain.find import run_go
from gofuzzsec.toolchain.model import FuzzBinary, Go, Package
from gofuzzsec.toolchain.overlay import agent_files
from gofuzzsec.toolchain.patches import CORE_PATCHES
from gofuzzsec.worker import Worker
from gofuzzsec.worker.agent_wire import encode_input
from gofuzzsec.worker.harvest import harvest_seeds
from gofuzzsec.worker.process import reserve_worker_fds

EMPTY = {
    "go.mod": "module example.org/empty\n\ngo 1.21\n",
    "empty_test.go": """package empty

import "testing"

func FuzzEmpty(f *testing.F) {
	f.Add([]byte("an input of an ordinary length, for nothing"))
	f.Fuzz(func(*testing.T, []byte) {})
}
""",
}
JOBRUNNER = Path(__file__).parent.parent / "examples" / "jobrunner"
_CPU_CLOCK_OF_PROCESS = 2  # CPUCLOCK_SCHED; the kernel's way to name another process's clock
NO_ERROR = "syscall/gofuzzsec_glue_noerror.go"
GLUE = "internal/fuzz/gofuzzsec_glue_serve.go"
CAPTURE = {
    "resetCalls: syscall.GofuzzsecReset,": "resetCalls: func() {},",
    "calls:      syscall.GofuzzsecMarks,": "calls: func(to []uint32) []uint32 { return to },",
}
"""What the agent asks of the capture for each execution, and what asks nothing."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of an execution by the engine, pair by pair: (with capture, without)."""

    inputs: int
    pairs: tuple[tuple[float, float], ...]

    @property
    def percent(self) -> float:
        """By how much more an execution takes with capture, in per cent: the median pair."""
        return 100 * (statistics.median(w / without for w, without in self.pairs) - 1)

    @property
    def floor(self) -> float:
        """The same of the fastest measurement of each build, which noise does least to."""
        with_it = min(with_it for with_it, _ in self.pairs)
        return 100 * (with_it / min(without for _, without in self.pairs) - 1)

    @property
    def spread(self) -> tuple[float, float]:
        """The same of the least and of the most favourable pair."""
        each = [100 * (w / without - 1) for w, without in self.pairs]
        return min(each), max(each)


def empty_limit(go: Go, folder: Path) -> Limit:
    """`bench.limit` of a fuzz function that does nothing."""
    for name, text in EMPTY.items():
        (folder / name).write_text(text)
    (package,) = toolchain.list_packages(go, ["."], folder)
    binary = toolchain.build_fuzz_binary(go, package, boosted=True)
    seeds = harvest_seeds(binary.path, "FuzzEmpty", binary.cwd).seeds
    return measure_limit(binary, "FuzzEmpty", seeds)


def without_capture(go: Go, package: Package, boosted: FuzzBinary, folder: Path) -> FuzzBinary:
    """A boosted build that neither marks system calls nor asks for the marks."""
    added = agent_files()
    for text, instead in CAPTURE.items():
        if added[GLUE].count(text) != 1:
            raise BenchError(f"expected {text!r} once in {GLUE}: this module must follow it")
        added[GLUE] = added[GLUE].replace(text, instead)
    del added[NO_ERROR]  # it stands in for a declaration that only a patch takes out
    overlay = toolchain.prepare_overlay(go, package, patches=CORE_PATCHES, added=added)
    out = folder / "without.test"
    command = ["test", "-c", "-vet=off", "-fuzz=.", f"-overlay={overlay.path}", "-o", str(out), "."]
    done = run_go(overlay.go, command, cwd=package.dir, gowork=package.gowork, merge=True)
    if done.status != 0:
        raise BuildError(f"expected {package.import_path} to build without capture:", done.output)
    return replace(boosted, path=out)


def capture_cost(go: Go, package: Package, target: str, rounds: int) -> Cost:
    """Measure *target* in two builds by turns, *rounds* times five passes over the same inputs."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as name:
        folder = Path(name)
        capturing = toolchain.build_fuzz_binary(go, package, boosted=True)
        plain = without_capture(go, package, capturing, folder)
        seeds = harvest_seeds(capturing.path, target, capturing.cwd).seeds
        inputs = measure_limit(capturing, target, seeds).inputs
        wires = [encode_input(unmarshal(data)) for data in seeds]
        plan = loop_plan(wires, min(inputs, inputs_for(1e-6, wires)), seed=1)
        workers = [
            Worker(worker_spec(binary, target, seeds[0]), folder / str(number))
            for number, binary in enumerate((capturing, plain))
        ]
        pairs: list[tuple[float, float]] = []
        try:
            for worker in workers:
                worker.start()
            for number in range(rounds):
                least = [0.0, 0.0]
                for side in (0, 1) if number % 2 else (1, 0):
                    # The least of five: whatever else runs on the machine only ever adds to it.
                    best = min(ns for ns, _ in measure_loop(workers[side], plan))
                    least[side] = best / plan.limit / 1e3
                pairs.append((least[0], least[1]))
        finally:
            for worker in workers:
                worker.close()
    return Cost(plan.limit, tuple(pairs))


def kernel_cost(go: Go, package: Package, target: str, rounds: int, tracer: Tracer) -> Cost:
    """Measure *target* by turns with the kernel following the worker and without."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as name:
        folder = Path(name)
        binary = toolchain.build_fuzz_binary(go, package, boosted=True)
        harvest = harvest_seeds(binary.path, target, binary.cwd)
        seeds = harvest.seeds or tuple(filter(None, [harvest.zero]))
        inputs = measure_limit(binary, target, seeds).inputs
        wires = [encode_input(unmarshal(data)) for data in seeds]
        plan = loop_plan(wires, min(inputs, inputs_for(1e-6, wires)), seed=1)
        spec = worker_spec(binary, target, seeds[0])
        live = Kernel.of(tracer, binary.path).live(workers=1)
        live.begin()
        watched = replace(spec, watch=live.watch(0, marked=True))
        workers = [Worker(watched, folder / "0"), Worker(spec, folder / "1")]
        pairs: list[tuple[float, float]] = []
        try:
            for worker in workers:
                worker.start()
                measure_loop(worker, plan)  # what is new is learnt, memory is grown
            for number in range(rounds):
                spent = [0.0, 0.0]
                for side in (0, 1) if number % 2 else (1, 0):
                    before = cpu_seconds(workers[side].pid)
                    passes = 2 * len(measure_loop(workers[side], plan)) + 1
                    used = cpu_seconds(workers[side].pid) - before
                    spent[side] = used / (passes * plan.limit) * 1e6
                pairs.append((spent[0], spent[1]))
        finally:
            for worker in workers:
                worker.close()
            live.rest()
    return Cost(plan.limit, tuple(pairs))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, to the nanosecond, and of the children it has waited for."""
    own = time.clock_gettime((~pid << 3) | _CPU_CLOCK_OF_PROCESS)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


CAPTURE_HEADER = f"""\
{"capture":34}{"with, µs":>10}{"without, µs":>13}{"%":>8}{"of fastest, %":>15}\
{"from .. to":>16}"""


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="pairs for the cost of capture")
    parser.add_argument("--capture", choices=["in-process", "bpf"], default="in-process")
    parser.add_argument("--targets", nargs="+", choices=[*TARGETS, "jobrunner"])
    args, go = parser.parse_args(argv), toolchain.find_go()
    if args.capture == "bpf":
        return bpf_table(go, args.targets or [*TARGETS, "jobrunner"], args.rounds)
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
        print(HEADER)
        print(line("an empty fuzz function", empty_limit(go, Path(folder))), flush=True)
    print(f"\n{CAPTURE_HEADER}")
    for name in args.targets or ["encoding/json", "jobrunner"]:
        package, target = bench_package(go, name)
        cost = capture_cost(go, package, target, args.rounds)
        print(cost_line(package, target, cost), flush=True)
    return 0


def bpf_table(go: Go, names: Sequence[str], rounds: int) -> int:
    """Print what bpf costs each of *names*, and the median of them all."""
    reserve_worker_fds()
    costs = []
    with contextlib.closing(Tracer.open()) as tracer:
        print(CAPTURE_HEADER)
        for name in names:
            package, target = bench_package(go, name)
            costs.append(kernel_cost(go, package, target, rounds, tracer))
            print(cost_line(package, target, costs[-1]), flush=True)
    median = statistics.median(cost.percent for cost in costs)
    print(f"{'median':34}{'':23}{median:8.2f}")
    return 0


def bench_package(go: Go, name: str) -> tuple[Package, str]:
    """The package and fuzz target that the bench calls *name*."""
    if name == "jobrunner":
        (package,) = toolchain.list_packages(go, ["."], JOBRUNNER)
        return package, "FuzzRun"
    (package,) = toolchain.list_packages(go, [name], Path.cwd())
    return package, TARGETS[name]


def cost_line(package: Package, target: str, cost: Cost) -> str:
    """One line below `CAPTURE_HEADER`."""
    with_it, without = (statistics.median(column) for column in zip(*cost.pairs, strict=True))
    least, most = cost.spread
    return (
        f"{f'{package.import_path} {target}':34}{with_it:10.2f}{without:13.2f}"
        f"{cost.percent:8.2f}{cost.floor:15.2f}{f'{least:.1f} .. {most:.1f}':>16}"
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
