"""Making a kept input smaller, within the small share of the campaign that is worth."""

from __future__ import annotations

import time

import numpy as np

from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.shrink import KEEP_PASSES, shrink
from gofuzzsec.coordinator.state import State, values_of
from gofuzzsec.coordinator.talk import Talk
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import Input, Value
from gofuzzsec.coverage import Bytes, as_array, features, pack
from gofuzzsec.worker import Minimise, Outcome, Run, Verdict
from gofuzzsec.worker.protocol import BLAMES_INPUT

# For one input; guesses that let 60 KB be halved a dozen times at 100 runs/s, and a small input
# have each of its bytes tried a few times. Go's minimiser goes on to try every range of bytes.
_MOST_SECONDS, _LEAST_SECONDS, _MOST_EXECUTIONS = 0.5, 0.02, 1000
_COARSE_SIZE = 1024  # bytes of argument from which our block passes go before Go's bytewise ones
_SMALLEST = 2  # bytes: nothing to gain below


def minimise_kept(state: State, entry: Entry, need: Bytes) -> Talk[Entry]:
    """Shrink *entry* while it keeps the bits of *need*; the entry in its final form.

    Large arguments lose their tail and large blocks first, a request a candidate; Go's own
    minimiser, which needs no request a candidate but goes byte by byte, does the rest.
    """
    values = values_of(entry.data)
    longest = max((len(v.raw) for v in values if isinstance(v.raw, bytes)), default=0)
    wanted = max(_MOST_EXECUTIONS * state.execution_seconds(), _LEAST_SECONDS)
    seconds = min(state.minimise_allowance(), wanted, _MOST_SECONDS)
    # Not worth a request when it could hardly make one attempt in the time.
    if longest < _SMALLEST or seconds < 4e-9 * entry.exec_ns or state.closing:
        return entry
    began = time.monotonic()
    deadline = began + seconds

    def keeps_bits(candidate: Input) -> Talk[bool]:
        outcome = yield Run(), marshal(candidate)
        state.counts.minimising += outcome.count
        if outcome.verdict in BLAMES_INPUT:
            yield from crash_job(state, marshal(candidate), outcome)
        return _has(outcome, need)

    if longest > _COARSE_SIZE:
        values = yield from shrink(values, keeps_bits, KEEP_PASSES, deadline)
    values = yield from _bytewise(state, values, need, deadline)
    state.counts.minimise_seconds += time.monotonic() - began
    data = marshal(values)
    if len(data) >= len(entry.data):
        return entry
    return (yield from _replace(state, entry, data, need))


def _bytewise(state: State, values: Input, need: Bytes, deadline: float) -> Talk[Input]:
    """Go's own minimiser in the worker, argument by argument."""
    for index, value in enumerate(values):
        left = deadline - time.monotonic()
        if not isinstance(value.raw, bytes) or len(value.raw) < _SMALLEST or left < 0.01:
            continue
        outcome = yield Minimise(left, 0, index, need.tobytes()), marshal(values)
        state.counts.minimising += outcome.count
        if outcome.verdict in BLAMES_INPUT:
            data = _blamed_data(values, index, outcome)
            if data is not None:
                yield from crash_job(state, data, outcome)
            return values
        if outcome.verdict is not Verdict.OK:
            return values
        if outcome.wrote:
            values = values_of(outcome.data)
    return values


def _blamed_data(values: Input, index: int, outcome: Outcome) -> bytes | None:
    """The corpus file of the execution that failed inside a Minimise request, if it is known."""
    if outcome.wrote:
        return outcome.data
    if outcome.raw_in_mem:
        raw = Value(values[index].type, outcome.data)
        return marshal((*values[:index], raw, *values[index + 1 :]))
    return None


def _replace(state: State, entry: Entry, data: bytes, need: Bytes) -> Talk[Entry]:
    """Put *data* in the place of *entry* in store and pool, if it holds what it must."""
    outcome = yield Run(), data
    state.counts.minimising += outcome.count
    if not _has(outcome, need):
        return entry
    snapshot = as_array(outcome.coverage or b"")
    found = features(snapshot)
    row = state.store.replace_input(entry.id, data, pack(found), outcome.duration_ns)
    if row.id != entry.id:
        state.pool.drop(entry.id)
    smaller = state.admit(row, found)
    smaller.picks, smaller.finds = entry.picks, entry.finds
    return smaller


def _has(outcome: Outcome, need: Bytes) -> bool:
    if outcome.verdict is not Verdict.OK or outcome.coverage is None:
        return False
    snapshot = as_array(outcome.coverage)
    return len(snapshot) == len(need) and bool(np.all(snapshot & need == need))
