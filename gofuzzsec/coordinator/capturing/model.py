"""What a capture is asked for, and what it saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gofuzzsec.coverage.profile import Coverage
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse

MOST_WINDOWS = 64
"""Functions watched at a time: each has a bit in the recorder's mask."""


@dataclass(frozen=True, slots=True)
class Window:
    """The calls made while one function ran, or one test, or (name "") the whole process.

    ``recording`` holds each (name, kind, outcome, origin) once. ``paths`` holds a use for each
    stack that led to a call, counted apart; empty where the recorder takes no stacks.
    """

    name: str
    recording: Recording
    paths: tuple[SyscallUse, ...] = ()

    @classmethod
    def empty(cls) -> Window:
        """What is known before anything has run."""
        return cls("", Recording(()))

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct system calls, sorted; without those of the test harness."""
        uses = self.recording.uses
        return tuple(sorted({use.name for use in uses if use.origin is not Origin.HARNESS}))

    @property
    def calls(self) -> int:
        """How many were made, by anyone but the harness."""
        uses = self.recording.uses
        return sum(use.count for use in uses if use.origin is not Origin.HARNESS)


@dataclass(frozen=True, slots=True)
class Captured:
    """One run of a program or of a package's tests.

    ``subject`` names it for people: the command line, or the package. ``program`` is the Go binary
    (of a command that is none: what it runs). ``import_path`` is its package, "" when unknown.
    ``windows`` are the functions or tests asked for, or the whole process alone; ``everything`` is
    all of them together, each call once even where windows overlap. ``status`` is as in
    ``Popen.returncode``, None while it still runs; ``seconds`` is how long it has run. ``coverage``
    is statements by import path, empty for what was built without -cover. ``own`` are the import
    paths (and all below) of the user's code. ``output`` is the end of what tests that failed
    printed; a command prints for itself.
    """

    subject: str
    program: Path
    import_path: str
    recorder: str
    windows: tuple[Window, ...]
    everything: Window
    status: int | None
    seconds: float
    coverage: dict[str, Coverage] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    test_binary: bool = False
    warnings: tuple[str, ...] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What `capture -- COMMAND` is asked for. ``interval`` is seconds, None for never."""

    command: tuple[str, ...]
    functions: tuple[str, ...] = ()
    binary: Path | None = None
    recorder: str = "auto"
    interval: float | None = None
    go: str | None = None


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """What `capture --tests PACKAGES` is asked for. ``run`` is a regular expression of Go's
    ``-test.run``; ``by_test`` makes each test function a window."""

    packages: tuple[str, ...]
    functions: tuple[str, ...] = ()
    by_test: bool = False
    run: str | None = None
    recorder: str = "auto"
    tags: str = ""
    go: str | None = None
