"""Counted calls of one stretch of a trace: an input, or a whole process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gofuzzsec.syscalls.arguments import MOST_VALUES
from gofuzzsec.syscalls.model import CallOutcome
from gofuzzsec.syscalls.places import Sighting, Stack

_PROBLEM_LIMIT = 20
_REFUSALS = frozenset({"EPERM", "EACCES", "ENOSYS"})
_NO_RETURN = frozenset({"execve", "execveat"})  # where they succeed
_INTERRUPTED = ("ERESTART", "EINTR")


class Detail(NamedTuple):
    """What a call was beyond its name: ``kind``, ``outcome`` and ``args`` as in SyscallUse."""

    kind: str
    outcome: CallOutcome
    args: tuple[int, ...] = ()

    @property
    def form(self) -> tuple[str, CallOutcome]:
        """What says whether two runs did the same: values may be chance."""
        return self.kind, self.outcome


Details = Mapping[Detail, int]
Calls = Mapping[Sighting, Details]
"""How often each sighting came, by its details."""


def outcome_of(name: str, result: int | None, error: str) -> CallOutcome | None:
    """How call *name* ended, None when a signal interrupted it.

    The kernel begins most interrupted calls anew, which the trace shows as further ones. That a
    signal came is chance, so an interrupted call tells as much as one that has only begun.
    """
    if error:
        if error.startswith(_INTERRUPTED):
            return None
        return CallOutcome.REFUSED if error in _REFUSALS else CallOutcome.FAILED
    if result is None or name in _NO_RETURN:
        return CallOutcome.BEGUN
    return CallOutcome.OK


def total(calls: Calls) -> dict[Sighting, int]:
    """How often each sighting came."""
    return {sighting: sum(details.values()) for sighting, details in calls.items()}


@dataclass(slots=True)
class Bracket:
    """Calls between two moments of a trace. ``stacks`` holds, for each sighting, how often each
    distinct attribution key came (see `Observer`) with which details, and the first stack of these;
    ``interrupted`` the calls that a signal interrupted, as begun; ``problems`` what could not be
    read. A call with more than `MOST_VALUES` different values has those of the others not told."""

    calls: dict[Sighting, dict[Detail, int]] = field(default_factory=dict)
    stacks: dict[Sighting, dict[str, dict[Detail, tuple[int, Stack]]]] = field(default_factory=dict)
    interrupted: set[tuple[Sighting, Detail]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[Sighting, int]:
        """How often each sighting came."""
        return total(self.calls)

    def add(self, sighting: Sighting, detail: Detail, times: int = 1) -> Detail:
        """Count *sighting*; under which detail it was counted."""
        details = self.calls.get(sighting)
        if details is None:
            details = self.calls[sighting] = {}
        if detail.args and detail not in details and len(details) >= MOST_VALUES:
            known = {each.args for each in details}
            if detail.args not in known and len(known) >= MOST_VALUES:
                detail = detail._replace(args=())
        details[detail] = details.get(detail, 0) + times
        return detail

    def take_back(self, sighting: Sighting, detail: Detail | None = None) -> Detail | None:
        """Uncount one call of *sighting*, any if *detail* is None; the detail of the call."""
        details = self.calls.get(sighting, {})
        detail = next(iter(details), None) if detail is None else detail
        if detail not in details:
            return None
        details[detail] -= 1
        if not details[detail]:
            del details[detail]
        if not details:
            del self.calls[sighting]
        return detail

    def add_all(self, sighting: Sighting, details: Details) -> None:
        """Count calls of *sighting* by their details."""
        for detail, times in details.items():
            self.add(sighting, detail, times)

    def add_stack(self, sighting: Sighting, key: str, detail: Detail, stack: Stack) -> None:
        """Count a call with *stack*, keeping the first stack of each *key* and *detail*."""
        by_detail = self.stacks.setdefault(sighting, {}).setdefault(key, {})
        count, first = by_detail.get(detail, (0, stack))
        by_detail[detail] = (count + 1, first)

    def settle_interrupted(self) -> None:
        """Interrupted calls that nothing else shows have at least begun."""
        for sighting, begun in self.interrupted:
            known = self.calls.get(sighting, {})
            if not any(each.kind == begun.kind and each.args == begun.args for each in known):
                self.add(sighting, begun)
        self.interrupted.clear()

    def problem(self, text: str) -> None:
        """Note, once, something that makes the evidence incomplete."""
        if text not in self.problems and len(self.problems) < _PROBLEM_LIMIT:
            self.problems.append(text)
