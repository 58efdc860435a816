"""Look at this machine and say what of gofuzzsec will work on it."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import GofuzzsecError, OverlayError, ToolchainError
from gofuzzsec.toolchain.build import BOOSTABLE
from gofuzzsec.toolchain.cache import made_cache_dir
from gofuzzsec.toolchain.find import ARCHITECTURES, find_go, host_arch
from gofuzzsec.toolchain.model import Go
from gofuzzsec.toolchain.overlay import prepare_overlay
from gofuzzsec.toolchain.process import run

_KERNEL = (5, 4)
"""Oldest kernel asked for: pidfd_open (5.3) ends waiting for a process without polling; 5.4 is the
first long-term release that has it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``found`` is what is there; ``advice`` is empty when ``ok``.
    ``required``: without it no campaign can run at all."""

    name: str
    ok: bool
    found: str
    advice: str
    required: bool


def checks(go_path: str | None = None) -> list[Check]:
    """Everything looked at, in order of importance. *go_path* is as in `find_go`. Never raises for
    what it finds; takes about a second."""
    return [
        *_go(go_path),
        *_cache(),
        _kernel(),
        _attempt("memfd_create", _memfd, "workers share memory through temporary files instead"),
        _attempt("prlimit", _prlimit, "a worker's memory cannot be limited; use cgroups"),
        *_strace(),
        _seccomp(),
    ]


def _go(go_path: str | None) -> Iterator[Check]:
    try:
        go = find_go(go_path)
    except ToolchainError as error:
        found, _, advice = str(error).partition("; ")
        yield Check("go", False, found, advice or found, True)
        return
    yield Check("go", True, f"{go.text} at {go.path}", "", True)
    source = go.goroot / "src" / "internal" / "fuzz"
    ok = source.is_dir() and bool(host_arch())
    yield Check(
        "fuzz instrumentation",
        ok,
        f"linux/{go.goarch}, standard library at {go.goroot / 'src'}"
        if ok
        else f"{platform.machine()}, no {source}",
        ""
        if ok
        else f"use a {' or '.join(ARCHITECTURES.values())} machine and a Go with its sources "
        "(Debian: golang-src)",
        True,
    )
    if ok:
        yield _boosted(go)


def _boosted(go: Go) -> Check:
    """Whether this Go's standard library takes the agent and its patches. Nothing is compiled."""
    name = "boosted engine"
    if (go.goos, go.goarch) not in BOOSTABLE:
        advice = "unset GOOS and GOARCH, or fuzz with --engine stock"
        return Check(name, False, f"not for {go.goos}/{go.goarch}", advice, False)
    try:
        prepare_overlay(go)
    except OverlayError as error:
        advice = "use another Go release, or report this; workers are stock ones meanwhile: slower"
        return Check(name, False, str(error), advice, False)
    except (ToolchainError, OSError) as error:
        found, _, advice = str(error).partition("; ")
        return Check(name, False, found, advice or found, False)
    return Check(name, True, f"the standard library of {go.text} takes the agent", "", False)


def _cache() -> Iterator[Check]:
    """The cache has to hold programs, so one is put there and run."""
    try:
        folder = made_cache_dir("tmp")
        with tempfile.TemporaryDirectory(prefix="doctor-", dir=folder) as scratch:
            script = Path(scratch) / "true.sh"
            script.write_text("#!/bin/sh\nexit 0\n")
            script.chmod(0o700)
            done = run([script], cwd=folder, env={}, timeout=10)
        free = shutil.disk_usage(folder).free
    except (OSError, GofuzzsecError) as error:
        advice = "set GOFUZZSEC_CACHE to a folder where files may be written and programs run"
        yield Check("cache", False, str(error), advice, True)
        return
    ok = done.status == 0
    found = f"{folder.parent}" if ok else f"a program run in {folder}: {done.ending}"
    yield Check("cache", ok, found, "" if ok else "mount it without noexec", True)
    roomy = free >= 1 << 30
    advice = "" if roomy else "make room: builds, inputs and recordings need about 1 GiB"
    yield Check("disk space", roomy, f"{free / (1 << 30):.1f} GiB free", advice, False)


def _kernel() -> Check:
    release = platform.release()
    match = re.match(r"(\d+)\.(\d+)", release)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    ok = platform.system() == "Linux" and version >= _KERNEL
    advice = "" if ok else f"use Linux {_KERNEL[0]}.{_KERNEL[1]} or newer"
    return Check("kernel", ok, f"{platform.system()} {release}", advice, True)


def _attempt(name: str, action: Callable[[], str], advice: str) -> Check:
    """A check that is a call which works or fails with an OSError."""
    try:
        return Check(name, True, action(), "", False)
    except (OSError, ValueError) as error:
        return Check(name, False, str(error), advice, False)


def _memfd() -> str:
    os.close(os.memfd_create("doctor"))
    return "works"


def _prlimit() -> str:
    soft, hard = resource.prlimit(os.getpid(), resource.RLIMIT_AS)
    shown = "unlimited" if hard == resource.RLIM_INFINITY else f"{hard >> 20} MiB"
    resource.prlimit(os.getpid(), resource.RLIMIT_AS, (soft, hard))
    return f"works; address space at most {shown}"


def _strace() -> Iterator[Check]:
    """strace itself, then whether it may trace, then whether it unwinds stacks."""
    path = shutil.which("strace")
    install = "install strace (Debian: apt-get install strace), or run with --capture off"
    if path is None:
        yield Check("strace", False, "none on PATH", install, False)
        return
    try:
        version = run([path, "-V"], cwd=Path("/"), env=dict(os.environ), timeout=10)
        permission = _tracing(path)
    except OSError as error:
        yield Check("strace", False, f"{path}: {error.strerror}", install, False)
        return
    text = version.output or "no version"
    works = version.status == 0
    found = f"{text.splitlines()[0]} at {path}"
    yield Check("strace", works, found, "" if works else install, False)
    yield permission
    unwinder = re.search(r"stack-trace=(\S+)", text)
    found = f"unwinds with {unwinder[1]}" if unwinder else "built without stack unwinding"
    advice = (
        "install a strace built with libunwind or libdw: without stacks most calls stay of "
        "unknown origin"
    )
    yield Check("strace stacks", bool(unwinder), found, "" if unwinder else advice, False)


def _tracing(strace: str) -> Check:
    """Whether strace may really trace a child here. Raises OSError when it cannot be started."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        argv = [strace, "-f", "-o", f"{scratch}/out", "/bin/sh", "-c", "exit 7"]
        traced = run(argv, cwd=Path("/"), env=dict(os.environ), timeout=10)
    ok = traced.status == 7
    said = traced.output.splitlines() or [""]
    found = "strace traces its child" if ok else f"{traced.ending}: {said[-1]}"
    if scope := _read("/proc/sys/kernel/yama/ptrace_scope"):
        found += f"; yama ptrace_scope is {scope}"
    advice = (
        "allow ptrace: sysctl kernel.yama.ptrace_scope=1, or in a container --cap-add SYS_PTRACE "
        "and a seccomp profile that has ptrace; or run with --capture off"
    )
    return Check("tracing permission", ok, found, "" if ok else advice, False)


def _seccomp() -> Check:
    actions = _read("/proc/sys/kernel/seccomp/actions_avail")
    ok = {"errno", "allow"} <= set(actions.split())
    return Check(
        "seccomp",
        ok,
        actions or "the kernel has none",
        "" if ok else "profiles can be built here but not tried out: use a kernel with seccomp",
        False,
    )


def _read(path: str) -> str:
    """A one-line file of /proc, "" when it is not there."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
