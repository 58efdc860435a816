"""Seeing refused calls by the kernel's tracepoints, as root.

Exact where strace infers: the kernel passes a refused call's end and not its beginning. And the
goroutine is told. The program runs at nearly its own speed.

Of a thread that KILL_THREAD ends, the kernel passes neither; the run without the profile then tells
which call it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.model import Refusal
from gofuzzsec.coordinator.verifying.refusals import united
from gofuzzsec.coordinator.verifying.sight import Loaded, Subjected
from gofuzzsec.seccomp import install
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.model import Action
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.bpf.denials import Denial
from gofuzzsec.syscalls.bpf.evidence import Symbolizer, origin_of
from gofuzzsec.syscalls.bpf.tracer import Mode, TracedProgram, Tracer
from gofuzzsec.syscalls.model import Origin

_END = 2.0  # seconds that what the process left behind may still be followed for
_LOOK = 0.02
_ADDRESS = 1 << 20  # stands for an address, of which no rule can know the value


class KernelSight:
    """Implements `sight.Sight`. Owns a slot of the tracer until `close`."""

    def __init__(
        self, tracer: Tracer, judge: Judge, program: Subjected, loaded: Loaded | None
    ) -> None:
        """*tracer* has room for denials. Raises RecorderError, BinaryError."""
        self._judge = judge
        self._program = program
        self._loaded = loaded
        go = program.go
        traced = TracedProgram.of(go) if go is not None else TracedProgram(program.path, None)
        self._symbolizer = Symbolizer(go) if go is not None else None
        self._following = tracer.follow(traced, Mode.PROCESS)
        # The recorder begins behind the execve that starts the program; a refused one it does see.
        self._first = self._beginning() if loaded is None else []

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The launcher, which claims itself right before the filter, and *argv*."""
        if self._loaded is None:
            return tuple(argv)
        return (self._loaded.launcher(self._following.wish), *argv)

    def steps(self) -> Sequence[Callable[[], None]]:
        """Without a filter, the child claims itself."""
        if self._loaded is not None:
            return ()
        return (install.without_new_privileges, self._following.claim())

    def take(self) -> list[Refusal]:
        """What was not let through since the last time."""
        found = [self._refusal(each) for each in self._following.denials()]
        first, self._first = self._first, []
        return united([*first, *(refusal for refusal in found if refusal is not None)])

    def finish(self) -> list[Refusal]:
        """The same, once what the process started has ended too."""
        deadline = time.monotonic() + _END
        while self._following.running() and time.monotonic() < deadline:
            time.sleep(_LOOK)
        return self.take()

    def doubts(self) -> tuple[str, ...]:
        """What the recorder lost, and whether the process asked to be followed at all."""
        lost = self._following.problems()
        if self._following.claims:
            return lost
        return (*lost, "the program was not followed by the recorder; run it again")

    def close(self) -> None:
        """Follow no more. Safe to call twice."""
        self._following.close()

    def _beginning(self) -> list[Refusal]:
        verdict = self._judge.refuses("execve", (_ADDRESS,) * 3)
        return [] if verdict is None else [Refusal("execve", (), verdict, Origin.UNKNOWN)]

    def _refusal(self, seen: Denial) -> Refusal | None:
        call, arch = seen.call, self._judge.arch
        name = table.name(call.number, arch) or ""
        verdict = self._judge.refuses(name, seen.args, native=not call.compat)
        if name in table.KERNEL_ARTEFACTS or (seen.entered and verdict is None):
            return None
        task = self._following.processes()[call.process]
        started = task.child and not task.own if self._program.go is not None else True
        origin = Origin.TARGET
        if not call.compat and not started:
            origin = origin_of(call, name, self._symbolizer, test_binary=self._program.test_binary)
        return Refusal(
            name=name or f"syscall_{call.number:#x}",
            args=seen.args,
            # Refused against our reading of the profile: by the default action, or another filter.
            verdict=verdict or Verdict(Action.ERRNO, -seen.result),
            origin=origin,
            path=self._symbolizer.lines(call) if self._symbolizer is not None else (),
            goroutine=seen.goroutine,
            program=task.name if started else "",
            enforced=not seen.entered,
            count=call.count,
        )
