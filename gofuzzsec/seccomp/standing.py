"""Where each system call stands: needed, possible, or impossible.

*Needed* is what something showed: the evidence, the Go runtime's baseline, what container runtimes
and the kernel do. *Possible* is what nothing showed and nothing rules out: the static bound of a
program contains it, or there is no bound that could rule it out. *Impossible* is what no bound of
the given programs contains, and only where each bound is closed and that of a whole program.

A filter is inherited by every program that the filtered one starts. So a bound whose program can
reach execve rules nothing out, unless somebody who knows says that it starts none, or gives the
programs that it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.build import build_profile
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.bound import WHOLE, Bound
from gofuzzsec.syscalls.bound_model import PossibleCall
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import OCI_RUNTIME_CALLS

NO_PROGRAM = "no program is given, so nothing rules it out"
_EXEC = "exec"


class Standing(StrEnum):
    """How sure it is that a call is needed, as the module says."""

    NEEDED = "needed"
    POSSIBLE = "possible"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class CallStanding:
    """One call. ``reasons`` are words, the most telling first, never empty. ``where`` are the
    places of the given programs that make it ("function file:line", as stacks have it), ``path``
    the shortest way to one of them, the root first; both empty where no bound contains it."""

    name: str
    standing: Standing
    reasons: tuple[str, ...]
    where: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


def standings(
    names: Iterable[str],
    rows: Sequence[SyscallRow],
    bound: Bound | Sequence[Bound] | None,
    arch: str,
    *,
    baseline: Iterable[str] = (),
    oci: Mapping[str, str] = OCI_RUNTIME_CALLS,
    children_known: bool = False,
) -> dict[str, CallStanding]:
    """Where each of *names* stands, by name, in the order given.

    *rows* are the evidence, *bound* the static bound of the program, or those of several programs
    that run under one profile; None or none rules nothing out. *baseline* are the Go runtime's own
    calls besides those in *rows*. *children_known* says that the programs start no others, or that
    *bound* has those too. Raises ProfileError for an architecture that is not known, for evidence
    that is not of it, and for a bound of another one.
    """
    bounds = [bound] if isinstance(bound, Bound) else list(bound or ())
    for each in bounds:
        if each.arch != arch:
            raise ProfileError(
                f"expected programs for {arch}, which the profile is for, found one for "
                f"{each.arch}: give the program that was built for {arch}"
            )
    built = build_profile(rows, baseline=baseline, oci=oci, arch=arch)
    needed = {call.name: call.reasons for call in built.calls}
    harness = {row.name for row in rows if row.origin == Origin.HARNESS} - needed.keys()
    doubt = doubts(bounds, children_known=children_known)
    found: dict[str, CallStanding] = {}
    for name in names:
        places = [call for each in bounds for call in each.calls if call.name == name]
        standing, reasons = _standing(name, needed, harness, places, doubt)
        found[name] = CallStanding(
            name,
            standing,
            tuple(reasons),
            tuple(dict.fromkeys(str(site) for call in places for site in call.sites)),
            min((call.path for call in places), key=lambda path: (len(path), path), default=()),
        )
    return found


def doubts(bounds: Sequence[Bound], *, children_known: bool = False) -> tuple[str, ...]:
    """Why no call may be held impossible, each a sentence; none when a call may be."""
    if not bounds:
        return (NO_PROGRAM,)
    found: dict[str, None] = {}
    for bound in bounds:
        roots = ", ".join(bound.roots)
        if WHOLE not in bound.roots:
            found[f"the static bound is that of {roots} alone, not of a whole program"] = None
        if bound.unknown:
            first = bound.unknown[0]
            found[
                f"the static bound from {roots} is open: {first.place} makes a call whose number "
                "cannot be told"
            ] = None
        kinds = dict.fromkeys(each.kind for each in bound.opens if each.kind != _EXEC)
        if kinds:
            found[f"the static bound from {roots} is open: {', '.join(map(_opening, kinds))}"] = (
                None
            )
        if not children_known and any(each.kind == _EXEC for each in bound.opens):
            found[
                f"code from {roots} can start other programs, which inherit the filter and make "
                "calls of their own (--child or --no-children says which)"
            ] = None
    return tuple(found)


def _standing(
    name: str,
    needed: Mapping[str, tuple[str, ...]],
    harness: Iterable[str],
    places: Sequence[PossibleCall],
    doubt: Sequence[str],
) -> tuple[Standing, list[str]]:
    if name in needed:
        return Standing.NEEDED, list(needed[name])
    only = ["only the test harness made it"] if name in harness else []
    if places:
        return Standing.POSSIBLE, ["reachable and never seen", *only]
    if doubt:
        return Standing.POSSIBLE, [*doubt, *only]
    return Standing.IMPOSSIBLE, [
        "nothing reachable in the given programs makes it, and nothing else needs it",
        *only,
    ]


def _opening(kind: str) -> str:
    return {
        "c-library": "the C library makes calls of its own",
        "cgo": "C code is part of the program",
        "loader": "the dynamic loader runs before the program",
        "plugin": "code is loaded while the program runs",
        "legacy": "calls are made by the numbers of 32-bit programs",
    }.get(kind, kind)
