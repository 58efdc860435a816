"""A package's hand-written tests, without the profile and under it, test by test."""

from __future__ import annotations

import os
import re
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gofuzzsec.coordinator.verifying.corpus import MakeSight
from gofuzzsec.coordinator.verifying.limits import Limits
from gofuzzsec.coordinator.verifying.model import Ended, Refusal
from gofuzzsec.errors import RecorderError
from gofuzzsec.toolchain.model import Package
from gofuzzsec.toolchain.process import Child
from gofuzzsec.worker.child import dying_with_parent, in_turn

_TIMEOUT = 600.0  # seconds, which is also `go test`'s own limit
_NO_CORE = partial(resource.setrlimit, resource.RLIMIT_CORE, (0, 0))
"""A process that a filter kills would leave a core file where it stands: in the user's module."""
_OUTPUT = 32 << 20
_GRACE = 10.0  # seconds for the goroutine dump of a test binary that ran into its own limit
_LOOK = 0.25  # seconds between looks at whether to stop
_LINE = re.compile(r"^\x16?\s*(=== RUN|--- (?:PASS|FAIL|SKIP):)\s+(\S+)", re.MULTILINE)
_WORDS = {"=== RUN": "begun", "--- PASS:": "passed", "--- FAIL:": "failed", "--- SKIP:": "skipped"}
_TEST = re.compile(r"^(?:Test|Example)\w*")


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of a test binary. ``results`` are by test, subtests too: passed, failed, skipped, or
    begun (it never ended). ``ended`` is of the whole, which was ended before its time unless it is
    ``whole``."""

    results: dict[str, str]
    ended: Ended
    whole: bool = True

    def of(self, test: str) -> Ended:
        """How *test* went, with the refusals on whose path it is."""
        word = self.results.get(test, "not run")
        mine = tuple(r for r in self.ended.refusals if owning_test(r) == test)
        return Ended(word in ("passed", "skipped"), word, mine)


def run_suite(binary: Path, package: Package, make_sight: MakeSight, limits: Limits) -> SuiteRun:
    """Run the tests and examples of *package*, not the seeds of its fuzz tests.

    Raises RecorderError when they cannot be started.
    """
    argv = [
        str(binary),
        "-test.v=test2json",
        "-test.run=^(Test|Example)",
        "-test.paniconexit0",
        f"-test.timeout={_TIMEOUT:.0f}s",
    ]
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-tests-", ignore_cleanup_errors=True) as tmp:
        env = {**os.environ, "TMPDIR": tmp, "PWD": str(package.dir)}
        seen = run_seen(argv, package.dir, env, make_sight, limits, _TIMEOUT + _GRACE)
    results: dict[str, str] = {}
    for match in _LINE.finditer(seen.output):
        results[match[2]] = _WORDS[match[1]]
    return SuiteRun(results, seen.ended(), seen.status is not None)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run of a whole process. ``status`` is as in ``Popen.returncode``, None when it was ended
    for want of time; ``output`` what it printed, without the middle when that is long."""

    status: int | None
    output: str
    refusals: tuple[Refusal, ...]
    doubts: tuple[str, ...]

    def ended(self) -> Ended:
        """It went well when it ended with 0, or still ran when the time was over."""
        lines = self.output.strip().splitlines()
        if self.status is None:
            how = "still ran when the time was over"
        elif self.status < 0:
            how = f"death by signal {-self.status}"
        else:
            how = f"exit status {self.status}"
        if self.status and lines:
            how += f": {lines[-1]}"
        return Ended(not self.status, how, self.refusals, self.doubts)


def run_seen(
    argv: Sequence[str],
    cwd: Path,
    env: dict[str, str],
    make_sight: MakeSight,
    limits: Limits,
    seconds: float,
) -> Seen:
    """Run *argv* (its first word a path) for at most *seconds* and half of what *limits* leave.

    Raises RecorderError when it cannot be started.
    """
    left = limits.left
    deadline = time.monotonic() + (seconds if left is None else min(seconds, left / 2))
    sight = make_sight()
    prepare = in_turn(dying_with_parent(), _NO_CORE, *sight.steps())
    try:
        command = sight.command(argv)
        with Child(command, cwd=cwd, env=env, limit=_OUTPUT, merge=True, prepare=prepare) as child:
            while not child.exited and not limits.interrupted and time.monotonic() < deadline:
                child.step(min(_LOOK, max(0.0, deadline - time.monotonic())))
            whole = child.exited
            status = child.close()
        refusals = tuple(sight.finish())
        output = child.stdout.text()
        return Seen(status if whole else None, output, refusals, sight.doubts())
    except OSError as error:
        raise RecorderError(f"expected {argv[0]} to start in {cwd}, found: {error}") from error
    finally:
        sight.close()


def owning_test(refusal: Refusal) -> str:
    """The test function on the path of *refusal*, "" where none is (another goroutine's)."""
    for frame in reversed(refusal.path):
        function = frame.partition(" ")[0].rpartition("/")[2].partition(".")[2]
        found = _TEST.match(function)
        if found is not None:
            return found[0]
    return ""
