"""Lists of what a campaign keeps: inputs, crashes, and the checks of `doctor`."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from gofuzzsec.coverage import unpack
from gofuzzsec.report.tables import fields, table
from gofuzzsec.report.text import clean_block, number, plural, short_time, size
from gofuzzsec.store.model import CrashRow, InputRow
from gofuzzsec.toolchain.doctor import Check

_INPUT_COLUMNS = ("hash", "target", "source", "why", "size", "exec time", "edges", "syscalls")
_CRASH_COLUMNS = ("hash", "target", "kind", "seen", "reproduced", "found", "summary")
_CHECK_COLUMNS = ("check", "", "found", "what to do")
_INPUT_SHOWN = 4096
"""Characters of a crashing input that `crashes show` prints; the file has the rest."""


def edges_of(row: InputRow) -> int:
    """Counters above zero when the input ran, in the build its coverage belongs to.

    Raises StoreError when the stored coverage is damaged.
    """
    return int(np.unique(unpack(row.coverage) >> 3).size) if row.coverage else 0


def input_cells(target: str, row: InputRow) -> tuple[str, ...]:
    """One line of the list of inputs."""
    return (
        row.hash,
        target,
        row.source,
        row.why,
        size(len(row.data)),
        short_time(row.exec_ns),
        number(edges_of(row)),
        "recorded" if row.recorded else "-",
    )


def inputs_table(lines: Sequence[tuple[str, ...]]) -> str:
    """The list of inputs, from lines of `input_cells`."""
    if not lines:
        return "no inputs kept"
    return table(_INPUT_COLUMNS, lines, right="size, exec time, edges")


def crashes_table(rows: Sequence[CrashRow]) -> str:
    """One line a distinct crash."""
    if not rows:
        return "no crashes"
    return table(_CRASH_COLUMNS, [_crash_cells(row) for row in rows], right="seen")


def crash_details(row: CrashRow) -> str:
    """Everything about one crash."""
    known = [
        ("crash", row.hash),
        ("target", row.target),
        ("kind", row.kind),
        ("summary", row.summary),
        ("found", _moment(row.found_at)),
        ("seen", plural(row.count, "time")),
        ("reproduced", _yes(row.reproduced)),
        ("file", row.path),
        ("size", f"{size(len(row.data))}, {size(len(row.original))} as found"),
    ]
    text = row.data.decode("utf-8", "backslashreplace")
    return "\n".join(
        [
            fields(known),
            "",
            clean_block(text, _INPUT_SHOWN).rstrip("\n"),
            "",
            clean_block(row.output).rstrip("\n"),
        ]
    )


def checks_table(checks: Sequence[Check]) -> str:
    """What `doctor` found out, with what to do about what does not work."""
    return table(
        _CHECK_COLUMNS,
        [(each.name, _state(each), each.found, "" if each.ok else each.advice) for each in checks],
    )


def _state(check: Check) -> str:
    if check.ok:
        return "ok"
    return "MISSING" if check.required else "missing"


def _crash_cells(row: CrashRow) -> tuple[str, ...]:
    return (
        row.hash,
        row.target,
        row.kind,
        number(row.count),
        _yes(row.reproduced),
        _moment(row.found_at),
        row.summary,
    )


def _moment(unix: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
