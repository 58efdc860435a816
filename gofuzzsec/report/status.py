"""The words for a campaign's events, shared by the views that people read.

One line of status says everything, in the habit of libFuzzer and syzkaller: how long, how much,
how fast, what it reached, what it found, and when it last found anything.
"""

from __future__ import annotations

from gofuzzsec.coordinator.events import CrashFound, Finished, Note, Started, Stats, SyscallFound
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, clean_block, number, plural, span
from gofuzzsec.report.toward import toward_part

COLUMNS = ("target", "execs", "execs/s", "edges", "corpus", "syscalls", "crashes", "last find")
"""What is shown of each target, here and in live tables."""


def cells(stats: Stats) -> tuple[str, ...]:
    """*stats* in the order of COLUMNS."""
    return (
        stats.target,
        number(stats.executions),
        number(stats.executions_per_second),
        number(stats.edges),
        number(stats.corpus),
        number(stats.syscalls),
        number(stats.crashes),
        last_find(stats),
    )


def last_find(stats: Stats) -> str:
    """``3s ago``, or ``-`` while nothing was kept."""
    return "-" if stats.last_find is None else f"{span(stats.last_find)} ago"


def status_line(stats: Stats) -> str:
    """Everything about one target at one moment, on one line."""
    parts = [
        f"{clean(stats.target)}: {span(stats.elapsed)}",
        f"execs: {number(stats.executions)} ({number(stats.executions_per_second)}/s)",
        f"edges: {number(stats.edges)}",
        f"corpus: {number(stats.corpus)}",
        f"syscalls: {number(stats.syscalls)}",
        f"crashes: {number(stats.crashes)}",
        f"last find: {last_find(stats)}",
    ]
    if stats.unrecorded:
        parts.append(f"to record: {number(stats.unrecorded)}")
    if stats.goals is not None:
        parts.append(toward_part(stats.goals, stats.nearest))
    return ", ".join(parts)


def started_line(event: Started) -> str:
    """Which target begins, with what."""
    syscalls = "not recorded" if event.capture == "off" else f"recorded by {clean(event.capture)}"
    if event.why:
        syscalls += f" ({clean(event.why)})"
    return (
        f"{clean(event.target)}: started with {plural(event.workers, 'worker')}, "
        f"{plural(event.seeds, 'seed')}, {plural(event.resumed, 'input')} resumed; "
        f"syscalls {syscalls}"
    )


def crash_lines(event: CrashFound) -> str:
    """A crash, where it is and how to see it again."""
    doubt = "" if event.reproduced else " (did not reproduce)"
    return (
        f"{clean(event.target)}: {clean(event.kind).upper()}{doubt}: {clean(event.summary)}\n"
        f"    written to {clean(event.path)}\n"
        f"    rerun with {clean(event.rerun)}"
    )


def syscall_line(event: SyscallFound) -> str:
    """A system call that this target had never made."""
    doubt = "" if event.origin == "target" else f" ({clean(event.origin)})"
    return (
        f"{clean(event.target)}: new syscall {clean(event.name)}{doubt} "
        f"by input {clean(event.input_hash)}"
    )


def note_line(event: Note) -> str:
    """A note under its level; its own line breaks stay."""
    return f"{clean(event.level)}: {clean_block(event.text).strip()}"


def finished_lines(event: Finished) -> str:
    """The table of all targets that ends a run."""
    if not event.stats:
        return "nothing was fuzzed"
    elapsed = span(max(stats.elapsed for stats in event.stats))
    head = f"{'stopped' if event.interrupted else 'done'} after {elapsed}"
    right = ", ".join(COLUMNS[1:-1])
    return f"{head}\n{table(COLUMNS, [cells(stats) for stats in event.stats], right=right)}"
