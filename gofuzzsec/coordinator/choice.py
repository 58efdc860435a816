"""Which recorder of system calls a session has, and why.

Loading the BPF program is the one thing that takes privilege, so it comes first: the command line
chooses, gives up what is left of root's privileges, and only then has the session begin.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from gofuzzsec.errors import RecorderError
from gofuzzsec.privilege import can_trace
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.worker.process import reserve_worker_fds

_SPARE_SLOTS = 256  # recorders of inputs, one a target, and of whole processes: 16 KiB each
_NEEDS_ROOT = "bpf needs root"


@dataclass(frozen=True, slots=True)
class Choice:
    """``tracer`` is the loaded BPF program, None where another recorder has to do; ``why`` says
    why that is so in a few words ("" where the user has settled it). Whoever holds it closes it."""

    tracer: Tracer | None = None
    why: str = ""

    def close(self) -> None:
        """Give back the BPF program."""
        if self.tracer is not None:
            self.tracer.close()


def choose(capture: str, workers: int) -> Choice:
    """The recorder for ``--capture`` *capture* with so many workers (0: one for each CPU).

    Raises RecorderError when bpf was asked for by name and cannot be used.
    """
    if capture not in ("auto", "bpf"):
        return Choice()
    if capture == "auto" and can_trace() is not None:
        return Choice(why=_NEEDS_ROOT if os.geteuid() else "root may not use bpf here")
    reserve_worker_fds()  # before the program's descriptors take the numbers of a worker's
    try:
        tracer = Tracer.open(slots=(workers or os.cpu_count() or 1) + _SPARE_SLOTS)
    except RecorderError as error:
        if capture == "bpf":
            raise
        return Choice(why=f"not bpf: {error}")
    return Choice(tracer, "root and bcc found" if capture == "auto" else "")
