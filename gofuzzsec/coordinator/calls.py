"""System calls that a boosted worker traced in its own process, as evidence."""

from __future__ import annotations

import re

import numpy as np

from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State
from gofuzzsec.coverage import Features
from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.inprocess import TracedCall, recording_of_trace
from gofuzzsec.syscalls.model import Recording
from gofuzzsec.toolchain.find import host_arch

_CALL = re.compile(r"feature (\d{1,9}) count (\d{1,9})(?: values (\d{1,20}))?")
_COMPLETE = "complete"


def record_calls(state: State, entry: Entry, found: Features, callers: str, source: str) -> None:
    """Hand the calls among the features of *entry* over as evidence.

    *callers* is the agent's text about the traced run of the input.
    """
    if state.take_calls is None:
        return
    first = state.pool.first_call
    marks = [int(mark) - first for mark in found[np.searchsorted(found, first) :]]
    calls, complete = parse_callers(callers)
    try:
        recording = recording_of_trace(calls, marks, host_arch(), all_traced=complete or not calls)
    except RecorderError as error:  # a target may have written over what the agent said
        recording = Recording((), complete=False, problem=str(error))
    state.take_calls(entry, recording, source)


def parse_callers(text: str) -> tuple[list[TracedCall], bool]:
    """The traced calls in the agent's text, and whether they are all there were."""
    calls: list[TracedCall] = []
    stack: list[str] = []
    feature = count = -1
    values: int | None = None
    complete = False
    for line in [*text.splitlines(), "feature 0 count 0"]:
        head = _CALL.fullmatch(line)
        if head is None:
            if feature < 0 and line == _COMPLETE:
                complete = True
            stack.append(line)
            continue
        if feature >= 0:
            calls.append(TracedCall(feature, count, tuple(stack), values))
        feature, count, stack = int(head[1]), int(head[2]), []
        values = None if head[3] is None else int(head[3])
    return calls, complete
