"""Learn the seeds a fuzz target adds to itself, from any fuzz binary and without its sources.

A fuzz worker never sees what `f.Add` was given: Go's coordinator, which is the same binary, sends
seeds to its workers as warm-up requests before it fuzzes. It starts its workers as ``os.Args[0]``.
So the binary is run here as a coordinator whose argv[0] is a program of ours (seed_catcher.py),
which plays the worker and keeps every value it is sent: those of `f.Add` and of testdata/fuzz, in
that order. At the first request that is no warm-up the whole process group is killed.

Go 1.21 to 1.27 behave alike: warm-ups first, one for each distinct seed when the binary has
coverage counters, one for each seed when it has none; with no seed at all there is no warm-up, and
the first request carries the zero value of the target's types.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import UsageError, WorkerStartError
from gofuzzsec.toolchain.cache import made_cache_dir
from gofuzzsec.toolchain.packages import is_fuzz_name
from gofuzzsec.toolchain.process import Child

CATCHER = Path(__file__).with_name("seed_catcher.py")


_FUZZING = re.compile(rb"^fuzz: elapsed: .*(?:now fuzzing with|execs: [1-9])", re.MULTILINE)
"""What Go's coordinator prints once it has workers and has sent them all seeds."""

_REFUSALS = (
    '"testdata/fuzz/',
    "failed to read corpus file",
    "values in corpus entry",
    "types in corpus entry",
)
"""What `testing` prints when a seed's file cannot be read or its types are not the target's."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """``seeds``: distinct marshalled corpus files, f.Add's first, testdata's then. ``zero``: the
    corpus file of zero values that Go starts from when a target has no seeds, else None. One of
    the two is never empty, so the target's types are always known."""

    seeds: tuple[bytes, ...]
    zero: bytes | None


def harvest_seeds(binary: Path, target: str, cwd: Path, timeout: float = 60.0) -> Harvest:
    """The seeds of *target*, as its own coordinator sees them in *cwd*.

    Writes nothing but a temporary folder, which is also the target's TMPDIR and is removed.
    *timeout* is in seconds without any progress, so that a slow set-up counts but a large testdata
    folder does not. Raises WorkerStartError with the binary's output when the target does not get
    as far as f.Fuzz, or Go refuses a file in testdata; UsageError for an impossible target name.
    """
    if not is_fuzz_name(target):
        raise UsageError(f"expected the name of a fuzz target (FuzzXxx), found {target!r}")
    with _scratch() as scratch:
        return _harvest(binary.absolute(), target, cwd.absolute(), timeout, scratch)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of our own from which programs can be run (some systems forbid that in /tmp)."""
    base = Path(tempfile.gettempdir())
    if os.statvfs(base).f_flag & os.ST_NOEXEC:
        base = made_cache_dir("tmp")
    with tempfile.TemporaryDirectory(
        prefix="gofuzzsec-", dir=base, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


def _harvest(binary: Path, target: str, cwd: Path, timeout: float, scratch: Path) -> Harvest:
    for name in ("seeds", "tmp", "cache"):
        (scratch / name).mkdir()
    os.mkfifo(scratch / "events", 0o600)
    # Held open for reading and writing, so that it never reports an end of file.
    events = os.open(scratch / "events", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with _start(binary, target, cwd, scratch) as child:
            child.selector.register(events, 1)
            _follow(child, events, target, timeout)
    except OSError as error:
        raise WorkerStartError(
            f"expected to run {binary} in {cwd}, found: {error.strerror or error}"
        ) from error
    finally:
        os.close(events)
    files = sorted((scratch / "seeds").iterdir())
    zero = scratch / "zero"
    return Harvest(
        seeds=tuple(dict.fromkeys(file.read_bytes() for file in files)),
        zero=zero.read_bytes() if zero.exists() else None,
    )


def _start(binary: Path, target: str, cwd: Path, scratch: Path) -> Child:
    """Start the coordinator, which will start the catcher."""
    python = [sys.executable, "-I", "-S", str(CATCHER)]
    worker = scratch / "worker.sh"
    catch = shlex.join([*python, "catch", str(scratch)])
    # A set-up that runs os.Args[0] for reasons of its own gets the binary it expects.
    script = (
        "#!/bin/sh\n"
        f'[ "$1" = -test.fuzzworker ] && exec {catch}\n'
        f'exec {shlex.quote(str(binary))} "$@"\n'
    )
    worker.write_bytes(os.fsencode(script))
    worker.chmod(0o700)
    arguments = [
        f"-test.fuzz=^{target}$",
        "-test.run=^$",
        "-test.v",  # says why a target skips itself
        "-test.parallel=1",
        f"-test.fuzzcachedir={scratch / 'cache'}",
        "-test.paniconexit0",
        "-test.timeout=0",
    ]
    env = {**os.environ, "TMPDIR": str(scratch / "tmp"), "PWD": str(cwd)}
    start = [*python, "launch", str(os.getpid()), str(worker), str(binary), *arguments]
    return Child(start, cwd=cwd, env=env, merge=True)


def _follow(child: Child, events: int, target: str, timeout: float) -> None:
    """Return when the catcher has everything. Raises WorkerStartError when it never will."""
    deadline = time.monotonic() + timeout
    heard = b""
    hello = False
    while True:
        left = deadline - time.monotonic()
        ready = child.step(left)
        if events in ready:
            heard += os.read(events, 1 << 16)
            *lines, heard = heard.split(b"\n")
            hello = True
            if b"done" in lines or b"zero" in lines:
                return
            for line in lines:
                if line.startswith(b"error"):
                    raise WorkerStartError(
                        f"expected to receive the seeds of {target}, found "
                        f"{line[6:].decode('utf-8', 'replace')}"
                    )
            deadline = time.monotonic() + timeout
        elif child.exited or left <= 0:
            raise WorkerStartError(_why(child, target, timeout))
        elif not hello and _FUZZING.search(child.stdout.recent(1 << 17)):
            child.close()  # at once: a crash it finds would go into testdata
            raise WorkerStartError(
                f"expected {target} to start its workers as os.Args[0], found it fuzzing with "
                "others; its TestMain must not replace the process by another one of itself"
            )


def _why(child: Child, target: str, timeout: float) -> str:
    """What became of a coordinator that never began to fuzz."""
    in_time = child.exited
    status = child.close()
    output = child.stdout.text()
    if not in_time:
        found = f"nothing happening for {timeout:g} s (a set-up that hangs?)"
    elif "testing: warning: no fuzz tests to fuzz" in output:
        found = "no fuzz target of that name in the binary"
    elif f"--- SKIP: {target} " in output:
        found = "that it skips itself before f.Fuzz"
    elif any(text in output for text in _REFUSALS):
        found = "a seed that Go refuses"
    else:
        found = f"exit status {status}" if status >= 0 else f"death by signal {-status}"
    return f"expected {target} to reach f.Fuzz, found {found}; its output:\n{output or '(nothing)'}"
