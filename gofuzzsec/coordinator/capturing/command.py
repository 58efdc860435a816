"""`gofuzzsec capture -- COMMAND`: one command, followed from its start to its end."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable

from gofuzzsec.coordinator.capturing.coverdir import CoverDir
from gofuzzsec.coordinator.capturing.launch import run_attached
from gofuzzsec.coordinator.capturing.model import Captured, CommandOptions, Window
from gofuzzsec.coordinator.capturing.program import (
    Program,
    Watched,
    find_program,
    watched_functions,
)
from gofuzzsec.coordinator.capturing.watch import follow, open_tracer


def capture_command(options: CommandOptions, show: Callable[[Captured], None]) -> Captured:
    """Run the command of *options* to its end; what it did. *show* gets what is known at each
    interval.

    Raises UsageError for a command that cannot be started and functions that are not there,
    BinaryError for functions that cannot be watched, RecorderError when nothing can record here;
    the command was not started then.
    """
    program = find_program(options.command, options.binary)
    watched = watched_functions(program, options.functions) if options.functions else Watched(())
    with (
        open_tracer(options.recorder, functions=bool(options.functions)) as (tracer, doubt),
        follow(tracer, program, watched) as watch,
        CoverDir(program) as cover,
    ):
        doubts = [*watched.warnings, *filter(None, [doubt])]
        if program.problem:
            doubts.append(f"every call counts as the program's own: {program.problem}")
        blank = _blank(options, program, watch.name, tuple(doubts))

        def tick(seconds: float) -> None:
            show(_seen(blank, watch.look(), None, seconds))

        status, seconds = run_attached(
            watch.command(options.command),
            os.environ | cover.added,
            watch.steps(),
            interval=options.interval,
            tick=tick,
        )
        captured = _seen(blank, watch.finish(), status, seconds)
        coverage, problem = cover.read(options.go)
        warnings = (*captured.warnings, *filter(None, [problem]))
        return dataclasses.replace(captured, coverage=coverage, warnings=warnings)


def _blank(
    options: CommandOptions, program: Program, recorder: str, warnings: tuple[str, ...]
) -> Captured:
    """What is known before anything has run."""
    nothing = Window.empty()
    return Captured(
        subject=shlex.join(options.command),
        program=program.path,
        import_path=program.import_path,
        recorder=recorder,
        windows=(nothing,),
        everything=nothing,
        status=None,
        seconds=0.0,
        own=program.own,
        warnings=warnings,
    )


def _seen(
    blank: Captured, windows: tuple[Window, ...], status: int | None, seconds: float
) -> Captured:
    everything, *each = windows
    return dataclasses.replace(
        blank,
        everything=everything,
        windows=tuple(each) or windows,
        status=status,
        seconds=seconds,
    )
