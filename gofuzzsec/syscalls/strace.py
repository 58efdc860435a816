"""The strace recorder: what system calls one input makes, and who made each.

How an input is recorded
    It is executed twice in a worker under ``strace -f -i`` (no stacks). Calls between the worker's
    read of the request and its write of the reply are the input's. The instruction pointer alone
    tells the runtime's own calls from deliberate ones, and the process tells children's. When
    deliberate calls remain whose maker earlier stacks do not settle (`precedents.py`), the input
    is executed a third time in another worker under ``strace -k``, which prints a stack for each
    call, stopping only at calls that can be deliberate. Kinds and outcomes of calls come from the
    first two runs; source lines of stacks from the binary itself, stripped or not. A function
    without a frame of its own (Getppid's way into the kernel) hides its caller.

Why not always with stacks: measured here (strace 6.1 with libunwind, 2 cores, Go 1.26), a call
costs the traced program 0.03 ms without and 1 to 2.5 ms with its stack, since libunwind maps the
binary anew for every frame. An input without deliberate calls takes 0.3 ms to record once without
stacks and 5 ms with them (the scheduler's naps are unwound too); one that opens a file 0.7 and
33 ms; one with 20,000 calls 0.6 s, and with stacks never ends: a worker's own alarm fires at 10 s.

What the two runs of an input may get wrong, and how that shows
    Calls by goroutines that an earlier input left behind can fall into a later one's bracket. Such
    goroutines mostly give themselves away by calls *between* inputs: a name seen there makes the
    worker be replaced, and the input be run again in the fresh one, before that name is believed.
    Besides, a call that is new to the recorder is believed only when the input shows it in a fresh
    worker too. That also settles what a process does once (Go reads somaxconn at its first
    `Listen`): it is in the first of the two runs only, and comes again in a fresh worker. Whatever
    else is in one of two runs is not stable. Calls between inputs are reported with the next
    input, as not stable.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gofuzzsec.syscalls.attribution import attribute
from gofuzzsec.syscalls.brackets import Bracket, Calls, Details, total
from gofuzzsec.syscalls.model import Origin, Recording
from gofuzzsec.syscalls.places import OPEN_PLACES, Place, Sighting, Stack
from gofuzzsec.syscalls.precedents import Attributed, Precedents
from gofuzzsec.syscalls.symbols import read_symbols
from gofuzzsec.syscalls.table import words
from gofuzzsec.syscalls.traced import TracedRun, TracedWorker
from gofuzzsec.syscalls.tracer import available, find_strace
from gofuzzsec.syscalls.uses import stable_calls, uses_of
from gofuzzsec.worker import WorkerSpec

__all__ = ["StraceRecorder", "available"]

RARELY_DELIBERATE = words(
    """brk clock_nanosleep epoll_pwait epoll_wait futex getpid gettid madvise mmap mprotect munmap
    nanosleep rt_sigaction rt_sigprocmask rt_sigreturn sched_yield sigaltstack tgkill"""
)
"""Calls the runtime makes by the hundred, at the start or all the time; no stack is taken of them
until one is seen that may be deliberate."""

_NEEDED = frozenset({"read", "write", "execve", "clone", "clone3", "fork", "vfork"})
_MOST_STACKS = 4_000  # calls; at 2 ms each this is what fits a worker's 10 s, twice over is not
_HOT = 500
_MOST_DOUBTS = 3


class StraceRecorder:
    """Implements `model.Recorder`. Owns two workers under strace; one thread at a time."""

    name = "strace"

    def __init__(self, spec: WorkerSpec, scratch: Path) -> None:
        """*scratch* is a folder for this recorder alone; it is made.

        Raises RecorderError when strace cannot trace here or the binary cannot be read.
        """
        strace = find_strace()
        symbols = read_symbols(spec.binary)
        scratch.mkdir(parents=True, exist_ok=True)
        self._plain = TracedWorker(spec, scratch / "plain", strace, symbols)
        self._stacked: TracedWorker | None = None
        if strace.stacks:
            self._stacked = TracedWorker(spec, scratch / "stacks", strace, symbols, _key)
        self._demanded: set[str] = set()
        self._most_stacks = _MOST_STACKS
        self._precedents = Precedents()
        self._stray_names: set[str] = set()  # seen between inputs since the plain worker began
        self._verified: set[Sighting] = set()  # shown by an input alone in a fresh worker
        self._doubts: Counter[Sighting] = Counter()  # how often they were looked for there

    def record(self, data: bytes) -> Recording:
        """Run *data* (a marshalled corpus file) and report its system calls.

        Raises WorkerStartError when a worker does not start, UsageError when *data* is too large.
        """
        runs = self._run_plainly(data)
        calls = tuple(run.bracket.calls for run in runs)
        stable = stable_calls(calls)
        attributed: Attributed = {}
        hopeless = any(run.hopeless for run in runs)
        if not hopeless and not self._precedents.settled(stable):
            attributed = self._stacks(data, stable)
        stray = Bracket()
        for run in runs:
            for sighting, details in run.stray.calls.items():
                stray.add_all(sighting, details)
        problems = dict.fromkeys(
            text for run in runs for text in (run.problem, *run.stray.problems) if text
        )
        return Recording(
            uses=uses_of(calls, attributed, self._precedents, stray.calls),
            complete=not problems,
            problem="; ".join(problems),
        )

    def close(self) -> None:
        """End both workers and their tracers."""
        self._plain.stop()
        if self._stacked is not None:
            self._stacked.stop()

    def _run_plainly(self, data: bytes) -> tuple[TracedRun, ...]:
        """Two runs without stacks, or one that must not be repeated; again in a fresh worker when
        what was left behind by earlier inputs may be among their calls."""
        fresh = self._plain.executed == 0
        runs = self._run_twice(data)
        names = {s.name for s in stable_calls(tuple(r.bracket.calls for r in runs)) if _may(s)}
        if not fresh and names & self._stray_names:
            left_over = [run.stray for run in runs]
            self._stop_plain()
            runs = self._run_twice(data)
            for run, stray in zip(runs, left_over, strict=False):
                for sighting, details in stray.calls.items():
                    run.stray.add_all(sighting, details)
            fresh = True
        if len(runs) == 2 and not any(run.problem for run in runs):
            self._verify(data, runs[0], runs[1], fresh)
        return runs

    def _run_twice(self, data: bytes) -> tuple[TracedRun, ...]:
        runs = [self._plain.run(data)]
        if not runs[0].hopeless:
            runs.append(self._plain.run(data))
        for run in runs:
            self._stray_names.update(s.name for s in run.stray.calls if _may(s))
        return tuple(runs)

    def _verify(self, data: bytes, first: TracedRun, second: TracedRun, fresh: bool) -> None:
        """Run *data* once more, in a fresh worker, when a call is new and so far not sure.

        Calls that only *first* has and that come again there count for *second*. Calls of both
        that do not come there were left behind by an earlier input, and become strays.
        """
        one, two = first.bracket.calls, second.bracket.calls
        both = {sighting for sighting in one.keys() & two.keys() if _may(sighting)}
        if fresh:
            self._verified |= both
        once = {s for s in one.keys() - two.keys() if _may(s) and s.name not in self._stray_names}
        doubtful = {s for s in (both | once) - self._verified if self._doubts[s] < _MOST_DOUBTS}
        if not doubtful:
            return
        self._doubts.update(doubtful)
        self._stop_plain()
        third = self._plain.run(data)
        if third.problem:
            return
        shown = third.bracket.calls
        self._verified |= doubtful & shown.keys()
        for sighting in doubtful & once & shown.keys():
            two[sighting] = shown[sighting]
        for sighting in (doubtful & both) - shown.keys():
            second.stray.add_all(sighting, max(one.pop(sighting), two.pop(sighting), key=_sum))

    def _stop_plain(self) -> None:
        self._plain.stop()
        self._stray_names.clear()

    def _stacks(self, data: bytes, stable: Calls) -> Attributed:
        """Who made the calls of *data*, from a run with stacks; {} where that is of no use."""
        worker = self._stacked
        wanted = {s: n for s, n in total(stable).items() if s.place in OPEN_PLACES}
        hot = {s.name for s, n in wanted.items() if n > _HOT and self._precedents.only_target(s)}
        hot -= _NEEDED
        calls = sum(n for s, n in wanted.items() if s.name not in hot)
        attributed: Attributed = {}
        if worker is not None and calls <= self._most_stacks:
            self._demanded |= {s.name for s in wanted if s.name in RARELY_DELIBERATE}
            worker.leave_out((RARELY_DELIBERATE - self._demanded) | hot)
            attributed = self._run_stacked(worker, data, calls)
            missing = wanted.keys() - attributed.keys()
            if worker.executed > 1 and any(map(self._precedents.never_shown, missing)):
                worker.stop()  # what a process does once, this one has done before
                attributed = {**attributed, **self._run_stacked(worker, data, calls)}
        self._precedents.learn(stable, attributed)
        return attributed

    def _run_stacked(self, worker: TracedWorker, data: bytes, calls: int) -> Attributed:
        run = worker.run(data)
        if run.hopeless:
            self._most_stacks = max(100, calls // 2)
        return {
            sighting: {Origin(key): dict(found) for key, found in by_key.items()}
            for sighting, by_key in run.bracket.stacks.items()
        }


def _sum(details: Details) -> int:
    return sum(details.values())


def _key(stack: Stack) -> str:
    return attribute(stack).value


def _may(sighting: Sighting) -> bool:
    """Whether a leftover goroutine, and not the runtime, may have made it."""
    return sighting.place is not Place.RUNTIME
