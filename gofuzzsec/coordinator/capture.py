"""Recording system calls beside the campaign, in a thread of its own.

A recorder waits for traced processes, so it must not share the event loop's thread. The thread
owns the recorder and every process it starts (their parent-death signal is bound to it); tasks go
in and results come out through queues, and the coordinator thread alone writes the store.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.syscalls.model import Recorder, Recording


@dataclass(frozen=True, slots=True)
class CaptureTask:
    """One input to record. ``input_id`` is None for a probe: an input that is not kept (yet)."""

    input_id: int | None
    data: bytes
    source: str


@dataclass(frozen=True, slots=True)
class ProcessTask:
    """A whole process to record (the package's tests, the runtime baseline)."""

    source: str
    record: Callable[[], Recording]


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """``recording`` is None when the recorder failed; ``problem`` says how."""

    task: CaptureTask | ProcessTask
    recording: Recording | None
    problem: str = ""


class Capture:
    """One recorder thread. `submit`, `results` and `stop` are for the coordinator thread."""

    def __init__(self, name: str, make_recorder: Callable[[], Recorder]) -> None:
        self.name = name
        self.busy_seconds = 0.0  # written by the thread, read by anyone
        self._make_recorder = make_recorder
        self._tasks: queue.SimpleQueue[CaptureTask | ProcessTask | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[CaptureResult] = queue.SimpleQueue()
        self._pending = 0  # this and the next: coordinator thread only
        self._pending_inputs = 0
        self._stopping = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def submit(self, task: CaptureTask | ProcessTask) -> None:
        self._pending += 1
        self._pending_inputs += _is_kept(task)
        self._tasks.put(task)

    @property
    def pending(self) -> int:
        """Tasks whose result has not been taken yet."""
        return self._pending

    @property
    def pending_inputs(self) -> int:
        """Those of `pending` that are kept inputs, not probes or processes."""
        return self._pending_inputs

    def fileno(self) -> int:
        """Readable when `results` has something."""
        return self._wake

    def results(self) -> list[CaptureResult]:
        """All results there are; does not block."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return []
        found = []
        while not self._results.empty():
            found.append(self._results.get())
        self._pending -= len(found)
        self._pending_inputs -= sum(_is_kept(result.task) for result in found)
        return found

    def stop(self) -> None:
        """End the thread after the task under way; tasks not begun are dropped."""
        self._stopping.set()
        self._tasks.put(None)
        self._thread.join()
        os.close(self._wake)

    def _run(self) -> None:
        recorder: Recorder | None = None
        try:
            while (task := self._tasks.get()) is not None and not self._stopping.is_set():
                began = time.monotonic()
                if recorder is None and isinstance(task, CaptureTask):
                    recorder = self._try_make()
                self._results.put(_perform(task, recorder))
                self.busy_seconds += time.monotonic() - began
                os.eventfd_write(self._wake, 1)
        finally:
            if recorder is not None:
                recorder.close()

    def _try_make(self) -> Recorder | None:
        try:
            return self._make_recorder()
        except GofuzzsecError as error:
            return _Broken(str(error))


def _is_kept(task: CaptureTask | ProcessTask) -> bool:
    return isinstance(task, CaptureTask) and task.input_id is not None


class _Broken:
    """Stands for a recorder that would not start, so that each task's result says why."""

    name = "broken"

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def record(self, data: bytes) -> Recording:
        return Recording((), complete=False, problem=self._problem)

    def close(self) -> None:
        """Nothing was started."""


def _perform(task: CaptureTask | ProcessTask, recorder: Recorder | None) -> CaptureResult:
    try:
        if isinstance(task, ProcessTask):
            return CaptureResult(task, task.record())
        if recorder is None:
            return CaptureResult(task, None, "no recorder")
        return CaptureResult(task, recorder.record(task.data))
    except (GofuzzsecError, OSError) as error:
        return CaptureResult(task, None, str(error))
