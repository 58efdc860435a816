"""Every kept input of a target, run without the profile and under it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from gofuzzsec.coordinator.verifying.limits import Limits
from gofuzzsec.coordinator.verifying.model import Ended, Refusal
from gofuzzsec.coordinator.verifying.refusals import united
from gofuzzsec.coordinator.verifying.sight import Sight
from gofuzzsec.errors import WorkerStartError
from gofuzzsec.worker import Run, Verdict, Worker, WorkerSpec
from gofuzzsec.worker.child import in_turn
from gofuzzsec.worker.process import Watch
from gofuzzsec.worker.protocol import DEAD, Outcome

MakeSight = Callable[[], Sight]


@dataclass(frozen=True, slots=True)
class Input:
    """A kept input: the marshalled corpus file ``data``, named by its ``hash``."""

    hash: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CorpusRun:
    """How each input went, None for those that were not run. ``start`` are the refusals while a
    worker started, ``problem`` why none did, "" where they do; ``doubts`` as in `Sight`."""

    ended: tuple[Ended | None, ...]
    start: tuple[Refusal, ...]
    problem: str = ""
    doubts: tuple[str, ...] = ()


class Lane:
    """One worker that is looked at. Owned by one thread; restarted when an input kills it."""

    def __init__(self, spec: WorkerSpec, scratch: Path, make_sight: MakeSight) -> None:
        self._spec = spec
        self._scratch = scratch
        self._make_sight = make_sight
        self._sight: Sight | None = None
        self._worker: Worker | None = None
        self.start: list[Refusal] = []
        """What was refused before the first input, of all starts."""
        self.doubts: list[str] = []

    def run(self, data: bytes) -> Ended:
        """Run one input. Raises WorkerStartError, UsageError for one that is too large."""
        worker, sight = self._running()
        outcome = worker.call(Run(), data)
        if outcome.verdict in DEAD:
            refusals = sight.finish()
            self.close()
        else:
            refusals = sight.take()
        if outcome.verdict is Verdict.OK:
            return Ended(True, "", tuple(refusals))
        return Ended(False, _how(outcome), tuple(refusals))

    def close(self) -> None:
        """End the worker. Safe to call twice; the next `run` starts another."""
        worker, sight = self._worker, self._sight
        self._worker = self._sight = None
        if worker is not None:
            worker.close()
        if sight is not None:
            self.doubts += sight.doubts()
            sight.close()

    def _running(self) -> tuple[Worker, Sight]:
        if self._worker is not None and self._sight is not None:
            return self._worker, self._sight
        self._sight = sight = self._make_sight()
        steps = in_turn(*sight.steps())
        spec = replace(self._spec, wrapper=sight.command(()), watch=Watch(lambda: steps))
        self._worker = worker = Worker(spec, self._scratch)
        try:
            worker.start()
        except WorkerStartError:
            self.start += sight.finish()
            self.close()
            raise
        self.start += sight.take()
        return worker, sight


def run_corpus(
    inputs: Sequence[Input],
    spec: WorkerSpec,
    scratch: Path,
    make_sight: MakeSight,
    limits: Limits,
) -> CorpusRun:
    """Run *inputs* once each, in as many workers at a time as *limits* allow."""
    ended: list[Ended | None] = [None] * len(inputs)
    start: list[Refusal] = []
    doubts: list[str] = []
    problems: list[str] = []
    lock = threading.Lock()
    left = iter(range(len(inputs)))

    def work(number: int) -> None:
        lane = Lane(spec, scratch / str(number), make_sight)
        try:
            while not limits.over and not problems:
                with lock:
                    index = next(left, None)
                if index is None:
                    return
                ended[index] = lane.run(inputs[index].data)
        except WorkerStartError as error:
            problems.append(str(error))
        finally:
            lane.close()
            with lock:
                start.extend(lane.start)
                doubts.extend(lane.doubts)

    lanes = max(1, min(limits.workers, len(inputs)))
    with ThreadPoolExecutor(lanes, thread_name_prefix="verify") as pool:
        for done in [pool.submit(work, number) for number in range(lanes)]:
            done.result()
    problem = problems[0] if problems else ""
    return CorpusRun(tuple(ended), tuple(united(start)), problem, tuple(dict.fromkeys(doubts)))


def _how(outcome: Outcome) -> str:
    """The verdict and the first line that says more."""
    lines = (line.strip() for line in outcome.message.splitlines())
    line = next((line for line in lines if line and not line.startswith("--- FAIL")), "")
    return f"{outcome.verdict}: {line}" if line else str(outcome.verdict)
