"""From recordings to evidence: what the recorder threads bring, written to the store in order.

With bpf the kernel counts all that the workers do besides, kept inputs or not; the desk stores that
every few seconds and when a turn is over.

The same desk looks for system calls beyond the kept inputs. A stock worker says nothing of the
calls of the inputs it mutates, so while the recorder has nothing to do it is given mutated inputs
(probes) for a small share of the time; a probe that shows a call not seen before is adopted.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from gofuzzsec.coordinator.capture import Capture, CaptureResult, CaptureTask, ProcessTask
from gofuzzsec.coordinator.events import SyscallFound
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State, values_of
from gofuzzsec.corpus.format import marshal
from gofuzzsec.mutate import Mutator, Pcg
from gofuzzsec.syscalls.bpf.live import LiveCalls
from gofuzzsec.syscalls.model import Origin, Recorder, Recording

_PROBE_SHARE = 0.03  # of one core
_PROBE_MUTATIONS = 5
_FIRST_LOOK, _LOOK_SECONDS = 1.0, 10.0  # waits before looking at what the kernel counted
_CAMPAIGN = "campaign"


class EvidenceDesk:
    """Owned by the coordinator thread; owns the threads that record whole processes and that look
    at what the kernel counted."""

    def __init__(
        self, state: State, processes: Sequence[ProcessTask], live: LiveCalls | None = None
    ) -> None:
        self._state = state
        self._live = live
        self._looks = Capture(_CAMPAIGN, _no_recorder) if live is not None else None
        self._looked, self._wait = time.monotonic(), _FIRST_LOOK
        self._label = datetime.now(UTC).strftime("run of %Y-%m-%d %H:%M:%S.%f UTC")
        self._processes: Capture | None = None
        self._told: set[str] = set()  # problems already reported: once is enough
        self._names = set(state.store.behaviour(state.target.id))
        if state.in_process:
            state.take_calls = self.take_calls
        if processes:
            self._processes = Capture("processes", _no_recorder)
            for task in processes:
                self._processes.submit(task)

    @property
    def distinct(self) -> int:
        """System calls that inputs of this target were seen to make."""
        return len(self._names)

    @property
    def unrecorded(self) -> int:
        """Kept inputs whose calls are still to be recorded by this run."""
        capture = self._state.capture
        return capture.pending_inputs if capture is not None else 0

    def filenos(self) -> list[int]:
        """Descriptors that become readable when `collect` has something to do."""
        return [capture.fileno() for capture in self._captures()]

    def collect(self) -> None:
        """Store what has been recorded since the last call."""
        for capture in self._captures():
            for result in capture.results():
                self._take(result)

    def look(self) -> None:
        """Have what the kernel counted stored, if that was not done lately."""
        now = time.monotonic()
        if self._live is None or self._looks is None or self._looks.pending:
            return
        if now - self._looked >= self._wait:
            self._looked, self._wait = now, min(2 * self._wait, _LOOK_SECONDS)
            self._looks.submit(ProcessTask(_CAMPAIGN, self._live.look))

    def rest(self) -> None:
        """The turn is over and no worker runs: store all that they did."""
        if self._live is None or self._looks is None:
            return
        self._live.rest()
        while self._looks.pending:  # or an older picture would come after this one
            select.select([self._looks.fileno()], [], [], 1.0)
            self._looks.results()
        self._take(CaptureResult(ProcessTask(_CAMPAIGN, self._live.look), self._live.look()))

    def probe(self, elapsed: float) -> None:
        """Give an idle recorder a mutated input, if its share of *elapsed* seconds allows."""
        state, capture = self._state, self._state.capture
        if capture is None or capture.pending or state.closing or state.in_process or state.marked:
            return
        if capture.busy_seconds > _PROBE_SHARE * elapsed:
            return
        entry = state.schedule.pick()
        if entry is None:
            return
        rng = Pcg.seeded(state.rng.getrandbits(63), 1)
        mutator = Mutator(rng, state.options.shm_size)
        values = list(values_of(entry.data))
        for _ in range(state.rng.randint(1, _PROBE_MUTATIONS)):
            mutator.mutate(values)
        capture.submit(CaptureTask(None, marshal(values), "fuzz"))

    def drain(self, seconds: float, stop: Callable[[], bool]) -> int:
        """Collect until nothing is pending, *seconds* are over, or *stop* says so; what is left."""
        deadline = time.monotonic() + seconds
        while self._pending() and time.monotonic() < deadline and not stop():
            select.select(self.filenos(), [], [], 0.2)
            self.collect()
        return self._pending()

    def close(self) -> None:
        """End the threads that record processes and look at what the kernel counted."""
        for capture in (self._processes, self._looks):
            if capture is not None:
                capture.stop()
        self._processes = self._looks = self._live = None

    # -- inside -------------------------------------------------------------------------------

    def _captures(self) -> list[Capture]:
        every = (self._state.capture, self._processes, self._looks)
        return [capture for capture in every if capture is not None]

    def _pending(self) -> int:
        return sum(capture.pending for capture in self._captures())

    def _take(self, result: CaptureResult) -> None:
        if result.recording is None:
            self._complain(f"recording system calls failed: {result.problem}")
        elif isinstance(result.task, ProcessTask):
            self._take_process(result.task, result.recording)
        elif result.task.input_id is None:
            self._take_probe(result.task, result.recording)
        else:
            self._take_input(result.task.input_id, result.task, result.recording)

    def _take_process(self, task: ProcessTask, recording: Recording) -> None:
        target = self._state.target.id
        label = self._label if task.source == _CAMPAIGN else ""
        self._state.store.add_capture(target, task.source, label, recording)
        if not recording.complete:
            self._complain(f"the system calls of {task.source} are incomplete: {recording.problem}")

    def _take_probe(self, task: CaptureTask, recording: Recording) -> None:
        if recording.behaviour() - self._names or not recording.complete:
            # Kept only if it runs; an incomplete recording may mean that it kills the worker.
            keep = bool(recording.behaviour() - self._names)
            self._state.adoptions.append((task.data, keep))

    def take_calls(self, entry: Entry, recording: Recording, source: str) -> None:
        """Store what a boosted worker traced while it ran *entry*.

        What a started process does is not in it, so the recorder is asked about such an input.
        """
        outside = not recording.complete and self._state.record_outside(entry, source)
        self._store(entry, recording, source, tell=not outside)

    def _take_input(self, input_id: int, task: CaptureTask, recording: Recording) -> None:
        state = self._state
        entry = state.pool.entries.get(input_id)
        if entry is None or entry.data != task.data:
            return  # replaced by a smaller form, which has a task of its own
        self._store(entry, recording, task.source)

    def _store(self, entry: Entry, recording: Recording, source: str, *, tell: bool = True) -> None:
        state = self._state
        if tell and not recording.complete:
            self._complain(
                f"the system calls of input {entry.hash} are incomplete: {recording.problem}"
            )
        new = state.store.add_recording(state.target.id, entry.id, recording, source)
        owned = {use.name for use in recording.uses if use.stable and use.origin is Origin.TARGET}
        for name in new:
            self._names.add(name)
            if state.schedule.direction is not None:
                state.schedule.direction.reached(name, entry.hash, state.counts.executions)
            origin = Origin.TARGET if name in owned else Origin.UNKNOWN
            state.emit(SyscallFound(state.label, name, entry.hash, origin.value))

    def _complain(self, problem: str) -> None:
        kind = problem.split(":", 1)[0]
        if kind not in self._told:
            self._told.add(kind)
            self._state.note("warning", problem)


def _no_recorder() -> Recorder:
    raise AssertionError("a thread that records whole processes has no inputs to record")
