"""Looking into a failing input: is it known, does it come again, how small can it be."""

from __future__ import annotations

import time
from pathlib import Path

from gofuzzsec.coordinator.blame import Blame, blame
from gofuzzsec.coordinator.events import CrashFound
from gofuzzsec.coordinator.shrink import CRASH_PASSES, shrink
from gofuzzsec.coordinator.state import State, values_of
from gofuzzsec.coordinator.talk import Job, Talk
from gofuzzsec.corpus.directory import write_entry
from gofuzzsec.corpus.format import file_name, marshal
from gofuzzsec.corpus.values import Input
from gofuzzsec.errors import StoreError
from gofuzzsec.worker import Outcome, Run
from gofuzzsec.worker.protocol import BLAMES_INPUT

_CONFIRMATIONS = 2  # tries; the second is for a failure that needs luck


def crash_job(state: State, data: bytes, outcome: Outcome) -> Job:
    """Report the failure of *data* unless the same one has been met before.

    The key is taken before anything else, so that two workers that meet the same bug at once do
    the work once; it is given back if the campaign ends before the crash is stored.
    """
    found = blame(outcome)
    if found.key in state.crash_keys:
        state.crash_keys[found.key] += 1
        return
    state.crash_keys[found.key] = 0
    stored = False
    try:
        best, reproduced = data, False
        confirmed = yield from _confirm(state, data, found)
        if confirmed is not None:
            outcome, reproduced = confirmed, True
            if found.kind != "hang":  # each attempt would cost the whole hang limit
                best, outcome = yield from _smallest(state, data, found, outcome)
        _report(state, found, data, best, outcome, reproduced)
        stored = True
    finally:
        if not stored:
            del state.crash_keys[found.key]


def _confirm(state: State, data: bytes, found: Blame) -> Talk[Outcome | None]:
    """The outcome of a run that fails in the same way; None if none does."""
    tries = 1 if found.kind == "hang" else _CONFIRMATIONS
    for _ in range(tries):
        outcome = yield Run(), data
        state.counts.minimising += outcome.count
        if outcome.verdict not in BLAMES_INPUT:
            continue
        again = blame(outcome)
        # A loop is caught wherever it is just then, so a second hang is the same hang.
        if again.key == found.key or again.kind == found.kind == "hang":
            return outcome
    return None


def _smallest(
    state: State, data: bytes, found: Blame, outcome: Outcome
) -> Talk[tuple[bytes, Outcome]]:
    """The smallest input found in the time allowed that fails in the same way."""
    last = outcome

    def fails_alike(candidate: Input) -> Talk[bool]:
        nonlocal last
        reply = yield Run(), marshal(candidate)
        state.counts.minimising += reply.count
        alike = reply.verdict in BLAMES_INPUT and blame(reply).key == found.key
        if alike:
            last = reply
        return alike

    seconds = 0.0 if state.closing else state.options.minimise_seconds
    deadline = time.monotonic() + seconds
    values = yield from shrink(values_of(data), fails_alike, CRASH_PASSES, deadline)
    return marshal(values), last


def _write(state: State, data: bytes) -> Path:
    """Write a failing input; into the campaign directory when its own place cannot be written.

    Raises StoreError when neither can be.
    """
    try:
        return write_entry(Path(state.options.crash_dir), data)
    except OSError as error:
        spare = Path(state.options.spare_crash_dir)
        state.note("warning", f"a crash is written to {spare} instead: {error}")
    try:
        return write_entry(spare, data)
    except OSError as error:
        raise StoreError(
            f"expected to write a failing input into {spare}, found: {error}; "
            "free some space or choose another folder with --campaign, and start again"
        ) from error


def _report(
    state: State, found: Blame, original: bytes, data: bytes, outcome: Outcome, reproduced: bool
) -> None:
    name = file_name(data)
    path = _write(state, data)
    summary = blame(outcome).summary  # of the input as written, whose numbers may differ
    _, new = state.store.add_crash(
        state.target.id,
        hash=name,
        kind=found.kind,
        key=found.key,
        summary=summary,
        output=outcome.message,
        data=data,
        original=original,
        path=str(path),
        reproduced=reproduced,
    )
    if new:
        state.new_crashes += 1
        rerun = state.options.rerun.format(hash=name)
        state.emit(CrashFound(state.label, found.kind, summary, str(path), rerun, reproduced))
