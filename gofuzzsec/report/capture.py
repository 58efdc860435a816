"""Captures as people and programs read them: the set of calls, the tree by call path, JSON lines.

docs/capture.md documents the JSON objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gofuzzsec.coordinator.capturing.callpath import function_of, own_frame, place_of
from gofuzzsec.coordinator.capturing.model import Captured, Window
from gofuzzsec.report.calltree import LEGEND, call_tree, tree_text
from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, number, plural, wrap_names
from gofuzzsec.syscalls.model import CallOutcome, Origin, SyscallUse, UseForm

_COLUMNS = ("syscall", "kind", "outcome", "origin", "calls", "from")
_ORDER = {Origin.TARGET: 0, Origin.UNKNOWN: 1, Origin.RUNTIME: 2, Origin.HARNESS: 3}


def capture_text(captured: Captured, *, tree: bool = False) -> str:
    """The whole report: what was captured in each window, coverage, and every doubt."""
    parts = [_head(captured)]
    parts += [_window(captured, each, tree) for each in captured.windows if each.recording.uses]
    if tree and captured.own and captured.everything.recording.uses:
        parts[-1] += f"\n{LEGEND}"
    if silent := [each for each in captured.windows if not each.recording.uses]:
        parts.append(_silent(silent))
    if len(captured.windows) > 1:
        parts.append(_together(captured))
    if captured.coverage:
        parts.append(_coverage(captured))
    notes = [f"warning: {clean(text)}" for text in captured.warnings]
    recording = captured.everything.recording
    if not recording.complete:
        notes.append(f"warning: EVIDENCE INCOMPLETE: {clean(recording.problem)}")
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def capture_objects(captured: Captured) -> list[Fields]:
    """The report as objects: ``capture``, then ``captured_call`` and ``statements``."""
    recording = captured.everything.recording
    head: Fields = {
        "event": "capture",
        "subject": captured.subject,
        "program": str(captured.program),
        "import_path": captured.import_path,
        "recorder": captured.recorder,
        "windows": [window.name for window in captured.windows],
        "running": captured.status is None,
        "status": captured.status,
        "seconds": round(captured.seconds, 3),
        "complete": recording.complete,
        "problem": recording.problem,
        "warnings": list(captured.warnings),
    }
    calls = [_call(captured, window, use) for window in captured.windows for use in _sorted(window)]
    coverage: list[Fields] = [
        {
            "event": "statements",
            "subject": captured.subject,
            "import_path": path,
            "statements": each.statements,
            "covered": each.covered,
        }
        for path, each in captured.coverage.items()
    ]
    return [head, *calls, *coverage]


def _call(captured: Captured, window: Window, use: SyscallUse) -> Fields:
    same = [path for path in window.paths if path.key == use.key]
    first = own_frame(use.stack, captured.own, test_binary=captured.test_binary)
    return {
        "event": "captured_call",
        "subject": captured.subject,
        "window": window.name,
        "name": use.name,
        "kind": use.kind,
        "args": list(use.args),
        "outcome": use.outcome.value,
        "origin": use.origin.value,
        "count": use.count,
        "from": first,
        "paths": [{"count": path.count, "stack": list(path.stack)} for path in same],
    }


def _sorted(window: Window) -> list[SyscallUse]:
    uses = window.recording.uses
    return sorted(uses, key=lambda use: (_ORDER[use.origin], *use.key))


def _folded(uses: Iterable[SyscallUse]) -> list[SyscallUse]:
    """One line for calls that differ in their arguments' values alone; the JSON has these."""
    found: dict[UseForm, SyscallUse] = {}
    for use in uses:
        known = found.get(use.form)
        count = use.count + (known.count if known else 0)
        found[use.form] = replace(known or use, count=count, args=())
    return list(found.values())


def _head(captured: Captured) -> str:
    how = "still running" if captured.status is None else _ending(captured.status)
    return (
        f"{clean(captured.subject)}: {how} after {captured.seconds:.1f} s, "
        f"recorded by {captured.recorder}"
    )


def _ending(status: int) -> str:
    return f"ended with status {status}" if status >= 0 else f"ended by signal {-status}"


def _window(captured: Captured, window: Window, tree: bool) -> str:
    title = f"{clean(window.name or 'the whole process')}: {_sum(window)}\n"
    if tree:
        root = call_tree(window.paths, captured.own, test_binary=captured.test_binary)
        return title + tree_text(root)
    rows = [_cells(captured, use) for use in _folded(_sorted(window))]
    return title + table(_COLUMNS, rows, right="calls")


def _silent(windows: Sequence[Window]) -> str:
    if not windows[0].name:
        return "no system calls"
    return "no system calls in\n" + wrap_names([clean(window.name) for window in windows])


def _sum(window: Window) -> str:
    return f"{plural(len(window.names), 'system call')} in {plural(window.calls, 'call')}"


def _cells(captured: Captured, use: SyscallUse) -> tuple[str, ...]:
    return (
        use.name,
        use.kind or "-",
        "-" if use.outcome is CallOutcome.UNTOLD else use.outcome.value,
        use.origin.value,
        number(use.count),
        _from(captured, use) or "-",
    )


def _from(captured: Captured, use: SyscallUse) -> str:
    """The first frame of the user's module, in short: function, file and line."""
    frame = own_frame(use.stack, captured.own, test_binary=captured.test_binary)
    place = place_of(frame).rpartition("/")[2]
    return f"{function_of(frame)} {place}".strip()


def _together(captured: Captured) -> str:
    names = captured.everything.names
    return f"all together: {_sum(captured.everything)}\n{wrap_names(names) or '  (none)'}"


def _coverage(captured: Captured) -> str:
    lines = []
    these = f"{'this' if len(captured.everything.names) == 1 else 'these'} "
    these += plural(len(captured.everything.names), "system call")
    if captured.test_binary:
        for path, each in captured.coverage.items():
            lines.append(
                f"{these} come{'s' if these.startswith('this') else ''} from tests that cover "
                f"{each.percent:.1f} % of the statements of {clean(path)}"
            )
        return "\n".join(lines)
    lines.append(f"{these}, while these statements ran:")
    rows = [
        (path, f"{each.percent:.1f} %", number(each.covered), number(each.statements))
        for path, each in captured.coverage.items()
    ]
    columns = ("package", "covered", "statements", "of")
    lines.append(table(columns, rows, right="covered,statements,of"))
    return "\n".join(lines)
