"""From counted calls to the uses that a recorder under strace reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gofuzzsec.syscalls.brackets import Calls, Detail, Details
from gofuzzsec.syscalls.model import Origin, SyscallUse
from gofuzzsec.syscalls.places import Place, Sighting, Stack
from gofuzzsec.syscalls.precedents import Attributed, Precedents, Shown

_PLACE_ORIGINS = {Place.RUNTIME: Origin.RUNTIME, Place.CHILD: Origin.TARGET}
_Merged = dict[tuple[str, Detail, Origin], SyscallUse]


def uses_of(
    runs: tuple[Calls, ...], attributed: Attributed, precedents: Precedents, stray: Calls
) -> tuple[SyscallUse, ...]:
    """The uses of one input, sorted by name, kind, outcome, args and origin.

    *runs* are the calls of its runs, *attributed* what its own stacks say (may be empty). *stray*
    are calls seen around it, outside any input: they are reported, never as stable, so that no call
    goes missing.

    A use is stable when all of several runs have it, whatever its values. Where they all have the
    call, but in no kind and outcome alike (it makes a folder that is there the second time), all of
    these are.
    """
    both = stable_calls(runs)
    merged: _Merged = {}
    for sighting in sorted({s for run in runs for s in run}, key=lambda s: (s.name, s.place)):
        seen = [run.get(sighting, {}) for run in runs]
        most = _most(seen)
        forms = [{detail.form for detail in details} for details in seen]
        alike = [detail for detail in most if all(detail.form in each for each in forms)]
        steady = set(alike or most) if len(runs) > 1 and sighting in both else set()
        for origin, detail, count, stack in _made(sighting, most, attributed, precedents, both):
            _merge(merged, sighting.name, origin, detail, count, detail in steady, stack)
    for sighting, details in stray.items():
        if sighting.place is not Place.RUNTIME:
            for origin in _origins_of(sighting, {}, precedents, {}):
                if not any((key[0], key[2]) == (sighting.name, origin) for key in merged):
                    for detail, count in details.items():
                        _merge(merged, sighting.name, origin, detail, count, False, ())
    return tuple(merged[key] for key in sorted(merged))


def stable_calls(runs: tuple[Calls, ...]) -> dict[Sighting, Details]:
    """The sightings that all *runs* have, as the first has them."""
    first, *others = runs
    return {s: details for s, details in first.items() if all(s in run for run in others)}


def _made(
    sighting: Sighting,
    details: Details,
    attributed: Attributed,
    precedents: Precedents,
    both: Calls,
) -> Iterator[tuple[Origin, Detail, int, Stack]]:
    """Who made the calls of *sighting*: origin, detail, count and stack.

    Counts are those of *details* (the traced runs counted better than the slower one with stacks),
    except where several made calls of one detail.
    """
    found = _origins_of(sighting, attributed, precedents, both)
    for detail, count in details.items():
        if len(found) == 1:
            ((origin, shown),) = found.items()
            yield origin, detail, count, (_shown(shown, detail) or (0, ()))[1]
            continue
        makers = {
            origin: known
            for origin, shown in found.items()
            if (known := _shown(shown, detail)) is not None
        }
        if not makers:  # no stack of such a call came, and several could have made it
            yield Origin.UNKNOWN, detail, count, ()
        for origin, (share, stack) in makers.items():
            yield origin, detail, share if len(makers) > 1 else count, stack


def _shown(shown: Shown, detail: Detail) -> tuple[int, Stack] | None:
    """What stacks showed of *detail*, or else of calls that differ in their values alone."""
    if detail in shown:
        return shown[detail]
    return next((known for each, known in shown.items() if each.form == detail.form), None)


def _origins_of(
    sighting: Sighting, attributed: Attributed, precedents: Precedents, both: Calls
) -> Mapping[Origin, Shown]:
    placed = _PLACE_ORIGINS.get(sighting.place)
    if placed is not None:
        return {placed: {}}
    return attributed.get(sighting) or precedents.origins(sighting, both)


def _most(seen: Sequence[Details]) -> dict[Detail, int]:
    """Of each detail, the count of the run that has most."""
    most: dict[Detail, int] = {}
    for details in seen:
        for detail, count in details.items():
            most[detail] = max(count, most.get(detail, 0))
    return most


def _merge(
    merged: _Merged,
    name: str,
    origin: Origin,
    detail: Detail,
    count: int,
    stable: bool,
    stack: Stack,
) -> None:
    """One use may come from several places: through cgo and not, say."""
    key = (name, detail, origin)
    old = merged.get(key)
    merged[key] = SyscallUse(
        name,
        origin,
        count + (old.count if old else 0),
        stable or (old is not None and old.stable),
        (old.stack if old else ()) or tuple(map(str, stack)),
        *detail,
    )
