"""Run one command and count the CPU time of every process it starts, also of those it kills.

A cgroup v2 group of its own counts exactly, whoever reaps whom; making one takes root or a
delegated group. Without it the caller becomes the reaper of every orphan, so that each descendant's
time ends up in RUSAGE_CHILDREN: exact at the end, but without a course of CPU time over the run.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.25
END_SECONDS = 30.0  # what a command may take to end after its own time limit
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished command. Times are seconds; ``main_cpu`` is of the first process alone.

    ``course`` holds (Unix time, CPU seconds of all processes so far) in order, from 0 to ``cpu``.
    """

    status: int
    wall: float
    cpu: float
    main_cpu: float
    course: tuple[tuple[float, float], ...]
    method: str

    def time_at(self, cpu: float) -> float:
        """The Unix time by which *cpu* seconds were used, interpolated; infinite if never."""
        if cpu >= self.cpu:
            return float("inf")
        after = bisect.bisect_right([used for _, used in self.course], cpu)
        (t0, c0), (t1, c1) = self.course[after - 1 : after + 1]
        return t0 + (t1 - t0) * (cpu - c0) / (c1 - c0)

    def cpu_at(self, when: float) -> float:
        """CPU seconds used by the Unix time *when*, interpolated; 0 before it began."""
        times = [at for at, _ in self.course]
        if when >= times[-1]:
            return self.cpu
        after = bisect.bisect_right(times, when)
        if after == 0:
            return 0.0
        (t0, c0), (t1, c1) = self.course[after - 1 : after + 1]
        return c0 + (c1 - c0) * (when - t0) / (t1 - t0)


def run_measured(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path, timeout: float
) -> Measured:
    """Run *argv*, standard output and error to *output*, and measure it.

    Raises TimeoutError, with everything killed, when it runs *timeout* + 30 s.
    """
    group = _make_group()
    enter = None if group is None else lambda: _enter(group)
    reaped_before = _reaped_cpu()
    _adopt_orphans(group is None)
    start = time.time()
    try:
        with output.open("wb") as sink:
            main = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                start_new_session=True, preexec_fn=enter,
            )  # fmt: skip
    except OSError:
        if group is not None:
            group.rmdir()
        raise
    course = [(start, 0.0)]
    try:
        _follow(main.pid, group, course, start + timeout + END_SECONDS)
        main_cpu = _process_cpu(main.pid)  # a zombie's figures are still there
    finally:
        _kill_all(main.pid, group)
        status = main.wait()
    end = time.time()
    if group is None:
        _reap_orphans()
        _adopt_orphans(False)
        cpu = _reaped_cpu() - reaped_before
    else:
        cpu = _group_cpu(group)
        group.rmdir()
    method = "rusage" if group is None else "cgroup"
    return Measured(status, end - start, cpu, main_cpu, (*course, (end, cpu)), method)


def _follow(pid: int, group: Path | None, course: list[tuple[float, float]], end: float) -> None:
    """Sample the group's CPU time until the process *pid* has ended (it stays a zombie)."""
    pidfd = os.pidfd_open(pid)
    try:
        while not select.select([pidfd], [], [], SAMPLE_SECONDS)[0]:
            if time.time() > end:
                raise TimeoutError(f"process {pid} did not end in time")
            if group is not None:
                course.append((time.time(), _group_cpu(group)))
    finally:
        os.close(pidfd)


def _make_group() -> Path | None:
    """A new cgroup v2 group below our own, or None where that is not possible."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    root = next((fields[1] for fields in mounts if fields[2] == "cgroup2"), None)
    own = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line[3:] for line in own if line.startswith("0::")), None)
    if root is None or path is None:
        return None
    group = Path(root + path) / f"gofuzzsec-bench-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
    except OSError:
        return None
    if os.access(group / "cgroup.procs", os.W_OK) and (group / "cgroup.kill").exists():
        return group
    group.rmdir()
    return None


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")


def _group_cpu(group: Path) -> float:
    for line in (group / "cpu.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return int(value) / 1e6
    raise ValueError(f"{group}/cpu.stat has no usage_usec")


def _process_cpu(pid: int) -> float:
    """User and system time of *pid* alone, all threads: fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _reaped_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _kill_all(pid: int, group: Path | None) -> None:
    """Kill what is left of the group (or session) and wait until the group is empty."""
    if group is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        return
    (group / "cgroup.kill").write_text("1")
    while any(int(other) != pid for other in (group / "cgroup.procs").read_text().split()):
        time.sleep(0.01)


def _adopt_orphans(on: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def _reap_orphans() -> None:
    """Wait for every orphan that came to us; kill those that outlived the main process."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    while children := own.read_text().split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
            os.waitpid(int(child), 0)
