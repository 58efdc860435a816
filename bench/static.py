"""Time and memory of the static bound of large programs: bench/README.md, "Static bound".

python -m bench.static [PROGRAM ...]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.files import write_atomic
from gofuzzsec.report.tables import table
from gofuzzsec.syscalls.bound import bound_of, static_bound
from gofuzzsec.toolchain import find_go

RESULTS = Path(__file__).parent / "results"
GOAL_BYTES, GOAL_SECONDS, GOAL_PEAK = 20 << 20, 30.0, 1 << 30
"""A binary of so many bytes in so many seconds and so many bytes of memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """One program: ``seconds`` of CPU to work the bound out, ``again`` to take it from the cache;
    ``peak`` is the largest resident set, in bytes, of the whole process."""

    program: str
    size: int
    seconds: float
    again: float
    peak: int
    calls: int
    unknown: int
    functions: int


def measure(path: Path) -> Row:
    """Work out the bound of *path* in this process, which must be a fresh one."""
    start = time.process_time()
    bound = bound_of(CallGraph.read(GoProgram.read(path)), ["main"])
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as folder:
        os.environ["GOFUZZSEC_CACHE"] = folder
        static_bound(path)
        start = time.process_time()
        static_bound(path)
        again = time.process_time() - start
    return Row(
        program=path.name, size=path.stat().st_size, seconds=seconds, again=again, peak=peak,
        calls=len(bound.calls), unknown=len(bound.unknown), functions=bound.functions,
    )  # fmt: skip


def programs() -> list[Path]:
    """Large programs that every machine with Go has, or can build."""
    go = find_go()
    root = Path(
        subprocess.run(
            [str(go.path), "env", "GOROOT"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    tools = subprocess.run(
        [str(go.path), "env", "GOTOOLDIR"], capture_output=True, text=True, check=True
    ).stdout.strip()
    test = Path(tempfile.gettempdir(), "gofuzzsec-bench-nethttp.test")
    subprocess.run(
        [str(go.path), "test", "-c", "-o", str(test), "net/http"],
        check=True, env={**os.environ, "CGO_ENABLED": "0"},
    )  # fmt: skip
    chosen = [root / "bin" / "gofmt", root / "bin" / "go", Path(tools, "compile"), test]
    return [path for path in chosen if path.exists()]


def text(rows: Sequence[Row]) -> str:
    """The rows as people read them."""
    heads = (
        "program",
        "MB",
        "functions",
        "calls",
        "unknown",
        "CPU s",
        "cached s",
        "peak MiB",
        "goal",
    )
    cells = [
        (
            row.program, f"{row.size / 1e6:.1f}", f"{row.functions:,}", str(row.calls),
            str(row.unknown), f"{row.seconds:.1f}", f"{row.again:.2f}", f"{row.peak / 2**20:.0f}",
            "met" if _is_met(row) else "missed",
        )
        for row in rows
    ]  # fmt: skip
    return table(heads, cells, "MB,functions,calls,unknown,CPU s,cached s,peak MiB")


def _is_met(row: Row) -> bool:
    """Whether a program as large as the goal's would take no more than it allows."""
    scale = max(1.0, row.size / GOAL_BYTES)
    return row.seconds <= GOAL_SECONDS * scale and row.peak <= GOAL_PEAK * scale


def main(argv: Sequence[str]) -> int:
    """Each program in a process of its own, so that the peaks are its own."""
    parser = argparse.ArgumentParser(prog="bench.static", description=__doc__)
    parser.add_argument("programs", nargs="*", type=Path, metavar="PROGRAM")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print(json.dumps(asdict(measure(args.one))))
        return 0
    rows = []
    for path in args.programs or programs():
        done = subprocess.run(
            [sys.executable, "-m", "bench.static", "--one", str(path)],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        rows.append(Row(**json.loads(done.stdout)))
    print(text(rows))
    write_atomic(RESULTS / "static.json", json.dumps([asdict(row) for row in rows]).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
