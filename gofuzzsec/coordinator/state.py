"""What the jobs of one target's campaign share."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from gofuzzsec.coordinator.capture import Capture, CaptureTask
from gofuzzsec.coordinator.events import Event, Note
from gofuzzsec.coordinator.incidence import IncidenceBook
from gofuzzsec.coordinator.pool import Entry, Pool
from gofuzzsec.coordinator.schedule import Schedule
from gofuzzsec.coordinator.tokens import TokenBook
from gofuzzsec.corpus.format import unmarshal
from gofuzzsec.corpus.values import GoType, Input
from gofuzzsec.coverage import Features, pack
from gofuzzsec.mutate import replay
from gofuzzsec.store import InputRow, Store, TargetRow
from gofuzzsec.syscalls.model import Recording
from gofuzzsec.toolchain.find import host_arch
from gofuzzsec.toolchain.model import FuzzBinary
from gofuzzsec.worker import Outcome
from gofuzzsec.worker.protocol import CHAINED_MUTATIONS

_KEPT_MINIMISE_SHARE = 0.05  # of the workers' time; crashes have a budget of their own
_KEPT_MINIMISE_START = 1.0  # seconds available before any time has passed


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """How a target is fuzzed. Times are seconds, ``memory_limit`` bytes."""

    workers: int
    hang_timeout: float
    memory_limit: int
    minimise_seconds: float
    stop_on_crash: bool
    crash_dir: str  # where failing inputs are written
    spare_crash_dir: str  # where they go when that cannot be written
    rerun: str  # how to reproduce one; {hash} is replaced
    shm_size: int = 100 << 20
    seed: int | None = None
    gomaxprocs: int | None = 1
    gogc: int | None = None


@dataclass(slots=True)
class Counts:
    """Running totals of one target; ``before`` is what earlier runs of the campaign did."""

    before: int = 0
    executions: int = 0  # this run: mutated and seed executions, as `go test -fuzz` counts them
    reserved: int = 0  # executions allowed to requests under way
    minimising: int = 0  # this run: executions spent on minimising, in no other total
    flaky: int = 0  # finds whose new coverage did not come again
    worker_seconds: float = 0.0
    minimise_seconds: float = 0.0
    last_find: float | None = None  # monotonic


@dataclass(slots=True)
class State:
    """Owned by the coordinator thread; jobs change it only between two requests.

    ``closing`` asks jobs to end at the next request. ``limit`` is executions this run may still
    begin, None for no limit. ``crash_keys`` are keys met before, here or in the store, each with
    the sights that the store does not count yet. ``types`` are the target's arguments' types.
    ``looks`` maps what an agent calls a failure to its key (boosted workers only).
    """

    store: Store
    target: TargetRow
    binary: FuzzBinary
    options: CampaignOptions
    emit: Callable[[Event], None]
    capture: Capture | None
    pool: Pool = field(default_factory=Pool)
    counts: Counts = field(default_factory=Counts)
    rng: random.Random = field(default_factory=random.Random)
    closing: bool = False
    limit: int | None = None
    crash_keys: dict[str, int] = field(default_factory=dict)
    new_crashes: int = 0
    types: tuple[GoType, ...] = ()
    tokens: TokenBook = field(default_factory=lambda: TokenBook(()))
    looks: dict[int, str] = field(default_factory=dict)
    in_process: bool = False  # system calls are recorded by the workers themselves
    has_c_code: bool = False  # whose calls they do not see
    marked: bool = False  # the kernel tells the workers what they do not see
    take_calls: Callable[[Entry, Recording, str], None] | None = None
    # Inputs of the recorder's own: worth keeping, or (False) only worth a run in a worker.
    adoptions: list[tuple[bytes, bool]] = field(default_factory=list)
    schedule: Schedule = field(init=False)
    incidence: IncidenceBook = field(init=False)

    def __post_init__(self) -> None:
        if self.options.seed is not None:
            self.rng.seed(self.options.seed)
        self.incidence = IncidenceBook(self.store, self.target.id, host_arch())
        self.schedule = Schedule(self.pool, self.rng, repeatable=self.options.seed is not None)

    @property
    def label(self) -> str:
        """The target and tables name it: import/path.FuzzX."""
        return f"{self.target.import_path}.{self.target.name}"

    def reserve(self) -> int:
        """Executions one request may make: 0 for as many as it likes, -1 when none are left."""
        if self.limit is None:
            return 0
        left = self.limit - self.counts.executions - self.counts.reserved
        if left <= 0:
            return -1
        # Halves, so that no worker takes all that is left while the others stand idle.
        granted = max(left // (2 * self.options.workers), min(left, 1000))
        self.counts.reserved += granted
        return granted

    def release(self, granted: int) -> None:
        """Give back what `reserve` granted, once the request is over."""
        self.counts.reserved -= max(granted, 0)

    def minimise_allowance(self) -> float:
        """Seconds that minimising kept inputs may take now."""
        earned = _KEPT_MINIMISE_START + _KEPT_MINIMISE_SHARE * self.counts.worker_seconds
        return max(earned - self.counts.minimise_seconds, 0.0)

    def execution_seconds(self) -> float:
        """What one execution takes of a worker's time on average, bookkeeping included."""
        return self.counts.worker_seconds / max(self.counts.executions, 1)

    def admit(self, row: InputRow, found: Features) -> Entry:
        """Take a stored input into the pool."""
        entry = Entry(
            id=row.id,
            hash=row.hash,
            data=row.data,
            # A measured time would decide what is favoured, differently in every run.
            exec_ns=row.exec_ns if self.options.seed is None else 1,
            found=found,
            fuzzable=is_fuzzable(values_of(row.data), self.options.shm_size),
        )
        self.pool.add(entry)
        return entry

    def keep(
        self,
        data: bytes,
        found: Features,
        exec_ns: int,
        *,
        source: str,
        why: str,
        parent: int | None,
    ) -> Entry:
        """Store an input; from its return on it survives whatever happens."""
        row = self.store.add_input(
            self.target.id,
            data=data,
            source=source,
            why=why,
            parent=parent,
            exec_ns=exec_ns,
            build_key=self.binary.key,
            coverage=pack(found),
            found_at=time.time(),
        )
        if why != "seed":
            self.counts.last_find = time.monotonic()
        return self.admit(row, found)

    def record_row(self, entry: Entry, row: InputRow) -> None:
        """`record`, as evidence of where the stored input came from."""
        self.record(entry, "fuzz" if row.source == "fuzz" else "seeds")

    def count_sights(self) -> None:
        """Have the store count the known crashes met again since the last call."""
        for key, times in self.crash_keys.items():
            # A crash still being looked into is not stored yet; its sights wait.
            if times and self.store.count_crash(self.target.id, key, times):
                self.crash_keys[key] = 0

    def record(self, entry: Entry, source: str) -> None:
        """Have the system calls of a kept input recorded, unless workers do that themselves."""
        if not self.in_process or self.has_c_code:
            self.record_outside(entry, source)

    def record_outside(self, entry: Entry, source: str) -> bool:
        """Have the recorder look at a kept input; False when there is none."""
        if self.capture is None:
            return False
        self.capture.submit(CaptureTask(entry.id, entry.data, source))
        return True

    def note(self, level: str, text: str) -> None:
        self.emit(Note(level, f"{self.label}: {text}"))


@lru_cache(maxsize=128)
def values_of(data: bytes) -> Input:
    """The values of a corpus file; the last ones are remembered, since finds come in runs."""
    return unmarshal(data)


def is_fuzzable(values: Input, shm_size: int) -> bool:
    """Whether Go's mutator takes *values*: it panics on byte arguments longer than this."""
    most = shm_size // len(values) - 100
    return all(not isinstance(v.raw, bytes) or len(v.raw) <= most for v in values)


def mutated(seed: bytes, outcome: Outcome, shm_size: int) -> Input:
    """The values of the execution that ended a Fuzz request, which the worker never sends."""
    mutations = (outcome.count - 1) % CHAINED_MUTATIONS + 1
    return replay(values_of(seed), outcome.rand_state, outcome.rand_inc, mutations, shm_size)
