"""Memory of the coordinator with a large corpus: bench/README.md, "Memory".

python -m bench.memory [--inputs 100000] [--seconds 10] [--target encoding/json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.sides import TARGETS, BenchError, Case, cases, gofuzzsec_argv, ours
from gofuzzsec.corpus.format import file_name, marshal, unmarshal
from gofuzzsec.corpus.values import Value
from gofuzzsec.coverage import Features, pack, unpack
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.store import Store
from gofuzzsec.store.model import InputRow

GROW_SECONDS = 8  # of real fuzzing, for real inputs to vary
LACKING = 0.02  # of a real input's features, on average, that a synthetic one lacks
LOAD_SECONDS = 300.0  # what taking up the corpus and ending may take
SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Resumed:
    """A campaign that took up a corpus: ``peak`` bytes resident in the coordinator alone, the
    seconds until it ``loaded`` everything, and what it still did with it."""

    peak: int
    loaded: float
    corpus: int
    executions: int


def synthetic(row: InputRow, number: int, rng: random.Random) -> tuple[bytes, Features]:
    """An input like *row*, made distinct by *number*, and coverage like that of *row*."""
    values = unmarshal(row.data)
    first = values[0]
    tag = b"%07d" % number
    raw = first.raw + tag if isinstance(first.raw, bytes) else first.raw
    found = unpack(row.coverage)
    keep = np.random.default_rng(rng.getrandbits(63)).random(len(found)) >= LACKING
    return marshal((Value(first.type, raw), *values[1:])), found[keep]


def fill(folder: Path, count: int) -> tuple[int, float]:
    """Add inputs to the one target of a campaign until it has *count*, without running them.

    Returns bytes of inputs added and the mean number of their features.
    """
    rng = random.Random(1)
    with Store.create(folder) as store:
        (target,) = store.targets()
        rows = list(store.inputs(target.id))
        last = max(row.id for row in rows)
        size = features = 0

        def made() -> Iterator[tuple[InputRow, bytes, Features]]:
            nonlocal size, features
            for number in range(count - len(rows)):
                row = rng.choice(rows)
                data, found = synthetic(row, number, rng)
                size, features = size + len(data), features + len(found)
                yield row, data, found

        # One transaction: `add_input` commits each, which takes minutes for so many.
        with store._writing() as connection:
            for number, (row, data, found) in enumerate(made(), last + 1):
                connection.execute(
                    "INSERT INTO input (id, target_id, hash, source, why, found_at, data, parent)"
                    " VALUES (?, ?, ?, 'fuzz', 'coverage', ?, ?, ?)",
                    (number, target.id, file_name(data), time.time(), data, row.id),
                )
                connection.execute(
                    "INSERT INTO coverage (input_id, build_key, exec_ns, features)"
                    " VALUES (?, ?, ?, ?)",
                    (number, row.build_key, row.exec_ns, pack(found)),
                )
    return size, features / max(count - len(rows), 1)


def resume(case: Case, campaign: Path, seconds: int) -> Resumed:
    """Go on with *campaign* for *seconds* and watch the coordinator's memory."""
    argv = [
        *gofuzzsec_argv(), "fuzz", case.binary.import_path, "--target", f"^{case.target}$",
        "--workers", str(case.workers), "--time", f"{seconds}s", "--capture", "off", "--json",
        "--campaign", str(campaign),
    ]  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(
        argv, cwd=campaign.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    alarm = threading.Timer(seconds + LOAD_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    alarm.start()
    watch = _Peak(process.pid)
    lines: list[str] = []
    loaded = 0.0
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.append(line.decode("utf-8", "replace"))
            loaded = loaded or ('"event":"started"' in lines[-1]) * (time.monotonic() - began)
    finally:
        alarm.cancel()
        process.wait()
        peak = watch.end()
    for text in reversed(lines):
        event = json.loads(text) if text.startswith("{") else {}
        if event.get("event") == "finished":
            (stats,) = event["stats"]
            return Resumed(peak, loaded, int(stats["corpus"]), int(stats["session_executions"]))
    raise BenchError(f"the campaign did not go on:\n{''.join(lines)[-2000:]}")


class _Peak:
    """Reads the peak resident memory of a process until `end`, from a thread."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """The peak in bytes."""
        self._over.set()
        self._thread.join()
        return self._bytes

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            try:
                self._bytes = max(self._bytes, peak_memory(self._status.read_text()))
            except OSError:
                return  # it has ended; the peak only ever grew


def peak_memory(status: str) -> int:
    """Bytes of VmHWM in the text of /proc/PID/status, 0 when it has none (a zombie)."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) << 10
    return 0


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.memory", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=10, help="of fuzzing, with all of them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--target", choices=TARGETS, default="encoding/json")
    args = parser.parse_args(argv)
    (case,) = cases([args.target], GROW_SECONDS, args.workers, "boosted")
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-bench-") as name:
        folder = Path(name, "run")
        real = ours(replace(case, seconds=GROW_SECONDS), folder)
        print(f"{case.name}: {len(real.corpus)} real inputs after {GROW_SECONDS} s", flush=True)
        began = time.monotonic()
        size, features = fill(folder / "campaign", args.inputs)
        print(
            f"made up to {args.inputs:,} inputs of {size / args.inputs:.0f} bytes and "
            f"{features:.0f} features each in {time.monotonic() - began:.1f} s",
            flush=True,
        )
        done = resume(case, folder / "campaign", args.seconds)
    print(f"peak memory of the coordinator: {done.peak / (1 << 20):,.0f} MiB")
    print(f"seconds to load: {done.loaded:.1f}")
    print(f"corpus at the end: {done.corpus:,}; executions: {done.executions:,}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BenchError, GofuzzsecError) as error:
        sys.exit(f"bench: {error}")
