"""The system calls of a package's hand-written tests: what a profile made from them would hold."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from gofuzzsec.errors import BuildError, ToolchainError
from gofuzzsec.syscalls.bpf.process import Followed, follow_process
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.model import Recording
from gofuzzsec.syscalls.process import TracedProcess, trace_process
from gofuzzsec.toolchain import build_test_binary
from gofuzzsec.toolchain.model import Go, Package

_TIMEOUT = 600.0  # seconds, which is also `go test`'s own limit
_TAIL = 2000


def record_tests(go: Go, package: Package, binary: Path, tracer: Tracer | None = None) -> Recording:
    """Run the tests and examples of *package* (not its fuzz targets' seeds), and record them: with
    bpf when there is a *tracer*, else with strace.

    The ordinary test binary is built for it; where that fails, *binary*, the fuzz binary, runs
    them: the same tests, with coverage counters. They run twice when strace needs stacks (see
    `process`). The recording is incomplete when tests fail under the tracer, since what comes
    after a failure is not seen. Raises RecorderError when the recorder cannot be used.
    """
    # The fuzz binary is there, so the tests do build; what may fail is the cache or the disk.
    with contextlib.suppress(BuildError, ToolchainError):
        binary = build_test_binary(go, package)
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-tests-") as tmp:
        argv = [
            str(binary),
            "-test.run=^(Test|Example)",
            "-test.paniconexit0",
            f"-test.timeout={_TIMEOUT:.0f}s",
        ]
        env = {**os.environ, "TMPDIR": tmp}
        done: Followed | TracedProcess
        if tracer is not None:
            done = follow_process(tracer, argv, package.dir, env, _TIMEOUT, test_binary=True)
        else:
            done = trace_process(argv, package.dir, env, _TIMEOUT, test_binary=True)
    if done.status == 0 or done.status is None:
        return done.recording
    how = f"signal {-done.status}" if done.status < 0 else f"exit status {done.status}"
    problem = f"the tests ended with {how} under the tracer:\n{done.output[-_TAIL:].strip()}"
    return Recording(done.recording.uses, complete=False, problem=problem)
