"""The static upper bound: every system call that a Go binary could make, whatever its input.

The graph comes from `gofuzzsec.binary.static`; here it gets roots, names and reasons. A bound that
is open (`Bound.is_open`) says why: something in the program can make calls that its code does not
tell. Nothing may be refused on the strength of an open bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gofuzzsec.binary import GoProgram, resolve
from gofuzzsec.binary.static import CallGraph, Reach, Site
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.bound_cache import keep, kept
from gofuzzsec.syscalls.bound_model import Bound, Opening, Place, PossibleCall, UnknownCall

__all__ = [
    "WHOLE",
    "Bound",
    "Opening",
    "Place",
    "PossibleCall",
    "UnknownCall",
    "bound_of",
    "static_bound",
]

WHOLE = "main"
"""The root that stands for the program as the kernel starts it."""
_EXECUTES = ("execve", "execveat")
_START = "main.main"


def static_bound(program: GoProgram | Path, roots: Sequence[str] = (WHOLE,)) -> Bound:
    """The bound of *program* from *roots*: "main", or functions by what `binary.resolve` accepts,
    fuzz tests among them. Kept in the cache by the program's content.

    Raises BinaryError for what is no readable Go program, UsageError for an unknown root.
    """
    program = program if isinstance(program, GoProgram) else GoProgram.read(program)
    named = _chosen(program, roots)
    found = kept(program, named)
    if found is None:
        found = bound_of(CallGraph.read(program), named)
        keep(program, found)
    return found


def _chosen(program: GoProgram, roots: Sequence[str]) -> tuple[str, ...]:
    """The full names of *roots*, each once."""
    found: dict[str, None] = {}
    for root in roots:
        if root == WHOLE:
            found[WHOLE] = None
        else:
            found |= dict.fromkeys(function.name for function in resolve(program, root))
    return tuple(found)


def bound_of(graph: CallGraph, roots: Sequence[str]) -> Bound:
    """The bound from *roots*, which are "main" or full names of functions."""
    own = _units(graph, [root for root in roots if root != WHOLE])
    # A function's bound has no use for what main does, but packages are initialised, and the
    # runtime works for itself, whoever calls it.
    closed = [] if WHOLE in roots else _units(graph, [_START])
    entries = graph.entries()
    around = [] if WHOLE in roots else _test_mains(graph)
    reach = graph.walk([*own, *around, *entries], [] if set(closed) & set(own) else closed)
    naming = _Naming(graph, reach)
    sites = [site for unit in sorted(reach.parents) for site in graph.sites.by_unit.get(unit, ())]
    sites += graph.asked_blindly(reach, own)
    calls = tuple(naming.calls(sites))
    return Bound(
        arch=graph.program.arch,
        go_version=graph.program.go_version,
        roots=tuple(roots),
        calls=calls,
        unknown=tuple(naming.unknown(sites)),
        opens=tuple(_openings(graph, reach, naming, calls, sites)),
        assumes=_assumptions(graph, roots),
        reached=len(reach.parents),
        functions=len(graph.code.units),
    )


def _units(graph: CallGraph, names: Iterable[str]) -> list[int]:
    wanted = frozenset(names)
    return [unit for unit, name in enumerate(graph.code.units.names) if name in wanted]


def _test_mains(graph: CallGraph) -> list[int]:
    """TestMain of a test binary, which prepares what tests find."""
    return [u for u, name in enumerate(graph.code.units.names) if name.endswith(".TestMain")]


class _Naming:
    """Units and sites to what people read."""

    def __init__(self, graph: CallGraph, reach: Reach) -> None:
        self._graph, self._reach = graph, reach

    def path(self, unit: int) -> tuple[str, ...]:
        """Names on the way to *unit*."""
        if unit not in self._reach.parents:
            return ()
        return tuple(self._graph.name(step) for step in self._reach.path(unit))

    def place(self, site: Site) -> Place:
        frames = self._graph.program.frames(site.at, call=False)
        if frames:
            return Place(frames[0].function, frames[0].file, frames[0].line)
        return Place(self._graph.name(site.unit), "", 0)

    def calls(self, sites: Sequence[Site]) -> Iterator[PossibleCall]:
        """One for each number, by name."""
        found: dict[int, list[Site]] = {}
        for site in sites:
            if site.number is not None:
                found.setdefault(site.number, []).append(site)
        arch = self._graph.program.arch
        named = {number: table.name(number, arch) or f"number {number}" for number in found}
        for number in sorted(found, key=lambda number: named[number]):
            places = dict.fromkeys(self.place(site) for site in found[number])
            paths = (self.path(site.unit) for site in found[number])
            shortest = min(paths, key=lambda path: (len(path), path))
            yield PossibleCall(named[number], number, tuple(places), shortest)

    def unknown(self, sites: Sequence[Site]) -> Iterator[UnknownCall]:
        for site in sites:
            if site.number is None:
                yield UnknownCall(self.place(site), site.why, self.path(site.unit))


def _openings(
    graph: CallGraph,
    reach: Reach,
    naming: _Naming,
    calls: Sequence[PossibleCall],
    sites: Sequence[Site],
) -> Iterator[Opening]:
    for name, unit in sorted(reach.imports.items()):
        yield Opening("c-library", name, naming.path(unit))
    if graph.program.has_cgo:
        yield Opening("cgo", "C code is part of the program", ())
    if graph.space.interpreter:
        yield Opening("loader", graph.space.interpreter, ())
    for unit in _units(graph, ["plugin.open"]):
        if unit in reach.parents:
            yield Opening("plugin", "package plugin loads code", naming.path(unit))
    legacy = frozenset(graph.code.legacy)
    for site in sites:
        if site.at in legacy:
            yield Opening("legacy", str(naming.place(site)), naming.path(site.unit))
    for call in calls:
        if call.name in _EXECUTES:
            yield Opening("exec", f"{call.name} runs other programs", call.path)


def _assumptions(graph: CallGraph, roots: Sequence[str]) -> tuple[str, ...]:
    found = []
    if WHOLE not in roots:
        found.append(
            "functions and interface values that callers hand to the root, or that code outside of "
            "its reach and of package initialisation leaves in variables, are not followed"
        )
    if graph.sites.by_unit and not graph.space.symbols:
        found.append(
            "the program is stripped: whatever its data refers to counts as reachable, and a "
            "variable with the number of fcntl that is only ever read counts as constant"
        )
    if graph.walker.unreadable:
        found.append(f"{graph.walker.unreadable} types have methods that could not be read")
    return tuple(found)
