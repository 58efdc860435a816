"""Work in a process of its own that can be killed, starved or stripped of its rights."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

Report = Callable[[Any], None]
Work = Callable[[Report], None]

NOBODY = 65534


class Child:
    """A forked process that runs a function and reports JSON values as it goes.

    A report is in the pipe, and so outlives the child, once the call that made it returned.
    """

    def __init__(self, work: Work) -> None:
        read_end, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(read_end)
            _run(work, write_end)
        os.close(write_end)
        self._reports: IO[str] = os.fdopen(read_end, encoding="utf-8")
        self.status: int | None = None

    def reports(self) -> Iterator[Any]:
        """What the child says, until it ends."""
        for line in self._reports:
            yield json.loads(line)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the child unless it was waited for; its status is in ``status`` then."""
        if self.status is None:
            self.kill()
            self.wait()
        self._reports.close()

    def wait(self) -> int:
        """Exit status of the child, negative when a signal ended it."""
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status


@contextmanager
def child(work: Work) -> Iterator[Child]:
    process = Child(work)
    try:
        yield process
    finally:
        process.close()


def outcome(work: Work) -> list[Any]:
    """All reports of a child that has to end by itself and well."""
    with child(work) as process:
        said = list(process.reports())
        assert process.wait() == 0, said
    return said


def outcome_without_rights(work: Work) -> list[Any]:
    """As `outcome`, in a process that permissions apply to."""

    def stripped(report: Report) -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work(report)

    return outcome(stripped)


def _run(work: Work, write_end: int) -> None:
    def report(value: Any) -> None:
        line = json.dumps(value).encode() + b"\n"
        assert os.write(write_end, line) == len(line)

    status = 1
    try:
        work(report)
        status = 0
    except BaseException:  # noqa: BLE001  (the parent has to be told, whatever it is)
        report(traceback.format_exc())
    finally:
        os._exit(status)
