"""Recording a whole process with bpf: a package's own tests, the programs of the runtime baseline.

One run is enough: every call is counted with its stack.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.binary import GoProgram
from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.bpf.evidence import Symbolizer, recording_of
from gofuzzsec.syscalls.bpf.tracer import KernelCall, Mode, TracedProgram, Tracer
from gofuzzsec.syscalls.model import Recording
from gofuzzsec.toolchain.process import Child
from gofuzzsec.worker.child import dying_with_parent, in_turn

_GRACE = 2.0  # seconds that children with the process's output may outlive it
_OUTPUT = 16 << 10


@dataclass(frozen=True, slots=True)
class Followed:
    """How a whole process went. ``calls`` are what ``recording`` was made of. ``status`` is as in
    ``Popen.returncode``, None when it was killed for taking too long; ``output`` the begin and the
    end of what it printed."""

    recording: Recording
    calls: tuple[KernelCall, ...]
    status: int | None
    output: str


def follow_process(
    tracer: Tracer,
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
    *,
    test_binary: bool = False,
) -> Followed:
    """Run the Go program *argv* (``argv[0]``: its path) to its end, and record it.

    The recording is incomplete when the process was killed after *timeout* seconds. *test_binary*:
    see `attribute`. Raises RecorderError when it cannot be followed or started, BinaryError when it
    lacks what the probes need.
    """
    program = GoProgram.read(Path(argv[0]))
    following = tracer.follow(TracedProgram.of(program), Mode.PROCESS)
    try:
        # Claimed last: what comes before is no part of the program.
        prepare = in_turn(dying_with_parent(), following.claim())
        try:
            child = Child(argv, cwd=cwd, env=env, limit=_OUTPUT, merge=True, prepare=prepare)
        except OSError as error:
            raise RecorderError(f"expected {argv[0]} to start in {cwd}, found: {error}") from error
        with child:
            in_time = _wait(child, timeout)
            status = child.close()
        calls = following.take()
        problems = list(following.problems())
    finally:
        following.close()
    if not in_time:
        problems.append(f"the process was killed after {timeout:.0f} s")
    recording = recording_of(
        calls, Symbolizer(program), test_binary=test_binary, problems=tuple(problems)
    )
    return Followed(recording, tuple(calls), status if in_time else None, child.stdout.text())


def _wait(child: Child, timeout: float) -> bool:
    """Let *child* run to its end, and those it leaves behind for a moment; False if it took longer
    than *timeout*."""
    deadline = time.monotonic() + timeout
    while not child.exited and (left := deadline - time.monotonic()) > 0:
        child.step(left)
    grace = time.monotonic() + _GRACE
    while child.exited and child.printing and (left := grace - time.monotonic()) > 0:
        child.step(left)
    return child.exited
