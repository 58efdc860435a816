"""Counting refusals, and telling whose they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gofuzzsec.coordinator.verifying.model import Refusal

_MOST = 2000  # distinct refusals kept of one input or process


class Refusals:
    """Counts refusals that differ in more than their arguments, keeping the first of each."""

    def __init__(self) -> None:
        self._found: dict[Refusal, Refusal] = {}

    def add(self, refusal: Refusal) -> None:
        """Count *refusal*; what exceeds the limit is left out."""
        key = _key(refusal)
        known = self._found.get(key)
        if known is not None:
            self._found[key] = replace(known, count=known.count + refusal.count)
        elif len(self._found) < _MOST:
            self._found[key] = refusal

    def take(self) -> list[Refusal]:
        """All of them, and begin anew."""
        found, self._found = list(self._found.values()), {}
        return found


def _key(refusal: Refusal) -> Refusal:
    return replace(refusal, args=(), goroutine=None, count=1)


def united(refusals: Iterable[Refusal]) -> list[Refusal]:
    """*refusals* with those that differ in nothing but arguments and count made one."""
    found = Refusals()
    for refusal in refusals:
        found.add(refusal)
    return found.take()


def blamed(refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """Those that are not the harness's, sorted."""
    own = united(refusal for refusal in refusals if not refusal.by_harness)
    return tuple(sorted(own, key=lambda refusal: (refusal.name, refusal.path)))


def of_harness(refusals: Iterable[Refusal]) -> dict[str, tuple[str, ...]]:
    """Names of calls that the harness made, with a path for each."""
    found: dict[str, tuple[str, ...]] = {}
    for refusal in refusals:
        if refusal.by_harness:
            found.setdefault(refusal.name, refusal.path)
    return found
