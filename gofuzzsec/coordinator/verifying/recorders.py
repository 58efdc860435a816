"""Which recorder sees the refused calls of a verification."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from gofuzzsec.coordinator.verifying.bench import SightMaker
from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.kernelsight import KernelSight
from gofuzzsec.coordinator.verifying.sight import StraceSight
from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.bpf.denials import suspect
from gofuzzsec.syscalls.bpf.program import Sizes
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.tracer import find_strace

_ROOM = 32768  # refused calls, of all workers, between two inputs


@dataclass(frozen=True, slots=True)
class Recorder:
    """``see`` makes a Sight of a program; ``warnings`` say what this recorder cannot."""

    name: str
    see: SightMaker
    warnings: tuple[str, ...] = ()


@contextlib.contextmanager
def open_recorder(wanted: str, judge: Judge, workers: int) -> Iterator[Recorder]:
    """The recorder *wanted* (auto, bpf or strace), for so many *workers* at a time.

    Raises RecorderError when it cannot be had.
    """
    why = ""
    if wanted != "strace":
        try:
            tracer = Tracer.open(sizes=Sizes(slots=workers + 1, denials=_ROOM))
        except RecorderError as error:
            if wanted == "bpf":
                raise
            why = f": {error}".partition("\n")[0]
        else:
            with contextlib.closing(tracer):
                yield _by_kernel(tracer, judge)
            return
    warnings = [f"goroutines are not told: strace does not know them{why}"]
    if not find_strace().stacks:
        warnings.append(
            "paths are not told, and the harness's calls cannot be told from the program's: this "
            "strace was built without stack unwinding (-k)"
        )
    yield Recorder(
        "strace", lambda program, loaded: StraceSight(judge, program, loaded), tuple(warnings)
    )


def _by_kernel(tracer: Tracer, judge: Judge) -> Recorder:
    names = table.names(judge.arch) - judge.harmless
    numbers = (table.number(name, judge.arch) for name in names)
    suspect(tracer.program.map("suspects"), [n for n in numbers if n is not None])
    return Recorder("bpf", lambda program, loaded: KernelSight(tracer, judge, program, loaded))
