"""Which recorder follows a process, and what every one of them can do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from gofuzzsec.coordinator.capturing.kernel import KernelWatch
from gofuzzsec.coordinator.capturing.model import Window
from gofuzzsec.coordinator.capturing.program import Program, Watched
from gofuzzsec.coordinator.capturing.straced import StraceWatch
from gofuzzsec.errors import RecorderError, UsageError
from gofuzzsec.syscalls.bpf.tracer import Tracer


class Watch(Protocol):
    """Follows one process and all that it starts; owned by one thread, which closes it."""

    name: str

    def command(self, argv: Sequence[str]) -> Sequence[str]:
        """What to run in place of *argv*, once."""
        ...

    def steps(self) -> Sequence[Callable[[], None]]:
        """What the child has to do before it execs (see `worker.child`)."""
        ...

    def look(self) -> tuple[Window, ...]:
        """The calls so far: everything first, then each function watched, if any is."""
        ...

    def finish(self) -> tuple[Window, ...]:
        """The same when the process has ended."""
        ...

    def close(self) -> None:
        """Stop following. Safe to call twice."""
        ...


@contextlib.contextmanager
def open_tracer(recorder: str, *, functions: bool) -> Iterator[tuple[Tracer | None, str]]:
    """The kernel's recorder, or None and the reason where strace has to do (*recorder* is what the
    user asked for: auto, bpf or strace).

    Raises RecorderError when what is needed cannot be had, UsageError for functions with strace.
    """
    if recorder == "strace":
        if functions:
            raise UsageError(
                "expected --recorder bpf for -f, found strace, which sees only whole processes; "
                "run as root without --recorder, or leave -f out"
            )
        yield None, ""
        return
    try:
        tracer = Tracer.open(slots=1)
    except RecorderError as error:
        if recorder == "bpf" or functions:
            raise
        yield None, f"recorded by strace, which slows the program down: {error}"
        return
    try:
        yield tracer, ""
    finally:
        tracer.close()


@contextlib.contextmanager
def follow(
    tracer: Tracer | None, program: Program, watched: Watched, *, test_binary: bool = False
) -> Iterator[Watch]:
    """Follow *program* with *tracer*, or with strace where there is none. Raises RecorderError."""
    watch: Watch
    if tracer is None:
        watch = StraceWatch(program, test_binary=test_binary)
    else:
        watch = KernelWatch(tracer, program, watched, test_binary=test_binary)
    try:
        yield watch
    finally:
        watch.close()
