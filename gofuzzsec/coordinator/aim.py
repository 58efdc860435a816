"""Aiming a campaign: which system calls its target could make and has not made yet."""

from __future__ import annotations

from gofuzzsec.binary import GoProgram
from gofuzzsec.coordinator.direction import Direction
from gofuzzsec.coordinator.reached import roots_of
from gofuzzsec.coordinator.state import State
from gofuzzsec.errors import BinaryError, UsageError
from gofuzzsec.syscalls.nearness import Nearness, nearness


def aim(state: State) -> Direction | None:
    """The direction of a campaign that is about to begin; None, with a note that says why, where
    the plain schedule has to do. Raises UsageError when no system calls are recorded."""
    if not state.in_process and state.capture is None:
        raise UsageError(
            "expected system calls to be recorded with --toward-syscalls, which is aimed at those "
            "not seen yet; found no recorder: leave out --capture, or see `gofuzzsec doctor`"
        )
    try:
        program = GoProgram.read(state.binary.path)
        near = nearness(program, roots_of(program, state.target))
    except BinaryError as error:
        state.note("warning", f"not directed, the plain schedule goes on: {error}")
        return None
    _say_what_is_not_known(state, near)
    direction = Direction(near, state.store.behaviour(state.target.id))
    if not direction.goals:
        state.note(
            "info",
            f"all {len(near.names)} system calls that the target could make were made already; "
            "the plain schedule goes on",
        )
        return None
    state.tokens.learn(near.tokens)
    return direction


def _say_what_is_not_known(state: State, near: Nearness) -> None:
    if near.bound.is_open:
        found = [f"{one.kind} ({one.what})" for one in near.bound.opens if one.kind != "exec"]
        found += [
            f"a call whose number is not constant, in {one.place}" for one in near.bound.unknown
        ]
        state.note(
            "warning",
            "the static bound is open: the target may make calls that it does not list, at which "
            f"nothing can be aimed; {found[0]}" + (", and more" if len(found) > 1 else ""),
        )
    if near.harness:
        state.note(
            "info",
            "not aimed at, because only the runtime, package initialisation or the test harness "
            f"make them: {', '.join(near.harness)}",
        )
