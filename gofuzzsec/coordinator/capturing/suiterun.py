"""One run of a package's test binary under a recorder."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gofuzzsec.binary import Function
from gofuzzsec.coordinator.capturing.model import Window
from gofuzzsec.coordinator.capturing.program import Program, Watched
from gofuzzsec.coordinator.capturing.watch import Watch, follow
from gofuzzsec.coverage.covdata import VARIABLE
from gofuzzsec.coverage.profile import Block, read_profile
from gofuzzsec.errors import BuildError, CoverageError
from gofuzzsec.syscalls.attribution import package_of
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain.model import Package
from gofuzzsec.toolchain.process import Completed, run
from gofuzzsec.worker.child import dying_with_parent, in_turn

_TIMEOUT = 600.0  # seconds, which is also `go test`'s own limit
_GRACE = 10.0  # seconds for the goroutine dump of a test binary that ran into it
_LISTING = 60.0
_TAIL = 4000  # characters of what tests that failed printed
_NAME = re.compile(r"(?:Test|Example)\w*")


@dataclass(frozen=True, slots=True)
class Suite:
    """The test binary of a package, built with -cover. It runs in ``folder``, by default the
    package's own."""

    package: Package
    program: Program
    folder: Path | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """Import paths of the user's code: the package's module; outside of one the package."""
        build = self.program.go.build if self.program.go is not None else None
        module = build.main.path if build is not None and build.main is not None else ""
        return tuple(path for path in (module, self.package.import_path) if path)

    def test_functions(self, names: Sequence[str]) -> dict[str, Function]:
        """Where the test functions *names* are, without those that are not found."""
        if self.program.go is None:
            return {}
        path, wanted = self.package.import_path, set(names)
        found = {}
        for function in self.program.go.functions:
            name = function.name.rpartition(".")[2]
            if name in wanted and package_of(function.name) in (path, f"{path}_test"):
                found[name] = function
        return {name: found[name] for name in names if name in found}


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """``windows`` are everything, then each function watched. ``status`` is as in
    ``Popen.returncode``, also of tests killed for taking too long; ``output`` the end of what they
    printed."""

    windows: tuple[Window, ...]
    blocks: tuple[Block, ...]
    status: int
    output: str
    seconds: float


def list_tests(binary: Suite, pattern: str) -> tuple[str, ...]:
    """Names of the test functions that *pattern* (of -test.run) chooses, in source order.

    Raises BuildError when the binary does not list them.
    """
    top = pattern.partition("/")[0]  # a slash begins the pattern of subtests
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        done = _run(binary, [f"-test.list={top}"], Path(scratch), None, _LISTING)
    if done.status != 0:
        raise BuildError(
            f"expected {binary.program.path.name} -test.list to list tests, found {done.ending}:",
            done.output or "(nothing)",
        )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return tuple(dict.fromkeys(line for line in lines if _NAME.fullmatch(line)))


def cover_tests(binary: Suite, pattern: str, folder: Path) -> tuple[tuple[Block, ...], str]:
    """What the tests that *pattern* chooses cover when they run in *folder*, unrecorded; and why
    that may not be all, "" else."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-tests-", ignore_cleanup_errors=True) as name:
        profile = Path(name) / "cover.out"
        arguments = _arguments(pattern, profile)
        done = _run(replace(binary, folder=folder), arguments, Path(name), None, _TIMEOUT + _GRACE)
        blocks, problem = _blocks(profile)
    return blocks, problem if done.status == 0 else f"they ended with {done.ending}"


def run_tests(binary: Suite, pattern: str, tracer: Tracer | None, watched: Watched) -> SuiteRun:
    """Run the tests that *pattern* chooses, once. Raises RecorderError."""
    with (
        tempfile.TemporaryDirectory(prefix="gofuzzsec-tests-", ignore_cleanup_errors=True) as name,
        follow(tracer, binary.program, watched, test_binary=True) as watch,
    ):
        scratch = Path(name)
        profile = scratch / "cover.out"
        began = time.monotonic()
        done = _run(binary, _arguments(pattern, profile), scratch, watch, _TIMEOUT + _GRACE)
        seconds = time.monotonic() - began
        windows = watch.finish()
        if done.status != 0:
            windows = tuple(_doubtful(window, done) for window in windows)
        blocks, problem = _blocks(profile)
    if problem and done.status == 0:
        windows = tuple(_with_problem(window, problem) for window in windows)
    status = -9 if done.status is None else done.status
    return SuiteRun(windows, blocks, status, done.output[-_TAIL:], seconds)


def _arguments(pattern: str, profile: Path) -> list[str]:
    return [
        f"-test.run={pattern}",
        f"-test.coverprofile={profile}",
        f"-test.timeout={_TIMEOUT:.0f}s",
    ]


def _run(
    binary: Suite,
    arguments: Sequence[str],
    scratch: Path,
    watch: Watch | None,
    timeout: float,
) -> Completed:
    tmp = scratch / "tmp"
    tmp.mkdir()
    folder = binary.folder or binary.package.dir
    # As `go test -cover` does it: test binaries that start themselves have counters, too.
    counters = scratch / "counters"
    counters.mkdir()
    argv = [str(binary.program.path), "-test.paniconexit0", f"-test.gocoverdir={counters}"]
    argv += arguments
    steps = [dying_with_parent()]
    if watch is not None:
        argv = list(watch.command(argv))
        steps += watch.steps()
    env = {**os.environ, "TMPDIR": str(tmp), "PWD": str(folder), VARIABLE: str(counters)}
    try:
        return run(argv, cwd=folder, env=env, timeout=timeout, merge=True, prepare=in_turn(*steps))
    except OSError as error:
        raise BuildError(
            f"expected {binary.program.path} to start in {folder}, found: {error}"
        ) from error


def _blocks(profile: Path) -> tuple[tuple[Block, ...], str]:
    """The cover profile, and why there is none, "" else."""
    try:
        return read_profile(profile), ""
    except CoverageError as error:
        return (), str(error)


def _doubtful(window: Window, done: Completed) -> Window:
    """What comes after a failure is not seen."""
    return _with_problem(window, f"the tests ended with {done.ending}")


def _with_problem(window: Window, problem: str) -> Window:
    known = window.recording.problem
    text = f"{known}; {problem}" if known else problem
    return replace(window, recording=replace(window.recording, complete=False, problem=text))
