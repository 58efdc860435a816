"""The bpf recorder: what system calls one input makes, who made each, and how each ended.

An input is executed twice in a worker of its own, which speaks Go's own protocol: there the fuzz
function runs on a new goroutine for each input, born while the input's window is open. The window
opens when the worker has read the request and closes when it writes the reply; in it are the
goroutines born in it, what they start, and what the runtime does meanwhile. A goroutine or process
that an earlier input left behind is outside: its calls are reported, so that none is lost, but not
as stable.

A call is stable when both runs show it, whatever its values. What a process does once (the poller's
set-up, Go reads somaxconn at its first `Listen`) is in the first of the two only; so when a call of
the target's is in the first run alone, the input is run again in a fresh worker, and what comes
again there is the input's. Calls that only the runtime makes need no such proof: whether a
collection fell into one run or the other is chance.
"""

from __future__ import annotations

import dataclasses
import select
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gofuzzsec.syscalls.bpf.evidence import Symbolizer, recording_of
from gofuzzsec.syscalls.bpf.tracer import Following, KernelCall, Mode, TracedProgram, Tracer
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse, UseForm, UseKey
from gofuzzsec.worker import Outcome, Run, Verdict, Watch, Worker, WorkerSpec
from gofuzzsec.worker.protocol import DEAD

_SCHEDULER = "scheduler"
_MOST_DOUBTS = 3  # fresh workers that a call seen once is looked for in


@dataclass(frozen=True, slots=True)
class _Executed:
    """One execution: the input's calls, those of others meanwhile. ``dead``: the worker ended."""

    inside: Recording
    outside: Recording
    dead: Verdict | None


class BpfRecorder:
    """Implements `model.Recorder`. Owns one worker and its `Following`; one thread at a time."""

    name = "bpf"

    def __init__(
        self,
        spec: WorkerSpec,
        scratch: Path,
        tracer: Tracer,
        program: TracedProgram,
        symbolizer: Symbolizer,
    ) -> None:
        """*scratch* is a folder for this recorder alone; it is made. Raises RecorderError when
        the kernel refuses."""
        self._symbolizer = symbolizer
        self._following: Following = tracer.follow(program, Mode.INPUTS)
        spec = dataclasses.replace(spec, agent=None, watch=Watch(self._following.claim))
        self._worker = Worker(spec, scratch)
        self._doubts: dict[UseForm, int] = {}

    def record(self, data: bytes) -> Recording:
        """Run *data* (a marshalled corpus file) and report its system calls.

        Raises WorkerStartError when a worker does not start, UsageError when *data* is too large.
        """
        runs = [self._run(data)]
        if runs[0].dead is None or runs[0].dead is Verdict.CRASH:
            runs.append(self._run(data))
        again = frozenset[UseForm]()
        if len(runs) > 1 and not any(run.dead for run in runs):
            again = self._look_again(data, runs[0], runs[1])
        return _together(runs, again)

    def close(self) -> None:
        """End the worker, and stop following it."""
        self._worker.close()
        self._following.close()

    def _look_again(self, data: bytes, first: _Executed, second: _Executed) -> frozenset[UseForm]:
        """Calls that only the first run of *data* made, and that come again in a fresh worker."""
        once = {
            key
            for key in _forms(first.inside) - _forms(second.inside)
            if key[3] is not Origin.RUNTIME and self._doubts.get(key, 0) < _MOST_DOUBTS
        }
        if not once:
            return frozenset()
        for key in once:
            self._doubts[key] = self._doubts.get(key, 0) + 1
        self._worker.stop()
        third = self._run(data)
        return frozenset(once & _forms(third.inside)) if third.dead is None else frozenset()

    def _run(self, data: bytes) -> _Executed:
        before = self._running()
        outcome = self._call(data)
        calls = self._following.take()
        problems = list(self._following.problems())
        dead = outcome.verdict if outcome.verdict in DEAD else None
        if dead is not None:
            problems.append(f"the worker ended under this input ({dead})")
        inside = [call for call in calls if call.windows]
        outside = [
            call for call in (*before, *calls) if not call.windows and call.place != _SCHEDULER
        ]
        return _Executed(self._recording(inside, problems), self._recording(outside, ()), dead)

    def _running(self) -> list[KernelCall]:
        """See to it that the worker runs; its calls since the last input."""
        if self._worker.running:
            return self._following.take()
        self._worker.start()
        self._following.take()  # what it takes to start is nobody's input
        return []

    def _recording(self, calls: Sequence[KernelCall], problems: Sequence[str]) -> Recording:
        return recording_of(calls, self._symbolizer, test_binary=True, problems=tuple(problems))

    def _call(self, data: bytes) -> Outcome:
        self._worker.send(Run(), data)
        while (outcome := self._worker.poll()) is None:
            select.select(self._worker.filenos(), [], [], 0.25)
        return outcome


def _forms(recording: Recording) -> set[UseForm]:
    return {use.form for use in recording.uses}


def _together(runs: Sequence[_Executed], again: frozenset[UseForm]) -> Recording:
    """One recording of all *runs* of an input; *again* are stable whatever the runs say."""
    stable = set.intersection(*(_forms(run.inside) for run in runs)) if len(runs) > 1 else set()
    stable |= again
    uses: dict[UseKey, SyscallUse] = {}
    for run in runs:
        for use in run.inside.uses:
            known = uses.get(use.key)
            uses[use.key] = replace(
                known or use,
                count=max(use.count, known.count if known else 0),
                stable=use.form in stable,
                stack=(known.stack if known else ()) or use.stack,
            )
    for run in runs:
        for use in run.outside.uses:
            uses.setdefault(use.key, replace(use, stable=False))
    problems = dict.fromkeys(run.inside.problem for run in runs if run.inside.problem)
    return Recording(tuple(uses[key] for key in sorted(uses)), not problems, "; ".join(problems))
