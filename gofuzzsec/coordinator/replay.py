"""Running the input of a stored crash once more."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.coordinator.blame import blame
from gofuzzsec.coordinator.events import Event, Note
from gofuzzsec.coordinator.rebuild import DEFAULT_BUILD, BuildChoice, binary_of
from gofuzzsec.store import CrashRow, Store
from gofuzzsec.worker import Outcome, Run, Worker, WorkerSpec
from gofuzzsec.worker.protocol import BLAMES_INPUT


@dataclass(frozen=True, slots=True)
class Replay:
    """``same`` is True when the same crash happened again; ``text`` says what did."""

    text: str
    same: bool


def replay_crash(
    store: Store,
    crash: CrashRow,
    emit: Callable[[Event], None],
    choice: BuildChoice = DEFAULT_BUILD,
) -> Replay:
    """Run the input of *crash* in a fresh worker, built from the source as it is now.

    Raises WorkerStartError, and what `binary_of` raises.
    """
    target = store.target(crash.target)
    binary = binary_of(target, choice)
    emit(Note("info", f"running {crash.hash} in {binary.import_path}.{target.name}"))
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        spec = WorkerSpec(binary=binary.path, target=target.name, cwd=binary.cwd)
        worker = Worker(spec, Path(scratch) / "worker")
        try:
            worker.start()
            outcome = worker.call(Run(), crash.data)
        finally:
            worker.close()
    return _compare(crash, outcome)


def _compare(crash: CrashRow, outcome: Outcome) -> Replay:
    if outcome.verdict not in BLAMES_INPUT:
        return Replay(f"no crash: the worker says {outcome.verdict}", same=False)
    found = blame(outcome)
    if found.key == crash.key:
        return Replay(f"the same {found.kind}: {found.summary}\n{outcome.message}", same=True)
    return Replay(
        f"another {found.kind}: {found.summary}\n(was: {crash.summary})\n{outcome.message}",
        same=False,
    )
