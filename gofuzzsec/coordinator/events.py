"""What a campaign says while it runs: values only, so that any front end can show them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of one target's campaign. Times are seconds; counts are since it first began,
    except ``session_executions`` and ``elapsed``, which are of this run of the command."""

    target: str  # "import/path.FuzzX"
    elapsed: float
    executions: int
    session_executions: int
    executions_per_second: float  # over this run, of wall time the target had
    edges: int  # counters seen at least once
    corpus: int  # inputs kept
    syscalls: int  # distinct calls attributed to the target or unknown
    crashes: int  # distinct crashes, hangs and out-of-memory
    last_find: float | None  # seconds since the last kept input, None before the first
    unrecorded: int  # kept inputs whose system calls are not recorded yet
    goals: int | None = None  # calls still to be reached, None for a campaign that is not directed
    nearest: int | None = None  # blocks to the nearest of them, None while no way is known


@dataclass(frozen=True, slots=True)
class Started:
    """A target's turn begins for the first time in this run."""

    target: str
    workers: int
    seeds: int
    resumed: int  # inputs already in the store
    capture: str  # recorder name or "off"
    why: str = ""  # that recorder, in a few words; "" where the user has settled it


@dataclass(frozen=True, slots=True)
class Status:
    """A periodic picture, at least every 3 s, and at the end of each turn."""

    stats: Stats


@dataclass(frozen=True, slots=True)
class CrashFound:
    """A new distinct crash (``kind``: crash, fail, hang or oom), already written to disk."""

    target: str
    kind: str
    summary: str  # one line
    path: str
    rerun: str  # the command line that reproduces it
    reproduced: bool


@dataclass(frozen=True, slots=True)
class SyscallFound:
    """First sight of a system call of this target; already committed to the store."""

    target: str
    name: str
    input_hash: str
    origin: str


@dataclass(frozen=True, slots=True)
class ReachedCall:
    """A call that a directed campaign was aimed at and that an input has made. ``elapsed`` is
    seconds and ``executions`` are executions of this run until then."""

    name: str
    elapsed: float
    executions: int
    input_hash: str


@dataclass(frozen=True, slots=True)
class RemainingCall:
    """A call that is still to be reached: ``distance`` blocks from the nearest kept input, which
    turns back in ``function``; None and "" while no input is on a known way. ``turns`` were spent
    on it since it last came nearer."""

    name: str
    distance: int | None
    function: str
    input_hash: str
    turns: int


@dataclass(frozen=True, slots=True)
class Toward:
    """Where a directed campaign stands, every hour and at the end. ``left_out`` are calls in the
    static bound that only the runtime, package initialisation or the test harness make."""

    target: str
    elapsed: float
    reached: tuple[ReachedCall, ...]
    remaining: tuple[RemainingCall, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should read. ``level`` is "info" or "warning"."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the run; one Stats per target, in the order given."""

    stats: tuple[Stats, ...] = field(default=())
    interrupted: bool = False


Event = Started | Status | CrashFound | SyscallFound | Toward | Note | Finished
