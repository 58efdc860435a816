"""The two fuzzers under comparison, each run on the same binary in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Measured, run_measured
from gofuzzsec.store import Store
from gofuzzsec.toolchain.model import FuzzBinary, Go

EXECS = re.compile(r"^fuzz: elapsed: .*?, execs: (\d+)", re.MULTILINE)


class BenchError(Exception):
    """A run that cannot be compared: one of the fuzzers failed, not the code under test."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fuzz target of one standard-library package, built once for both sides."""

    go: Go
    binary: FuzzBinary
    target: str
    seconds: int
    workers: int

    @property
    def name(self) -> str:
        return f"{self.binary.import_path} {self.target}"


@dataclass(frozen=True, slots=True)
class Found:
    """One input of a grown corpus and the Unix time it was found."""

    data: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Campaign:
    """What one run of one side came to. ``executions`` is by the side's own count.

    ``ended`` is "time", or "crash" where `go test -fuzz` stopped at its first failing input.
    """

    side: str
    measured: Measured
    executions: int
    corpus: tuple[Found, ...]
    ended: str


Side = Callable[[Case, Path], Campaign]


def native(case: Case, folder: Path) -> Campaign:
    """Go's own coordinator, with the flags that `go test -fuzz` gives it and an empty cache."""
    cache = folder / "cache"
    cache.mkdir(parents=True)
    argv = [
        str(case.binary.path), "-test.paniconexit0", "-test.timeout=0", "-test.run=^$",
        f"-test.fuzz=^{case.target}$", f"-test.fuzztime={case.seconds}s",
        f"-test.parallel={case.workers}", f"-test.fuzzcachedir={cache}",
    ]  # fmt: skip
    measured, text = _run(case, argv, folder)
    crashed = "Failing input written to" in text
    counts = EXECS.findall(text)
    if not counts or (measured.status != 0 and not crashed):
        raise BenchError(f"{case.name}: go's coordinator failed:\n{text[-2000:]}")
    files = [path for path in (cache / case.target).glob("*") if path.is_file()]
    corpus = [Found(path.read_bytes(), path.stat().st_mtime) for path in files]
    ended = "crash" if crashed else "time"
    return Campaign("native", measured, int(counts[-1]), tuple(corpus), ended)


def ours(case: Case, folder: Path) -> Campaign:
    """`gofuzzsec fuzz` on the stock binary, without capture, as a user would start it."""
    campaign = folder / "campaign"
    argv = [
        str(Path(sys.executable).with_name("gofuzzsec")), "fuzz",
        "--binary", str(case.binary.path), "--target", f"^{case.target}$",
        "--workers", str(case.workers), "--time", f"{case.seconds}s",
        "--capture", "off", "--json", "--campaign", str(campaign),
    ]  # fmt: skip
    folder.mkdir(parents=True)
    measured, text = _run(case, argv, folder)
    if measured.status not in (0, 1):  # 1: crashes were found
        raise BenchError(f"{case.name}: gofuzzsec failed:\n{text[-2000:]}")
    with Store.open_readonly(campaign) as store:
        (row,) = store.targets()
        corpus = tuple(Found(found.data, found.found_at) for found in store.inputs(row.id))
    return Campaign("gofuzzsec", measured, _session_executions(text), corpus, "time")


def _session_executions(text: str) -> int:
    """Executions of the whole run, from the last event that `--json` printed."""
    for line in reversed(text.splitlines()):
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "finished":
            return sum(int(stats["session_executions"]) for stats in event["stats"])
    raise BenchError(f"gofuzzsec --json ended without a finished event:\n{text[-2000:]}")


def _run(case: Case, argv: list[str], folder: Path) -> tuple[Measured, str]:
    output, tmp = folder / "output", folder / "tmp"
    tmp.mkdir()
    env = {**os.environ, "TMPDIR": str(tmp)}
    cwd = package_copy(case, folder / "src")
    measured = run_measured(argv, cwd=cwd, env=env, output=output, timeout=case.seconds)
    return measured, output.read_text(errors="replace")


def package_copy(case: Case, root: Path) -> Path:
    """The package's folder within a copy of its topmost folder, made in *root* when missing.

    Fuzz tests write their crashes beside the code, and read files beside it or one folder up.
    """
    top, *_ = case.binary.import_path.split("/")
    if not (root / top).exists():
        shutil.copytree(case.go.goroot / "src" / top, root / top)
    return root / case.binary.import_path
