"""What earlier call stacks of a target say about the calls of its next input.

Unwinding a stack costs strace about two milliseconds, seeing a call without one 0.03 (measured;
see `strace.py`). So an input is run for its stacks only when they can teach something. A call is
*settled* without a stack in two cases:

- Every stack so far of that call from that place (see `sightings.Place`) was the target's.
- The input makes, as far as its other calls go, exactly the calls of one whose stacks were read:
  the same unsettled names, and of those that the harness is known to make too (`TempDir`'s
  mkdirat, say) the same number.

Every `AUDIT`-th settled input is run for its stacks all the same, and what contradicts a
precedent ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gofuzzsec.syscalls.model import Origin, SyscallUse
from gofuzzsec.syscalls.sightings import OPEN_PLACES, Place, Sighting, Stack

AUDIT = 64

Attributed = Mapping[Sighting, Mapping[Origin, tuple[int, Stack]]]
"""For each sighting, how many of its calls had which origin, with a stack of each."""

_KEYS_LIMIT = 10_000
_Key = frozenset[tuple[Sighting, int]]


@dataclass(slots=True)
class Precedents:
    """What stacks have shown of one target. Grows with distinct calls, not with inputs."""

    _origins: dict[Sighting, set[Origin]] = field(default_factory=dict)
    _explained: dict[_Key, Attributed] = field(default_factory=dict)
    _relied_on: int = 0

    def settled(self, counts: Mapping[Sighting, int]) -> bool:
        """Whether the calls of an input (*counts*: those both of its runs made) need no stacks."""
        if not any(_open(counts)):
            return True
        unsettled = self._key(counts)
        if unsettled and unsettled not in self._explained:
            return False
        self._relied_on += 1
        return self._relied_on % AUDIT != 0

    def learn(self, counts: Mapping[Sighting, int], attributed: Attributed) -> None:
        """Take in the stacks of an input. A call without any is remembered as unknown."""
        for sighting in _open(counts):
            origins = self._origins.setdefault(sighting, set())
            origins.update(attributed.get(sighting, {Origin.UNKNOWN: (0, ())}))
        for sighting, by_origin in attributed.items():
            self._origins.setdefault(sighting, set()).update(by_origin)
        key = self._key(counts)
        if key and len(self._explained) < _KEYS_LIMIT:
            self._explained[key] = {
                sighting: by_origin
                for sighting, by_origin in attributed.items()
                if self._origins[sighting] != {Origin.TARGET}
            }

    def origins(
        self, sighting: Sighting, counts: Mapping[Sighting, int]
    ) -> Mapping[Origin, tuple[int, Stack]]:
        """Who makes *sighting* in an input with *counts*, as far as precedents tell."""
        explained = self._explained.get(self._key(counts), {})
        if sighting in counts and sighting in explained:
            return {origin: (count, ()) for origin, (count, _) in explained[sighting].items()}
        known = self._origins.get(sighting, set())
        # That only the harness made it so far proves nothing about this time.
        trusted = len(known) == 1 and not known & {Origin.HARNESS, Origin.UNKNOWN}
        return {next(iter(known)) if trusted else Origin.UNKNOWN: (0, ())}

    def only_target(self, sighting: Sighting) -> bool:
        """Whether all stacks of *sighting* so far were the target's."""
        return self._origins.get(sighting) == {Origin.TARGET}

    def never_shown(self, sighting: Sighting) -> bool:
        """Whether no stack of *sighting* has been seen yet."""
        return not self._origins.get(sighting, set()) - {Origin.UNKNOWN}

    def _key(self, counts: Mapping[Sighting, int]) -> _Key:
        return frozenset(
            (sighting, counts[sighting] if self._harness_too(sighting) else 0)
            for sighting in _open(counts)
            if not self.only_target(sighting)
        )

    def _harness_too(self, sighting: Sighting) -> bool:
        return Origin.HARNESS in self._origins.get(sighting, set())


def _open(counts: Mapping[Sighting, int]) -> Iterator[Sighting]:
    return (sighting for sighting in counts if sighting.place in OPEN_PLACES)


_PLACE_ORIGINS = {Place.RUNTIME: Origin.RUNTIME, Place.CHILD: Origin.TARGET}


def uses_of(
    runs: tuple[Mapping[Sighting, int], ...],
    attributed: Attributed,
    precedents: Precedents,
    stray: Mapping[Sighting, int],
) -> tuple[SyscallUse, ...]:
    """The uses of one input, sorted by name and origin.

    *runs* are the counts of its runs (a call is stable when all of several have it), *attributed*
    what its own stacks say (may be empty). *stray* are calls seen around it, outside any input:
    they are reported, never as stable, so that no call goes missing.
    """
    stable = _in_all(runs)
    merged: dict[tuple[str, Origin], SyscallUse] = {}
    for sighting in sorted({s for run in runs for s in run}, key=lambda s: (s.name, s.place)):
        count = max(run.get(sighting, 0) for run in runs)
        is_stable = len(runs) > 1 and sighting in stable
        for origin, (share, stack) in _origins_of(sighting, attributed, precedents, stable):
            names = tuple(frame.function for frame in stack)
            _merge(merged, SyscallUse(sighting.name, origin, share or count, is_stable, names))
    for sighting, count in stray.items():
        if sighting.place is not Place.RUNTIME:
            for origin, _ in _origins_of(sighting, {}, precedents, {}):
                if (sighting.name, origin) not in merged:
                    _merge(merged, SyscallUse(sighting.name, origin, count, stable=False))
    return tuple(merged[key] for key in sorted(merged))


def _origins_of(
    sighting: Sighting,
    attributed: Attributed,
    precedents: Precedents,
    stable: Mapping[Sighting, int],
) -> list[tuple[Origin, tuple[int, Stack]]]:
    placed = _PLACE_ORIGINS.get(sighting.place)
    if placed is not None:
        return [(placed, (0, ()))]
    found = attributed.get(sighting) or precedents.origins(sighting, stable)
    if len(found) == 1:  # the traced runs counted better than the slower one with stacks
        ((origin, (_, stack)),) = found.items()
        return [(origin, (0, stack))]
    return list(found.items())


def _in_all(runs: tuple[Mapping[Sighting, int], ...]) -> dict[Sighting, int]:
    first, *others = runs
    return {s: n for s, n in first.items() if all(s in run for run in others)}


def stable_counts(runs: tuple[Mapping[Sighting, int], ...]) -> dict[Sighting, int]:
    """The sightings that all *runs* have, with the counts of the first."""
    return _in_all(runs)


def _merge(merged: dict[tuple[str, Origin], SyscallUse], use: SyscallUse) -> None:
    """One name and origin may come from several places: through cgo and not, say."""
    old = merged.get((use.name, use.origin))
    if old is not None:
        use = SyscallUse(
            use.name,
            use.origin,
            old.count + use.count,
            old.stable or use.stable,
            old.stack or use.stack,
        )
    merged[(use.name, use.origin)] = use
