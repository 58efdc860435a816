"""From recordings to evidence: what the recorder threads bring, written to the store in order.

The same desk looks for system calls beyond the kept inputs. A stock worker says nothing of the
calls of the inputs it mutates, so while the recorder has nothing to do it is given mutated inputs
(probes) for a small share of the time; a probe that shows a call not seen before is adopted.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

from gofuzzsec.coordinator.capture import Capture, CaptureResult, CaptureTask, ProcessTask
from gofuzzsec.coordinator.events import SyscallFound
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State, values_of
from gofuzzsec.corpus.format import marshal
from gofuzzsec.mutate import Mutator, Pcg
from gofuzzsec.syscalls.model import Origin, Recorder, Recording

_PROBE_SHARE = 0.03  # of one core
_PROBE_MUTATIONS = 5


class EvidenceDesk:
    """Owned by the coordinator thread; owns the thread that records whole processes."""

    def __init__(self, state: State, processes: Sequence[ProcessTask]) -> None:
        self._state = state
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

    def probe(self, elapsed: float) -> None:
        """Give an idle recorder a mutated input, if its share of *elapsed* seconds allows."""
        capture = self._state.capture
        if capture is None or capture.pending or self._state.closing or self._state.in_process:
            return
        if capture.busy_seconds > _PROBE_SHARE * elapsed:
            return
        entry = self._state.schedule.pick()
        if entry is None:
            return
        rng = Pcg.seeded(self._state.rng.getrandbits(63), 1)
        mutator = Mutator(rng, self._state.options.shm_size)
        values = list(values_of(entry.data))
        for _ in range(self._state.rng.randint(1, _PROBE_MUTATIONS)):
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
        """End the thread that records processes."""
        if self._processes is not None:
            self._processes.stop()
            self._processes = None

    # -- inside -------------------------------------------------------------------------------

    def _captures(self) -> list[Capture]:
        both = (self._state.capture, self._processes)
        return [capture for capture in both if capture is not None]

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
        self._state.store.add_process_recording(target, task.source, recording)
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
        origins = {use.name: use.origin for use in recording.uses}
        for name in new:
            self._names.add(name)
            origin = origins.get(name, Origin.UNKNOWN)
            state.emit(SyscallFound(state.label, name, entry.hash, origin.value))

    def _complain(self, problem: str) -> None:
        kind = problem.split(":", 1)[0]
        if kind not in self._told:
            self._told.add(kind)
            self._state.note("warning", problem)


def _no_recorder() -> Recorder:
    raise AssertionError("a thread that records whole processes has no inputs to record")
