"""The two fuzzers under comparison, each run from the same seeds in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Measured, run_measured
from gofuzzsec import toolchain
from gofuzzsec.store import Store
from gofuzzsec.toolchain.model import FuzzBinary, Go

TARGETS = {
    "encoding/json": "FuzzUnmarshalJSON",
    "encoding/csv": "FuzzRoundtrip",
    "archive/tar": "FuzzReader",
    "archive/zip": "FuzzReader",
    "image/png": "FuzzDecode",
    "image/gif": "FuzzDecode",
    "html": "FuzzEscapeUnescape",
    "net/netip": "FuzzParse",
    "compress/gzip": "FuzzReader",
    "encoding/pem": "FuzzDecode",
}
"""Package of the standard library -> the fuzz test of it that is measured."""

EXECS = re.compile(r"^fuzz: elapsed: .*?, execs: (\d+)", re.MULTILINE)


class BenchError(Exception):
    """A run that cannot be compared: one of the fuzzers failed, not the code under test."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fuzz target of one standard-library package.

    ``binary`` is the stock build: `go test -fuzz` runs it, and every corpus is replayed by it.
    ``fuzzed`` is what gofuzzsec runs, the boosted build or the same one.
    """

    go: Go
    binary: FuzzBinary
    fuzzed: FuzzBinary
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

    ``began`` is the Unix time when the workers were about to start. ``ended`` is "time", or
    "crash" where `go test -fuzz` stopped at its first failing input.
    """

    side: str
    measured: Measured
    executions: int
    corpus: tuple[Found, ...]
    began: float
    ended: str


Side = Callable[[Case, Path], Campaign]


def cases(names: Sequence[str], seconds: int, workers: int, engine: str) -> Iterator[Case]:
    """Build the fuzz binaries of each named package, in the order given.

    Raises BenchError when one cannot be boosted, or Go's own fuzz cache, from which gofuzzsec
    takes seeds, is not empty.
    """
    go = toolchain.find_go()
    for name in names:
        (package,) = toolchain.list_packages(go, [name], Path.cwd())
        need_empty_cache(go, name, TARGETS[name])
        binary = fuzzed = toolchain.build_fuzz_binary(go, package)
        if engine == "boosted":
            fuzzed, reason = toolchain.build_boosted(go, package)
            if reason:
                raise BenchError(f"{name}: no boosted build to compare: {reason}")
        yield Case(go, binary, fuzzed, TARGETS[name], seconds, workers)


def need_empty_cache(go: Go, import_path: str, target: str) -> None:
    """Raise BenchError when an earlier `go test -fuzz` left seeds that only we would take."""
    cache = toolchain.go_fuzz_cache(go, import_path, target)
    if cache.is_dir() and any(cache.iterdir()):
        raise BenchError(
            f"expected no inputs in {cache}, which gofuzzsec takes as seeds: remove that folder "
            "(or `go clean -fuzzcache`) before comparing"
        )


def native_argv(binary: Path, target: str, seconds: int, workers: int, cache: Path) -> list[str]:
    """The command that `go test -fuzz` runs when it has built the binary."""
    return [
        str(binary), "-test.paniconexit0", "-test.timeout=0", "-test.run=^$",
        f"-test.fuzz=^{target}$", f"-test.fuzztime={seconds}s",
        f"-test.parallel={workers}", f"-test.fuzzcachedir={cache}",
    ]  # fmt: skip


def gofuzzsec_argv() -> list[str]:
    """The installed command."""
    return [str(Path(sys.executable).with_name("gofuzzsec"))]


def native(case: Case, folder: Path) -> Campaign:
    """Go's own coordinator, with the flags that `go test -fuzz` gives it and an empty cache."""
    cache = folder / "cache"
    cache.mkdir(parents=True)
    argv = native_argv(case.binary.path, case.target, case.seconds, case.workers, cache)
    measured, text = _run(case, argv, folder)
    crashed = "Failing input written to" in text
    counts = EXECS.findall(text)
    if not counts or (measured.status != 0 and not crashed):
        raise BenchError(f"{case.name}: go's coordinator failed:\n{text[-2000:]}")
    files = [path for path in (cache / case.target).glob("*") if path.is_file()]
    corpus = [Found(path.read_bytes(), path.stat().st_mtime) for path in files]
    ended = "crash" if crashed else "time"
    began = measured.course[0][0]
    return Campaign("native", measured, int(counts[-1]), tuple(corpus), began, ended)


def ours(case: Case, folder: Path) -> Campaign:
    """`gofuzzsec fuzz` without capture, as a user would start it: on the package when boosted
    (its build is there already), else on the very binary that `go test -fuzz` runs."""
    campaign = folder / "campaign"
    what = [case.binary.import_path] if case.fuzzed.boosted else ["--binary", str(case.fuzzed.path)]
    argv = [
        *gofuzzsec_argv(), "fuzz", *what, "--target", f"^{case.target}$",
        "--engine", "boosted" if case.fuzzed.boosted else "stock",
        "--workers", str(case.workers), "--time", f"{case.seconds}s",
        "--capture", "off", "--json", "--campaign", str(campaign),
    ]  # fmt: skip
    folder.mkdir(parents=True)
    measured, text = _run(case, argv, folder)
    if measured.status not in (0, 1):  # 1: crashes were found
        raise BenchError(f"{case.name}: gofuzzsec failed:\n{text[-2000:]}")
    happened = events(text)
    with Store.open_readonly(campaign) as store:
        (row,) = store.targets()
        corpus = tuple(Found(found.data, found.found_at) for found in store.inputs(row.id))
    return Campaign(
        "gofuzzsec", measured, session_executions(happened), corpus,
        float(str(only(happened, "started")["time"])), "time",
    )  # fmt: skip


Event = dict[str, object]


def events(text: str) -> list[Event]:
    """What `gofuzzsec fuzz --json` printed, one object an event; lines of others are left out."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def only(happened: Sequence[Event], kind: str) -> Event:
    """The one event of its *kind*. Raises BenchError when there is none."""
    for event in happened:
        if event.get("event") == kind:
            return event
    raise BenchError(f"expected gofuzzsec --json to print a {kind} event, found none")


def session_executions(happened: Sequence[Event]) -> int:
    """Executions of the whole run."""
    stats = only(happened, "finished")["stats"]
    assert isinstance(stats, list)
    return sum(int(each["session_executions"]) for each in stats)


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
