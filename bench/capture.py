"""What `capture -f` costs the program: two traps for each call of the function.

python -m bench.capture [--calls 200000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.sides import BenchError
from gofuzzsec import toolchain
from gofuzzsec.binary import GoProgram, function_probe, resolve
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.syscalls.bpf.tracer import Mode, TracedProgram, Tracer

PROGRAM = {
    "main.go": """package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

var sink int

// leaf needs no stack frame.
//
//go:noinline
func leaf(i int) int { return i + 1 }

// framed has one, as all functions that call another.
//
//go:noinline
func framed(i int) int { return leaf(i) + 1 }

//go:noinline
func calling(i int) int { syscall.Getppid(); return i + 1 }

// spent is nanoseconds of processor time.
func spent() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	calls, _ := strconv.Atoi(os.Args[2])
	work, _ := strconv.Atoi(os.Args[3])
	functions := map[string]func(int) int{"leaf": leaf, "framed": framed, "calling": calling}
	function := functions[os.Args[1]]
	began := spent()
	for i := 0; i < calls; i++ {
		sink = function(sink)
		for j := 0; j < work; j++ {
			sink += j
		}
	}
	fmt.Println(spent() - began)
}
""",
}
RATES = (1_000, 10_000, 100_000)
"""Calls a second of a function whose program does nothing but call it and work in between."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Nanoseconds of one call and the work between two, without and with the probes: medians."""

    without: float
    with_it: float

    @property
    def ratio(self) -> float:
        return self.with_it / self.without

    @property
    def trap(self) -> float:
        """Nanoseconds that a call costs more."""
        return self.with_it - self.without


def run(
    program: Path, name: str, calls: int, work: int, claim: Callable[[], None] | None = None
) -> float:
    """Nanoseconds of processor time that one call of function *name* and the work take."""
    argv = [str(program), name, str(calls), str(work)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, preexec_fn=claim)
    return int(done.stdout) / calls


def work_for(program: Path, nanoseconds: float) -> int:
    """How many turns of the inner loop take so long."""
    turns = 1 << 20
    each = min(run(program, "leaf", 50, turns) for _ in range(3)) / turns
    return max(0, round(nanoseconds / each))


def measure(tracer: Tracer, program: Path, name: str, calls: int, work: int, rounds: int) -> Cost:
    """Both by turns, so that whatever else the machine does falls on both."""
    go = GoProgram.read(program)
    (function,) = resolve(go, f"main.{name}")
    without, with_it = [], []
    for _ in range(rounds):
        without.append(run(program, name, calls, work))
        following = tracer.follow(
            TracedProgram.of(go), Mode.FUNCTIONS, (function_probe(go, function),)
        )
        try:
            with_it.append(run(program, name, calls, work, following.claim()))
            seen = sum(call.count for call in following.take())
            if name == "calling" and seen < calls:
                raise BenchError(f"expected {calls} calls inside the function, found {seen}")
        finally:
            following.close()
    return Cost(statistics.median(without), statistics.median(with_it))


HEADER = f"""\
{"calls of the function a second":40}{"without, ns":>13}{"with, ns":>11}{"ratio":>8}\
{"one call, ns":>14}"""


def line(name: str, cost: Cost) -> str:
    return f"{name:40}{cost.without:13.0f}{cost.with_it:11.0f}{cost.ratio:8.2f}{cost.trap:14.0f}"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.capture", description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000, help="calls of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each kind")
    args = parser.parse_args(argv)
    program = toolchain.build_program(toolchain.find_go(), PROGRAM, "benchcapture")
    tracer = Tracer.open(slots=1)
    try:
        print(HEADER)
        for rate in RATES:
            work = work_for(program, 1e9 / rate)
            calls = max(200, args.calls * rate // RATES[-1])
            cost = measure(tracer, program, "framed", calls, work, args.rounds)
            print(line(f"{rate:,}", cost), flush=True)
        cost = measure(tracer, program, "leaf", calls, work, args.rounds)
        print(line(f"{rate:,}, of a leaf without a stack frame", cost), flush=True)
        cost = measure(tracer, program, "calling", args.calls, 0, args.rounds)
        print(line("one system call in it, no work", cost), flush=True)
    finally:
        tracer.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
