"""Windows of several runs, and uses of several call paths, added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gofuzzsec.coordinator.capturing.model import Window
from gofuzzsec.syscalls.bpf.live import union
from gofuzzsec.syscalls.model import Recording, SyscallUse


def merge_windows(windows: Sequence[Window]) -> Window:
    """One window of the same process, or function, over several runs."""
    if len(windows) == 1:
        return windows[0]
    return Window(
        windows[0].name,
        union([window.recording for window in windows]),
        merge_paths(path for window in windows for path in window.paths),
    )


def merge_uses(uses: Iterable[SyscallUse]) -> tuple[SyscallUse, ...]:
    """One use for each (name, kind, outcome, args, origin)."""
    return union([Recording(tuple(uses))]).uses


def merge_paths(uses: Iterable[SyscallUse]) -> tuple[SyscallUse, ...]:
    """One use for each stack and what was called with it, counts added."""
    found: dict[tuple[object, ...], SyscallUse] = {}
    for use in uses:
        key = (*use.key, use.stack)
        known = found.get(key)
        found[key] = use if known is None else replace(known, count=known.count + use.count)
    return tuple(found.values())
