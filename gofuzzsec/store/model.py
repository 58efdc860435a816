"""Rows of the campaign database as values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputRow:
    """One kept input of one target.

    ``data`` is the marshalled corpus file, ``hash`` the first 16 hex digits of its SHA-256.
    ``source`` is one of seed-add, seed-testdata, seed-cache, fuzz. ``why`` is seed, coverage or
    syscall. ``parent`` is the id of the input it was mutated from. ``exec_ns`` is nanoseconds of
    one execution. ``coverage`` is the sparse encoding of coverage.bitmap.pack (zlib), valid for
    ``build_key`` only. ``recorded`` says whether its system calls are in the store.
    ``found_at`` is Unix time.
    """

    id: int
    hash: str
    data: bytes
    source: str
    why: str
    parent: int | None
    exec_ns: int
    build_key: str
    coverage: bytes
    found_at: float
    recorded: bool


@dataclass(frozen=True, slots=True)
class SyscallRow:
    """One (system call, kind, args, outcome, origin, source) of one target, over all recordings.

    ``source`` is seeds, fuzz, tests, baseline, harness, integration (a captured command) or
    campaign (all processes of a campaign, whether their inputs were kept or not). ``kind`` is the
    class of the arguments, ``args`` the values of the deciding ones, ``outcome`` how the call
    ended, as in SyscallUse.

    ``first_input`` is the hash of the first input that showed it (empty for whole processes),
    ``label`` that of the first whole process (empty for inputs and where it has none), ``first_at``
    when that was recorded (Unix time). ``unstable`` is True while every sight of it was in only one
    of an input's two runs. ``stack`` is the first that came with it.

    ``count`` (calls) and ``inputs`` are sums over the inputs now kept. Evidence outlives the
    corpus: when the last input that showed the call is removed or minimised, the row stays with
    ``inputs`` 0 and ``first_input`` as it was, and a later input that shows it takes over. Rows of
    whole processes follow from the recordings now kept alone.
    """

    name: str
    origin: str
    source: str
    first_input: str
    first_at: float
    count: int
    inputs: int
    unstable: bool
    stack: tuple[str, ...]
    kind: str = ""
    outcome: str = "untold"
    label: str = ""
    args: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Incidence:
    """In how many of ``executions`` each behaviour showed (``counts``, by its name).

    Of one epoch of a target; one ends when the executions since the first began are a quarter of a
    doubling further.
    """

    executions: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Statements:
    """Statement coverage of a run: ``covered`` of ``total`` statements (0 <= covered <= total)."""

    covered: int
    total: int

    @property
    def percent(self) -> float:
        """The share covered, 0 to 100; all of nothing is 100."""
        return 100.0 * self.covered / self.total if self.total else 100.0


@dataclass(frozen=True, slots=True)
class CrashRow:
    """One distinct crash. ``kind``: crash (process died), fail (t.Fatal and friends), hang, oom.

    ``key`` is the de-duplication key, ``data`` the minimised input as a corpus file,
    ``original`` the input as found, ``output`` what the worker said (standard error or failure
    message), ``path`` the file it was written to, ``count`` how often it was met.
    """

    id: int
    target: str
    hash: str
    kind: str
    key: str
    summary: str
    output: str
    data: bytes
    original: bytes
    path: str
    reproduced: bool
    found_at: float
    count: int


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One fuzz target. ``types`` are its argument types, empty until a worker has said so.

    ``name`` is "" for a captured program or package, which is no fuzz test (see Targets).
    """

    id: int
    import_path: str
    name: str
    package_dir: str
    module_dir: str
    binary: str  # path of a ready-made binary, or ""
    types: tuple[str, ...]
    external: bool

    @property
    def full_name(self) -> str:
        """``import/path.FuzzX``, or ``import/path`` of a captured program."""
        return f"{self.import_path}.{self.name}" if self.name else self.import_path

    @property
    def module_path(self) -> str:
        """The path of the module, as far as import path and folders tell it."""
        if self.package_dir and self.module_dir:
            inside = os.path.relpath(self.package_dir, self.module_dir)
            return self.import_path.removesuffix(f"/{inside}")
        return self.import_path


@dataclass(frozen=True, slots=True)
class BuildRow:
    """One fuzz binary a target was run with. ``key`` is FuzzBinary.key, ``counters`` the number of
    coverage counters it reports, ``used_at`` the Unix time it was last registered."""

    key: str
    go_version: str
    counters: int
    used_at: float


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One finished recording of an input (``input`` is its hash) or of a whole process ("").

    ``source`` is as in SyscallRow. ``complete`` is False when calls may be missing; ``problem``
    then says why. ``at`` is Unix time. ``label`` names the run of a whole process, "" for inputs
    and where a source has only one. ``arch`` is Go's word for the machine it was made on, "" where
    an older gofuzzsec did not say. ``statements`` is the coverage measured beside it, if it was.
    """

    id: int
    source: str
    input: str
    at: float
    complete: bool
    problem: str
    label: str
    arch: str
    statements: Statements | None


@dataclass(frozen=True, slots=True)
class StatRow:
    """One point of a target's time series. ``at`` is Unix time; all counts are totals since the
    campaign first began, ``cpu_seconds`` those of all its processes."""

    at: float
    executions: int
    edges: int
    corpus: int
    syscalls: int
    crashes: int
    cpu_seconds: float
