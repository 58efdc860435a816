"""What earlier call stacks of a target say about the calls of its next input.

Unwinding a stack costs strace about two milliseconds, seeing a call without one 0.03 (measured;
see `strace.py`). So an input is run for its stacks only when they can teach something. A call is
*settled* without a stack in two cases:

- Every stack so far of that call from that place (see `sightings.Place`) was the target's.
- The input makes, as far as its other calls go, exactly the calls of one whose stacks were read:
  the same unsettled names, and of those that the harness is known to make too (`TempDir`'s
  mkdirat, say) the same number of each kind and outcome.

Every `AUDIT`-th settled input is run for its stacks all the same, and what contradicts a
precedent ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gofuzzsec.syscalls.brackets import Calls, Detail
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.places import OPEN_PLACES, Sighting, Stack

AUDIT = 64

Shown = Mapping[Detail, tuple[int, Stack]]
"""How many calls of each detail stacks have shown, with the first stack."""

Attributed = Mapping[Sighting, Mapping[Origin, Shown]]
"""What stacks have shown of each sighting, by origin."""

_KEYS_LIMIT = 10_000
_Key = frozenset[tuple[Sighting, frozenset[tuple[Detail, int]]]]


@dataclass(slots=True)
class Precedents:
    """What stacks have shown of one target. Grows with distinct calls, not with inputs."""

    _origins: dict[Sighting, set[Origin]] = field(default_factory=dict)
    _explained: dict[_Key, Attributed] = field(default_factory=dict)
    _relied_on: int = 0

    def settled(self, calls: Calls) -> bool:
        """Whether the *calls* of an input (those both of its runs made) need no stacks."""
        if not any(_open(calls)):
            return True
        unsettled = self._key(calls)
        if unsettled and unsettled not in self._explained:
            return False
        self._relied_on += 1
        return self._relied_on % AUDIT != 0

    def learn(self, calls: Calls, attributed: Attributed) -> None:
        """Take in the stacks of an input. A call without any is remembered as unknown."""
        for sighting in _open(calls):
            origins = self._origins.setdefault(sighting, set())
            origins.update(attributed.get(sighting, {Origin.UNKNOWN: {}}))
        for sighting, by_origin in attributed.items():
            self._origins.setdefault(sighting, set()).update(by_origin)
        key = self._key(calls)
        if key and len(self._explained) < _KEYS_LIMIT:
            self._explained[key] = {
                sighting: by_origin
                for sighting, by_origin in attributed.items()
                if self._origins[sighting] != {Origin.TARGET}
            }

    def origins(self, sighting: Sighting, calls: Calls) -> Mapping[Origin, Shown]:
        """Who makes *sighting* in an input with *calls*, as far as precedents tell: no stacks, and
        details only where several do."""
        explained = self._explained.get(self._key(calls), {})
        if sighting in calls and sighting in explained:
            return {
                origin: {detail: (count, ()) for detail, (count, _) in shown.items()}
                for origin, shown in explained[sighting].items()
            }
        known = self._origins.get(sighting, set())
        # That only the harness made it so far proves nothing about this time.
        trusted = len(known) == 1 and not known & {Origin.HARNESS, Origin.UNKNOWN}
        return {next(iter(known)) if trusted else Origin.UNKNOWN: {}}

    def only_target(self, sighting: Sighting) -> bool:
        """Whether all stacks of *sighting* so far were the target's."""
        return self._origins.get(sighting) == {Origin.TARGET}

    def never_shown(self, sighting: Sighting) -> bool:
        """Whether no stack of *sighting* has been seen yet."""
        return not self._origins.get(sighting, set()) - {Origin.UNKNOWN}

    def _key(self, calls: Calls) -> _Key:
        return frozenset(
            (sighting, frozenset(calls[sighting].items() if self._harness_too(sighting) else ()))
            for sighting in _open(calls)
            if not self.only_target(sighting)
        )

    def _harness_too(self, sighting: Sighting) -> bool:
        return Origin.HARNESS in self._origins.get(sighting, set())


def _open(calls: Iterable[Sighting]) -> Iterator[Sighting]:
    return (sighting for sighting in calls if sighting.place in OPEN_PLACES)
