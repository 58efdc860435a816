"""Keeping workers busy: an event loop over worker processes and the jobs they are given."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gofuzzsec.coordinator.pool import Pool
from gofuzzsec.coordinator.talk import Ask, Job
from gofuzzsec.coordinator.tokens import TokenBook
from gofuzzsec.worker import Fuzz, Outcome, Plan, Worker, WorkerSpec
from gofuzzsec.worker.agent_dialect import AgentDialect
from gofuzzsec.worker.protocol import DEAD

_TICK = 0.2  # seconds between looks at clocks (hangs, status) when nothing happens


@dataclass(slots=True)
class Slot:
    """One worker and its job. ``version`` is the pool's when this process was last told what is
    known, -1 for a fresh process, ``tokens`` likewise for the dictionary. ``began`` is when the
    request under way was sent."""

    worker: Worker
    job: Job | None = None
    version: int = -1
    tokens: int = -1
    began: float = 0.0


class Dispatcher:
    """Drives a fixed number of workers in one thread. Owns the workers."""

    def __init__(
        self, specs: Sequence[WorkerSpec], scratch: Path, pool: Pool, book: TokenBook
    ) -> None:
        """One worker for each of *specs*."""
        self._pool = pool
        self._book = book
        self._slots = [Slot(Worker(spec, scratch / f"worker-{i}")) for i, spec in enumerate(specs)]
        self.worker_seconds = 0.0  # time requests were under way, summed over workers

    def run(
        self,
        next_job: Callable[[], Job | None],
        tick: Callable[[], None],
        wake: Sequence[int],
        give_up: Callable[[], bool],
    ) -> None:
        """Work until *next_job* has none for any worker and the last outcome is in.

        *tick* is called at least every 0.2 s, and at once when a descriptor of *wake* is
        readable. Once *give_up* says so, jobs under way are closed where they are.
        Raises WorkerStartError when a worker cannot be (re)started.
        """
        while not give_up():
            for slot in self._slots:
                while slot.job is None and (job := next_job()) is not None:
                    self._begin(slot, job)
            if all(slot.job is None for slot in self._slots):
                break
            ready = self._wait(wake)
            late = not ready
            for slot in self._slots:
                if slot.job is not None and (late or ready & set(slot.worker.filenos())):
                    self._advance(slot)
            tick()
        self._abandon()

    def close(self) -> None:
        """End every worker process and remove their folders."""
        self._abandon()
        for slot in self._slots:
            slot.worker.close()

    def rest(self) -> None:
        """End every worker process; the next `run` starts them again."""
        self._abandon()
        for slot in self._slots:
            slot.worker.stop()
            slot.version = -1

    def _begin(self, slot: Slot, job: Job) -> None:
        slot.job = job
        self._continue(slot, lambda: next(job))

    def _advance(self, slot: Slot) -> None:
        outcome = slot.worker.poll()
        if outcome is None or slot.job is None:
            return
        self.worker_seconds += time.monotonic() - slot.began
        if outcome.verdict in DEAD:
            slot.version = -1
        job = slot.job

        def resume(reply: Outcome = outcome) -> Ask:
            return job.send(reply)

        self._continue(slot, resume)

    def _continue(self, slot: Slot, step: Callable[[], Ask]) -> None:
        try:
            request, data = step()
        except StopIteration:
            slot.job = None
            return
        if not slot.worker.running:
            slot.worker.start()
            self._learn_size(slot.worker)
            slot.version = slot.tokens = -1
        if isinstance(request, Fuzz) and slot.version != self._pool.version:
            request = replace(request, coverage=self._pool.known.tobytes())
            slot.version = self._pool.version
        elif isinstance(request, Plan):
            request = self._updated(slot, request)
        slot.began = time.monotonic()
        slot.worker.send(request, data)

    def _learn_size(self, worker: Worker) -> None:
        """An agent says how large its maps are before anything has run."""
        if isinstance(worker.dialect, AgentDialect):
            self._pool.begin(worker.dialect.snapshot_size)

    def _updated(self, slot: Slot, plan: Plan) -> Plan:
        """*plan* with the coverage and the dictionary that the worker has not been told of."""
        if slot.version != self._pool.version:
            plan = replace(plan, known=self._pool.known.tobytes())
            slot.version = self._pool.version
        if slot.tokens != self._book.version:
            plan = replace(plan, tokens=self._book.pairs())
            slot.tokens = self._book.version
        return plan

    def _wait(self, wake: Sequence[int]) -> set[int]:
        poller = select.poll()
        for fd in wake:
            poller.register(fd, select.POLLIN)
        for slot in self._slots:
            if slot.job is not None:
                for fd in slot.worker.filenos():
                    poller.register(fd, select.POLLIN)
        return {fd for fd, _ in poller.poll(_TICK * 1000)}

    def _abandon(self) -> None:
        for slot in self._slots:
            if slot.job is not None:
                job, slot.job = slot.job, None
                with contextlib.suppress(StopIteration):
                    job.close()
            if slot.worker.busy:
                slot.worker.stop()
                slot.version = -1
