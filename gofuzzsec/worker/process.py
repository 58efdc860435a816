"""Starting a fuzz binary as a worker process, and reading why it ended.

A worker finds its pipes and memory at the descriptors 3, 4 and 5, and at 6 the page that the kernel
marks if there is one. It gets its own process group (so that its children die with it), no core
dumps, a data limit, and a parent-death signal. The last is bound to the *thread* that starts the
worker: that thread must outlive it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.corpus.values import GoType
from gofuzzsec.errors import WorkerStartError
from gofuzzsec.worker import child
from gofuzzsec.worker.protocol import Verdict

REQUESTS_FD, REPLIES_FD, MEMORY_FD, PAGE_FD = 3, 4, 5, 6
AGENT_VARIABLE = "GOFUZZSEC_AGENT"
"""Tells a boosted binary to let the agent speak; it is gone before the target's code looks."""
PAGE_VARIABLE = "GOFUZZSEC_PAGE"
"""Descriptor and offset of the page that the kernel marks; the agent takes both away."""

_WORKER_FDS = (REQUESTS_FD, REPLIES_FD, MEMORY_FD, PAGE_FD)


@dataclass(frozen=True, slots=True)
class Watch:
    """How the kernel is told to follow a worker and its children.

    ``claim`` gives a step for the child to take right before it becomes the worker (see
    `worker.child`), ``page`` the descriptor and the offset of the page that the kernel marks for
    the agent (None: it marks none). Both are asked anew at each start.
    """

    claim: Callable[[], Callable[[], None]]
    page: Callable[[], tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """How to start a worker of one target.

    ``target`` is the exact FuzzX name. ``memory_limit`` is bytes of writable private memory
    (GOMEMLIMIT and RLIMIT_DATA). ``hang_timeout`` is seconds an execution may take. ``shm_size``
    is bytes of shared memory for the value. ``wrapper`` is an argv prefix such as a tracer that
    execs what follows. ``env`` is added to this process's environment. ``gomaxprocs`` and
    ``gogc`` of None leave the environment's. ``agent`` is set for a boosted binary that is to be
    driven through its agent: the types of the target's arguments. ``watch`` is set when the kernel
    is to follow the worker.
    """

    binary: Path
    target: str
    cwd: Path
    memory_limit: int = 2 << 30
    hang_timeout: float = 10.0
    gomaxprocs: int | None = 1
    gogc: int | None = None
    shm_size: int = 100 << 20
    wrapper: tuple[str, ...] = ()
    agent: tuple[GoType, ...] | None = None
    env: tuple[tuple[str, str], ...] = ()
    watch: Watch | None = None

    @property
    def marked(self) -> bool:
        """Whether the kernel marks a page for the agent of this worker."""
        return self.watch is not None and self.watch.page is not None and self.agent is not None

    def page(self) -> tuple[int, int] | None:
        """That page, for the next start."""
        if self.watch is None or self.watch.page is None or self.agent is None:
            return None
        return self.watch.page()


def worker_argv(spec: WorkerSpec, cache_dir: Path) -> list[str]:
    """The command line of a worker. *cache_dir* is required by Go and stays empty."""
    return [
        *spec.wrapper,
        str(spec.binary),
        "-test.fuzzworker",
        "-test.paniconexit0",
        "-test.run=^$",
        f"-test.fuzz=^{spec.target}$",
        f"-test.fuzzcachedir={cache_dir}",
        "-test.timeout=0",
    ]


def worker_env(spec: WorkerSpec, tmp: Path, page: tuple[int, int] | None = None) -> dict[str, str]:
    """The environment of a worker whose temporary folder is *tmp*. *page*: of `WorkerSpec`."""
    env = dict(os.environ)
    env["TMPDIR"] = str(tmp)
    # A hung fuzz function is not the goroutine that raises the alarm.
    env.setdefault("GOTRACEBACK", "all")
    env["GOMEMLIMIT"] = str(spec.memory_limit * 9 // 10)
    if spec.gomaxprocs is not None:
        env["GOMAXPROCS"] = str(spec.gomaxprocs)
    if spec.gogc is not None:
        env["GOGC"] = str(spec.gogc)
    if spec.agent is not None:
        env[AGENT_VARIABLE] = "1"
    if page is not None:
        env[PAGE_VARIABLE] = f"{PAGE_FD} {page[1]}"
    env.update(spec.env)
    return env


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: dict[str, str],
    fds: Sequence[int],
    stderr: int,
    memory_limit: int,
    watch: Watch | None = None,
) -> subprocess.Popen[bytes]:
    """Start *argv* with *fds* from 3 on. Raises WorkerStartError when it cannot be run.

    `reserve_worker_fds` must have been called before *fds* were opened.
    """
    wanted = _WORKER_FDS[: len(fds)]
    prepare = child.limited(fds, wanted, memory_limit)
    if watch is not None:
        prepare = child.in_turn(prepare, watch.claim())
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=wanted,
            process_group=0,
            preexec_fn=prepare,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise WorkerStartError(
            f"expected {argv[0]} to start in {cwd}, found: {error}; "
            "check that the binary is for this machine and executable"
        ) from error


def reserve_worker_fds() -> None:
    """Make sure 3 to 6 are taken here, so that no pipe opened later, by us or by subprocess,
    has one of them and is overwritten in the child. They stay taken for good."""
    for wanted in _WORKER_FDS:
        try:
            os.fstat(wanted)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            if null != wanted:
                os.dup2(null, wanted, inheritable=False)
                os.close(null)


_CRASH_SIGNALS = frozenset(
    {
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGSEGV,
        signal.SIGPIPE,
        signal.SIGSYS,
    }
)
_OUT_OF_MEMORY = (
    "fatal error: runtime: out of memory",
    "fatal error: runtime: cannot allocate memory",
    "fatal error: out of memory",
    "fatal error: cannot allocate",
    "runtime: out of memory",
    "fatal error: failed to reserve",
)


def cause_of_death(status: int, stderr: str) -> Verdict:
    """Why a worker that ended by itself did, from ``Popen.returncode`` and its standard error.

    The signal list follows `internal/fuzz`: a signal a program brings on itself is a crash, any
    other came from outside. SIGSYS is added, since a seccomp filter is one way to die of a call.
    """
    if any(text in stderr for text in _OUT_OF_MEMORY):
        return Verdict.OOM
    # The alarm that internal/fuzz sets at 10 s for each execution.
    if status == 2 and "panic: deadlocked!" in stderr and "internal/fuzz" in stderr:
        return Verdict.HANG
    if status < 0 and -status not in _CRASH_SIGNALS:
        return Verdict.KILLED
    return Verdict.CRASH
