"""What the BPF recorder says of a program that makes a known list of 1,000,000 calls.

64 goroutines on 8 threads make them, of 14 kinds; half of the goroutines are the one that is inside
the traced function and those that it starts. The recorder must report exactly the calls of these,
by name, argument class and outcome. Needs root (or CAP_BPF and CAP_PERFMON) and a Go toolchain:

    python -m bench.groundtruth [--runs 5] [--calls 1000000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain import find_go
from tests.syscalls.bpf.truths import Truth, build, counted, names_in, told

HEAD = ("inside", "outside", "missed", "too many", "lost", "seconds")


def main(argv: Sequence[str] | None = None) -> int:
    """Print, for each run, how many calls were made and how many were reported wrongly."""
    parser = argparse.ArgumentParser(prog="bench.groundtruth", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often to run the program")
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls of each run")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-truth-") as folder:
        truth = Truth.of(build(find_go(), "truth", Path(folder)))
        began = time.monotonic()
        told(truth.path, "spread", str(options.calls))
        print(f"alone, the program takes {time.monotonic() - began:.2f} s")
        print("  ".join(f"{title:>9}" for title in HEAD))
        tracer = Tracer.open(slots=1)
        wrong = 0
        for _ in range(options.runs):
            row = _run(tracer, truth, options.calls)
            wrong += row[2] + row[3] + row[4]
            print("  ".join(f"{cell:>9}" for cell in row))
        tracer.close()
    return 1 if wrong else 0


def _run(tracer: Tracer, truth: Truth, calls: int) -> tuple[int, int, int, int, int, str]:
    following = truth.follow(tracer)
    began = time.monotonic()
    said = truth.run(following, "spread", str(calls))
    took = time.monotonic() - began
    seen = counted(following.take(), 0, names_in(said))
    lost = len(following.problems())
    following.close()
    inside, outside = said["inside"], said["outside"]
    labels = set(inside) | set(seen)
    missed = sum(max(0, inside.get(each, 0) - seen.get(each, 0)) for each in labels)
    extra = sum(max(0, seen.get(each, 0) - inside.get(each, 0)) for each in labels)
    return sum(inside.values()), sum(outside.values()), missed, extra, lost, f"{took:.2f}"


if __name__ == "__main__":
    sys.exit(main())
