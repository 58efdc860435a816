"""One target's campaign: seeds first, then turn after turn until told to stop.

A `Campaign` lives through several turns when targets share the time; between turns its worker
processes are ended and everything it knows stays. Whatever is reported as kept (an input, a
crash, a system call) is committed to the store before it is reported.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from gofuzzsec.coordinator.capture import ProcessTask
from gofuzzsec.coordinator.dispatch import Dispatcher
from gofuzzsec.coordinator.events import Started, Stats, Status, Toward
from gofuzzsec.coordinator.evidence import EvidenceDesk
from gofuzzsec.coordinator.jobs import (
    Seed,
    adopt_job,
    batch_job,
    fuzz_job,
    plan_job,
    refresh_job,
    seed_job,
)
from gofuzzsec.coordinator.jobs.batch import MOST_BYTES, MOST_INPUTS
from gofuzzsec.coordinator.jobs.probe import probe_job
from gofuzzsec.coordinator.probing import Prober
from gofuzzsec.coordinator.state import State
from gofuzzsec.coordinator.talk import Job
from gofuzzsec.coverage import unpack
from gofuzzsec.store import InputRow
from gofuzzsec.syscalls.bpf.live import LiveCalls
from gofuzzsec.worker import WorkerSpec

_STATUS_SECONDS = 1.0
_STATS_SECONDS = 10.0  # between rows of the time series
_TOWARD_SECONDS = 3600.0  # between reports of what a directed campaign reached
_GRACE = 3.0  # seconds that jobs get to store what they are about to find out, once told to end


class Campaign:
    """Fuzzes one target. Owns its workers and its recorder thread; `close` ends them."""

    def __init__(
        self,
        state: State,
        seeds: Iterable[Seed],
        processes: Sequence[ProcessTask],
        scratch: Path,
        live: LiveCalls | None = None,
        why: str = "",
    ) -> None:
        """*processes* are recorded beside the fuzzing; *scratch* is for the workers' folders.
        *live* follows the workers when the recorder is bpf; *why* that recorder (see `choice`)."""
        self.state = state
        self._live = live
        self._why = why
        # Short ones first: where seeds are slow, they are the first to let fuzzing begin.
        self._seeds = deque(sorted(seeds, key=lambda seed: len(seed.data)))
        self._refreshes: deque[InputRow] = deque()
        self._resumed = 0
        self._started = False
        self._elapsed = 0.0  # of turns that are over
        self._turn_began = 0.0
        self._last_status = 0.0
        self._last_stats = 0.0
        self._last_toward = 0.0  # of the time fuzzed
        self._stop: Callable[[], bool] = lambda: False
        self._deadline: float | None = None
        self._closing_since = 0.0
        self._build_noted = False
        self._alternate = False
        self._prober = Prober(state.rng, state.pool, state.tokens)
        self._desk = EvidenceDesk(state, processes, live)
        options = state.options
        spec = WorkerSpec(
            binary=state.binary.path,
            target=state.target.name,
            cwd=state.binary.cwd,
            memory_limit=options.memory_limit,
            hang_timeout=options.hang_timeout,
            shm_size=options.shm_size,
            gomaxprocs=options.gomaxprocs,
            gogc=options.gogc,
            agent=state.types if state.binary.boosted else None,
        )
        specs = [spec] * options.workers
        if live is not None:
            specs = [
                replace(spec, watch=live.watch(worker, marked=state.marked))
                for worker in range(options.workers)
            ]
        self._dispatcher = Dispatcher(specs, scratch, state.pool, state.tokens)
        self._load()

    # -- life ---------------------------------------------------------------------------------

    def turn(self, seconds: float | None, stop: Callable[[], bool]) -> None:
        """Work for *seconds* of wall time (None: until *stop* says so, or the limit is used up).

        Raises WorkerStartError when the target will not start.
        """
        self._turn_began = time.monotonic()
        self._deadline = None if seconds is None else self._turn_began + seconds
        self._stop = stop
        self.state.closing = False
        if self._live is not None:
            self._live.begin()
        if not self._started:
            self._announce()
        try:
            self._dispatcher.run(
                self._next_job, self._tick, self._desk.filenos(), self._must_give_up
            )
        finally:
            self._elapsed += time.monotonic() - self._turn_began
            self._turn_began = 0.0
            self.state.counts.worker_seconds = self._dispatcher.worker_seconds
            self._dispatcher.rest()
            self._desk.rest()
            self._report(final=True)

    def drain(self, seconds: float, stop: Callable[[], bool]) -> int:
        """Wait at most *seconds* for recordings still to be made; how many are left.

        What is left is recorded when the campaign is resumed.
        """
        left = self._desk.drain(seconds, stop)
        self._report(final=True)
        return left

    def close(self) -> None:
        """End workers and recorder."""
        self._dispatcher.close()
        self._desk.close()
        if self.state.capture is not None:
            self.state.capture.stop()
            self.state.capture = None

    @property
    def exhausted(self) -> bool:
        """True when the executions allowed are used up, or there is nothing to mutate."""
        limit = self.state.limit
        if limit is not None and self.state.counts.executions >= limit:
            return True
        return self._started and not self._seeds and not any(e.fuzzable for e in self.state.pool)

    def stats(self) -> Stats:
        """The picture of this moment."""
        state, now = self.state, time.monotonic()
        counts, direction = state.counts, state.schedule.direction
        running = now - self._turn_began if self._turn_began else 0.0
        elapsed = self._elapsed + running
        last = None if counts.last_find is None else now - counts.last_find
        return Stats(
            target=state.label,
            elapsed=elapsed,
            executions=counts.before + counts.executions,
            session_executions=counts.executions,
            executions_per_second=counts.executions / elapsed if elapsed > 0 else 0.0,
            edges=state.pool.edges(),
            corpus=len(state.pool),
            syscalls=self._desk.distinct,
            crashes=len(state.crash_keys),
            last_find=last,
            unrecorded=self._desk.unrecorded,
            goals=None if direction is None else len(direction.goals),
            nearest=None if direction is None else direction.nearest,
        )

    def toward(self) -> Toward | None:
        """What was reached and what remains; None for a campaign that is not directed."""
        direction = self.state.schedule.direction
        if direction is None:
            return None
        return direction.picture(self.state.label, self.state.pool.entries, self.stats().elapsed)

    # -- inside -------------------------------------------------------------------------------

    def _load(self) -> None:
        """Take up what the store holds: measured inputs at once, others to be measured again."""
        state = self.state
        state.counts.before = state.store.executions(state.target.id)
        for row in state.store.inputs(state.target.id):
            self._resumed += 1
            self._refreshes.append(row)
        for crash in state.store.crashes(state.target.id):
            state.crash_keys[crash.key] = 0
        builds = {build.key: build for build in state.store.builds(state.target.id)}
        if state.binary.key not in builds:
            return
        state.pool.begin(builds[state.binary.key].counters)
        stale: deque[InputRow] = deque()
        for row in self._refreshes:
            unseen = state.in_process and not row.recorded
            if row.build_key != state.binary.key or unseen:
                stale.append(row)
                continue
            entry = state.admit(row, unpack(row.coverage))
            if not row.recorded:
                state.record_row(entry, row)
        self._refreshes = stale

    def _announce(self) -> None:
        self._started = True
        self.state.emit(
            Started(
                target=self.state.label,
                workers=self.state.options.workers,
                seeds=len(self._seeds),
                resumed=self._resumed,
                capture=self._capture_name(),
                why=self._why,
            )
        )

    def _capture_name(self) -> str:
        state = self.state
        if state.capture is None:
            return "in-process" if state.in_process else "off"
        return f"in-process and {state.capture.name}" if state.in_process else state.capture.name

    def _next_job(self) -> Job | None:
        state = self.state
        if state.closing:
            return None
        if state.binary.boosted and (self._refreshes or self._seeds):
            # Slow seeds must not keep all workers from what the others already found.
            self._alternate = not self._alternate
            if self._alternate or not state.pool.entries:
                return self._batch_job()
        if state.binary.boosted:
            return self._plan_job()
        if self._refreshes:
            return refresh_job(state, self._refreshes.popleft())
        if self._seeds:
            return seed_job(state, self._seeds.popleft())
        if state.adoptions:
            return adopt_job(state, *state.adoptions.pop())
        limit = state.limit
        if limit is not None and state.counts.executions + state.counts.reserved >= limit:
            return None
        entry = state.schedule.pick()
        return fuzz_job(state, entry) if entry is not None else None

    def _batch_job(self) -> Job:
        workers = self.state.options.workers
        if self._refreshes:
            rows = self._refreshes
            batch = _batch(rows, workers)
            return batch_job(self.state, batch, lambda left: rows.extendleft(left[::-1]))
        seeds = self._seeds
        first = _batch(seeds, workers)
        return batch_job(self.state, first, lambda left: seeds.extendleft(left[::-1]))

    def _plan_job(self) -> Job | None:
        state = self.state
        if state.adoptions:
            return adopt_job(state, *state.adoptions.pop())
        limit = state.limit
        if limit is not None and state.counts.executions + state.counts.reserved >= limit:
            return None
        if not state.pool.entries:
            return None
        return self._probe_job() or plan_job(state)

    def _probe_job(self) -> Job | None:
        """Words to try on what is nearest to a system call, if the campaign is directed."""
        direction = self.state.schedule.direction
        if direction is None:
            return None
        entries = self.state.pool.entries
        nearest = (entries[number] for number in direction.frontier() if number in entries)
        entry = self._prober.next(nearest, self.state.counts.executions)
        return probe_job(self.state, self._prober, entry) if entry is not None else None

    def _should_close(self) -> bool:
        if self._stop():
            return True
        if self.state.options.stop_on_crash and self.state.new_crashes:
            return True
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _must_give_up(self) -> bool:
        if not self.state.closing:
            if self._should_close():
                self.state.closing = True
                self._closing_since = time.monotonic()
            return False
        return time.monotonic() > self._closing_since + _GRACE

    def _tick(self) -> None:
        if not self._build_noted and self.state.pool.counters:
            self._build_noted = True
            binary = self.state.binary
            self.state.store.add_build(
                self.state.target.id, binary.key, binary.go_version, self.state.pool.counters
            )
        self.state.counts.worker_seconds = self._dispatcher.worker_seconds
        self._desk.collect()
        self._desk.look()
        self._desk.probe(time.monotonic() - self._turn_began + self._elapsed)
        if time.monotonic() - self._last_status >= _STATUS_SECONDS:
            self._report(final=False)

    def _report(self, *, final: bool) -> None:
        now = time.monotonic()
        stats = self.stats()
        self._last_status = now
        if final or now - self._last_stats >= _STATS_SECONDS:
            self._last_stats = now
            self.state.count_sights()
            self.state.incidence.flush()
            times = os.times()
            self.state.store.add_stats(
                self.state.target.id,
                at=time.time(),
                executions=stats.executions,
                edges=stats.edges,
                corpus=stats.corpus,
                syscalls=stats.syscalls,
                crashes=stats.crashes,
                cpu_seconds=sum(times[:4]),
            )
        self.state.emit(Status(stats))
        if stats.goals is not None and stats.elapsed - self._last_toward >= _TOWARD_SECONDS:
            self._last_toward = stats.elapsed
            if (picture := self.toward()) is not None:
                self.state.emit(picture)


_T = TypeVar("_T", Seed, InputRow)


def _batch(queue: deque[_T], workers: int) -> list[_T]:
    """Inputs off the front of *queue*, not empty, that make one batch and leave some for others."""
    most = min(-(-len(queue) // (2 * workers)), MOST_INPUTS)
    batch = [queue.popleft()]
    size = len(batch[0].data)
    while queue and len(batch) < most and size + len(queue[0].data) <= MOST_BYTES:
        size += len(queue[0].data)
        batch.append(queue.popleft())
    return batch
