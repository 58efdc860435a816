"""Which program a command runs, and which of its functions are meant."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gofuzzsec.binary import (
    Function,
    FunctionProbe,
    GoProgram,
    function_probe,
    resolve,
)
from gofuzzsec.binary.table import is_short_for
from gofuzzsec.coordinator.capturing.model import MOST_WINDOWS
from gofuzzsec.errors import BinaryError, UsageError
from gofuzzsec.syscalls.attribution import package_of
from gofuzzsec.syscalls.bpf.tracer import TracedProgram


@dataclass(frozen=True, slots=True)
class Program:
    """A file that is going to be executed. ``go`` is None for what is no Go program; ``problem``
    then says why. ``traced`` is what the kernel's recorder follows it by. ``started`` is False when
    the command itself is another program, which starts this one."""

    path: Path
    go: GoProgram | None
    traced: TracedProgram
    problem: str = ""
    started: bool = True

    @property
    def import_path(self) -> str:
        """Of the main package; for anything else the file's name."""
        known = self.go.build.path if self.go is not None else ""
        return known or self.path.name

    @property
    def own(self) -> tuple[str, ...]:
        """Import paths of the user's code: the main module, and package main."""
        if self.go is None:
            return ()
        module = self.go.build.main.path if self.go.build.main is not None else ""
        return tuple(path for path in (module, self.go.build.path, "main") if path)

    @property
    def counts_statements(self) -> bool:
        """Whether it was built with -cover, and so leaves its counters in GOCOVERDIR."""
        return self.go is not None and self.go.build.settings.get("-cover") == "true"


def find_program(command: Sequence[str], binary: Path | None) -> Program:
    """The program that *command* runs: *binary* where it is given (the command is a script or
    another program that starts it), else the first word as found on PATH.

    Raises UsageError when there is none.
    """
    found = shutil.which(command[0])
    if found is None:
        raise UsageError(
            f"expected a program to run at {command[0]}, found none that can be executed; "
            "check the name, or give the path"
        )
    path = Path(os.path.realpath(found))
    if binary is None or path.samefile(binary):
        return read_program(path)
    return replace(read_program(Path(os.path.realpath(binary))), started=False)


def read_program(path: Path) -> Program:
    """What is at *path*, which may be no Go program at all."""
    try:
        go = GoProgram.read(path)
        return Program(path, go, TracedProgram.of(go))
    except BinaryError as error:
        return Program(path, None, TracedProgram(path, None), str(error))


@dataclass(frozen=True, slots=True)
class Watched:
    """The functions to watch, in the order in which their bits are given, and doubts about them."""

    probes: tuple[FunctionProbe, ...]
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called in reports."""
        return tuple(probe.name for probe in self.probes)


def watched_functions(program: Program, patterns: Sequence[str]) -> Watched:
    """The functions of *program* that *patterns* mean, each once.

    Raises UsageError for a pattern that fits none, or several without being a glob, and for more
    functions than can be watched at a time; BinaryError for one that cannot be watched.
    """
    if program.go is None:
        raise UsageError(
            f"expected a Go program for -f, found: {program.problem}; name the program that the "
            "command starts with --binary, or leave -f out to capture the whole process"
        )
    chosen = {each.address: each for text in patterns for each in _resolve(program.go, text)}
    if len(chosen) > MOST_WINDOWS:
        some = ", ".join(each.name for each in list(chosen.values())[:3])
        raise UsageError(
            f"expected at most {MOST_WINDOWS} functions for -f, found {len(chosen)} ({some}, …); "
            "give a narrower pattern, or capture them in several runs"
        )
    return watch_each(program.go, list(chosen.values()))


def watch_each(program: GoProgram, functions: Sequence[Function]) -> Watched:
    """Probes for *functions*, without those that have none if others do. Raises BinaryError."""
    probes: list[FunctionProbe] = []
    warnings: list[str] = []
    for function in functions:
        try:
            probe = function_probe(program, function)
        except BinaryError as error:
            if len(warnings) + 1 == len(functions):
                raise
            warnings.append(f"{function.name} cannot be watched: {error}")
            continue
        probes.append(probe)
        if probe.inlined_into:
            warnings.append(_inlined(probe))
    return Watched(tuple(probes), tuple(warnings))


def _resolve(program: GoProgram, pattern: str) -> tuple[Function, ...]:
    """`resolve`, also for globs without the beginning of the package's path; what exists only as
    inlined copies gets an error of its own."""
    try:
        return resolve(program, pattern)
    except UsageError as error:
        if "*" in pattern and (found := program.functions.matching(f"*/{pattern}")):
            return found
        names = program.pclntab.name_table.decode("utf-8", "replace").split("\0")
        for name in names:
            fits = name == pattern or is_short_for(pattern, name)
            if fits and (copies := program.inlined_into(name)):
                raise UsageError(
                    f"expected {name} to be a function of its own, found only copies inlined into "
                    f"{_functions(copies)}; build with -gcflags={package_of(name)}=-l"
                ) from error
        raise


def _inlined(probe: FunctionProbe) -> str:
    return (
        f"{probe.name} was also inlined into {_functions(probe.inlined_into)}, where it is not "
        f"seen; build with -gcflags={package_of(probe.name)}=-l to see every call"
    )


def _functions(count: int) -> str:
    return "1 function" if count == 1 else f"{count} functions"
