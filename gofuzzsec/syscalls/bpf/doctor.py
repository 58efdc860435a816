"""Whether the bpf recorder works on this machine, and which recorder campaigns choose.

A part of `gofuzzsec doctor`; the rest is in `gofuzzsec.toolchain.doctor`. Nothing here is required:
without BPF there are other recorders.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gofuzzsec.errors import GofuzzsecError, RecorderError
from gofuzzsec.privilege import can_trace, kernel_version, tracing_capabilities
from gofuzzsec.syscalls.bpf.bcc import compile_bpf, diagnostics, load_bcc
from gofuzzsec.syscalls.bpf.headers import find_headers
from gofuzzsec.syscalls.bpf.uprobes import TRACE_UPROBE_MULTI, Action, Point, Uprobes
from gofuzzsec.toolchain.doctor import Check

LOCKDOWN = Path("/sys/kernel/security/lockdown")
OLDEST_KERNEL = (5, 15)
"""First kernel with cookies for uprobes."""
MULTI_KERNEL = (6, 6)
"""First kernel with one link for many uprobes, which needs no more than CAP_BPF and CAP_PERFMON."""

_PROGRAM = """
#include <uapi/linux/ptrace.h>
BPF_ARRAY(seen, u64, 2); /* how often the raw tracepoint fired, and the uprobe */
int on_enter(struct bpf_raw_tracepoint_args *ctx) {
    seen.increment(0);
    return 0;
}
int on_place(struct pt_regs *ctx) {
    seen.increment(bpf_get_attach_cookie(ctx) != 0);
    return 0;
}
"""


def recording_checks(others: Sequence[Check]) -> list[Check]:
    """What the bpf recorder needs, then what ``--capture auto`` makes of that and of *others*,
    the machine's other checks. Never raises; takes a second."""
    found = [*_needs(), _lockdown()]
    if all(check.ok for check in found):
        found.append(_trial())
    works = all(check.ok for check in found)
    return [*found, _automatic(works, {check.name: check.ok for check in others})]


def _needs() -> Iterator[Check]:
    version = ".".join(map(str, kernel_version()))
    oldest = ".".join(map(str, OLDEST_KERNEL))
    ok = kernel_version() >= OLDEST_KERNEL
    how = "one link for all probes" if kernel_version() >= MULTI_KERNEL else "probes through perf"
    advice = "" if ok else f"use Linux {oldest} or newer; other recorders work without"
    yield Check(
        "bpf kernel",
        ok,
        f"Linux {version}, {how}; needs no tracefs" if ok else f"Linux {version}",
        advice,
        False,
    )
    try:
        bcc = load_bcc()
        yield Check(
            "bcc", True, f"{bcc.__version__} in {Path(bcc.__file__ or '').parent}", "", False
        )
    except RecorderError as error:
        yield _failed("bcc", str(error))
    try:
        headers = find_headers()
        places = " and ".join(str(part) for part in headers.parts)
        yield Check("kernel headers", True, f"{headers.version} in {places}", "", False)
    except RecorderError as error:
        yield _failed("kernel headers", str(error))
    problem = can_trace()
    if problem is None:
        names = " and ".join(sorted(f"CAP_{each.name}" for each in tracing_capabilities()))
        yield Check("bpf permission", True, names if os.geteuid() else "root", "", False)
    else:
        yield _failed("bpf permission", problem)


def _failed(name: str, message: str) -> Check:
    """A check from one of our messages, which end with what to do."""
    found, _, advice = message.partition("; ")
    return Check(name, False, found, advice or found, False)


def _lockdown() -> Check:
    """Kernel lockdown forbids reading kernel memory, which the recorder does at every fork, only
    in its stricter mode (kernel_lockdown(7))."""
    try:
        mode = re.search(r"\[(\w+)\]", LOCKDOWN.read_text())
    except OSError:
        return Check("kernel lockdown", True, "none", "", False)
    if mode is None or mode[1] != "confidentiality":
        return Check("kernel lockdown", True, mode[1] if mode else "none", "", False)
    advice = "start the kernel with lockdown=integrity; other recorders work without"
    return Check("kernel lockdown", False, "confidentiality, which forbids BPF", advice, False)


def _trial() -> Check:
    """A small program compiled, loaded, attached and seen to count."""
    try:
        found = _tried()
    except (OSError, GofuzzsecError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        advice = lines[-1] if len(lines) > 1 else "report this with the output of doctor --json"
        return Check("bpf recorder", False, " ".join(lines[:3]), advice, False)
    return Check("bpf recorder", True, found, "", False)


def _tried() -> str:
    """What worked. Raises GofuzzsecError or OSError when something refuses or does not count."""
    bpf = compile_bpf(_PROGRAM)
    multi = kernel_version() >= MULTI_KERNEL
    try:
        with diagnostics("a raw tracepoint to attach and a uprobe program to load"):
            bpf.attach_raw_tracepoint(b"sys_enter", b"on_enter")
            kind = TRACE_UPROBE_MULTI if multi else -1
            program = bpf.load_func(b"on_place", bpf.KPROBE, None, kind).fd
        library = ctypes.CDLL(None)
        path, offset = place_of(library.getppid)
        probes = Uprobes(program, program if multi else None)
        try:
            probes.attach(path, [Point(offset, Action.CALL)])
            library.getppid()
        finally:
            probes.close()
        counts = [bpf[b"seen"][place].value for place in range(2)]
    finally:
        bpf.cleanup()
    if not all(counts):
        raise RecorderError(
            f"expected a raw tracepoint and a uprobe to fire, found {counts[0]} and {counts[1]} "
            "times\nuse --capture in-process or strace, and report this kernel"
        )
    return "a raw tracepoint and a uprobe were attached and fired"


def place_of(function: Any) -> tuple[Path, int]:
    """The file and the offset in it of a C function that this process has mapped."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, _, *path = line.split(maxsplit=5)
        start, end = (int(bound, 16) for bound in span.split("-"))
        if start <= address < end and path:
            return Path(path[0]), address - start + int(offset, 16)
    raise RecorderError("expected the C library in /proc/self/maps, found no file at its address")


def _automatic(bpf: bool, works: Mapping[str, bool]) -> Check:
    """The recorder of ``--capture auto`` (gofuzzsec.coordinator.choice), in its own words."""
    name = "--capture auto"
    strace = works.get("strace", False) and works.get("tracing permission", False)
    why = "everything it needs is here" if bpf else "bpf does not work here"
    if bpf:
        return Check(name, True, f"bpf: {why}", "", False)
    if works.get("boosted engine", False):
        rest = "strace for what workers do not see of themselves" if strace else "no strace"
        return Check(name, True, f"in-process, {rest}: {why}", "", False)
    if strace:
        return Check(name, True, f"strace: {why}, nor does the boosted engine", "", False)
    advice = "do what is said above for strace, the boosted engine or bpf; one is enough"
    return Check(name, False, "none: no recorder works here", advice, False)
