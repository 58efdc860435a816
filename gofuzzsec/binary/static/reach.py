"""Which functions can run once some have: a walk over calls, addresses taken, data and types.

Rules, each erring towards "reachable":

- A function that is called or jumped to, or whose address stands in reachable code or data, is
  reachable. Closures, method values, deferred calls and goroutines are addresses taken.
- An object that reachable code or data refers to is reachable, and so is what it refers to.
- The methods in the method table of an interface and a type are reachable with the table.
- Other methods of a reachable type are reachable when a reachable interface type has a method of
  that name: a conversion at run time needs both descriptors. Once reflection can look methods up,
  all exported ones are.

The rules for types are those of Go's linker (cmd/link/internal/ld/deadcode.go), which has no roots
but main; it also knows which types are converted to interfaces, which the finished program does not
tell, so that here all of them count as converted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from gofuzzsec.binary.static.arm64 import PAGE_BYTES
from gofuzzsec.binary.static.code import Code
from gofuzzsec.binary.static.data import Data, Object
from gofuzzsec.binary.static.references import PAGE
from gofuzzsec.binary.static.types import Type, Types, is_exported

NO_UNIT = -1
"""The parent of a root, and the owner of data that is reachable from the start."""

_BY_VALUE = frozenset({"reflect.Value.Method", "reflect.Value.MethodByName"})
_BY_TYPE = frozenset({"reflect.(*rtype).Method", "reflect.(*rtype).MethodByName"})


@dataclass(slots=True)
class Reach:
    """``parents`` maps each reachable unit to the one through which it was first reached;
    ``imports`` names the dynamic loader fills in to a unit that uses them. ``pointed`` are units
    whose address stands in reachable data."""

    parents: dict[int, int] = field(default_factory=dict)
    imports: dict[str, int] = field(default_factory=dict)
    pointed: set[int] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    reflection: bool = False

    def path(self, unit: int) -> tuple[int, ...]:
        """From a root to *unit*, which is reachable; both included."""
        found = [unit]
        while (parent := self.parents[found[-1]]) != NO_UNIT:
            found.append(parent)
        return tuple(reversed(found))


class Walker:
    """Walks over one program; what it looks up is kept for the next walk."""

    def __init__(self, code: Code, data: Data, types: Types) -> None:
        self._code, self._data, self._types = code, data, types
        self._objects: dict[int, Object | None] = {}
        self._edges: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._ownerless = data.ownerless()
        names = code.units.names
        self._by_value = frozenset(i for i, name in enumerate(names) if name in _BY_VALUE)
        self._by_type = frozenset(i for i, name in enumerate(names) if name in _BY_TYPE)
        if self._by_type and self._linked_for_reflection():
            self._by_value |= self._by_type

    def _linked_for_reflection(self) -> bool:
        """Whether the linker kept methods that only reflection can call: exported ones that no
        interface wants and nothing else refers to. reflect.Type has methods for looking up methods,
        so that whoever uses reflection could call them as far as this walk can see, but the linker
        saw whether anybody does."""
        code, types = self._code, self._types
        used = set(code.target.tolist()) | set(self._data.pointed_at().tolist())
        wanted = types.wanted_anywhere
        return any(
            is_exported(method.name) and method.name not in wanted
            and any(function not in used for function in method.functions)
            for address in types.addresses.tolist()
            for method in types.at(address).methods
        )  # fmt: skip

    def edges(self, unit: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Units and addresses of data that *unit* refers to."""
        known = self._edges.get(unit)
        if known is None:
            part = slice(int(self._code.first[unit]), int(self._code.first[unit + 1]))
            targets, kinds = self._code.target[part], self._code.kind[part]
            addresses = np.unique(targets[kinds != PAGE])
            units = self._code.units.holding(addresses)
            to = set(units[units >= 0].tolist())
            data = addresses[units < 0].tolist()
            for page in np.unique(targets[kinds == PAGE]).tolist():
                to |= self._on_page(page)
                data += self._data.on_page(page, PAGE_BYTES)
            known = self._edges[unit] = tuple(sorted(to - {unit})), tuple(data)
        return known

    def _on_page(self, page: int) -> set[int]:
        units = self._code.units
        chosen = (units.starts < page + PAGE_BYTES) & (units.ends > page)
        return set(np.flatnonzero(chosen).tolist())

    def walk(self, roots: Iterable[int], *, closed: frozenset[int] = frozenset()) -> Reach:
        """Everything reachable from the units *roots* without entering *closed*.

        The first walk finds which methods interfaces and reflection can call; the second, which
        knows that from the start, meets every unit by the shortest way.
        """
        roots = tuple(roots)
        reach = Reach()
        for _ in range(2):
            reach = _Walk(
                self, Reach(wanted=reach.wanted, reflection=reach.reflection), closed
            ).run(roots, self._ownerless)
        return reach

    def object(self, address: int) -> Object | None:
        """What *address* is in."""
        if address not in self._objects:
            self._objects[address] = self._data.object(address)
        return self._objects[address]

    @property
    def unreadable(self) -> int:
        """How many types have methods that could not be read."""
        return self._types.unreadable

    def unit_at(self, address: int) -> int:
        """The unit of code that *address* is in, -1 for data."""
        return self._code.units.at(address)

    def looks_up_methods(self, unit: int) -> bool:
        """Whether *unit* is where reflection looks up a method."""
        return unit in self._by_value


class _Walk:
    """One walk: breadth first by functions; going through data costs nothing."""

    def __init__(self, walker: Walker, reach: Reach, closed: frozenset[int]) -> None:
        self._walker, self._reach, self._closed = walker, reach, closed
        self._seen: set[int] = set()  # keys of objects
        self._asleep: dict[str, list[tuple[tuple[int, ...], int]]] = {}
        self._units: deque[int] = deque()
        self._addresses: deque[tuple[int, int]] = deque()

    def run(self, roots: Iterable[int], ownerless: Iterable[int]) -> Reach:
        for unit in roots:
            self._enter(unit, NO_UNIT)
        for address in ownerless:
            self._refer(address, NO_UNIT)
        while True:
            if self._addresses:
                self._open(*self._addresses.pop())
            elif self._units:
                self._leave(self._units.popleft())
            else:
                return self._reach

    def _enter(self, unit: int, parent: int) -> None:
        if unit in self._reach.parents or unit in self._closed:
            return
        self._reach.parents[unit] = parent
        self._units.append(unit)
        if self._walker.looks_up_methods(unit) and not self._reach.reflection:
            self._reach.reflection = True
            for name in [name for name in self._asleep if is_exported(name)]:
                self._wake(name)

    def _leave(self, unit: int) -> None:
        units, addresses = self._walker.edges(unit)
        for to in units:
            self._enter(to, unit)
        for address in addresses:
            self._addresses.append((address, unit))

    def _refer(self, address: int, owner: int) -> None:
        """An address of code or of data."""
        unit = self._walker.unit_at(address)
        if unit >= 0:
            self._reach.pointed.add(unit)
            self._enter(unit, owner)
        else:
            self._addresses.append((address, owner))

    def _open(self, address: int, owner: int) -> None:
        found = self._walker.object(address)
        if found is None or found.key in self._seen:
            return
        self._seen.add(found.key)
        for function in found.functions:
            self._refer(function, owner)
        for lead in found.leads:
            self._addresses.append((lead, owner))
        for name in found.imports:
            self._reach.imports.setdefault(name, owner)
        if found.type is not None:
            self._meet(found.type, owner)

    def _meet(self, type_: Type, owner: int) -> None:
        for method in type_.methods:
            known = method.name in self._reach.wanted
            if known or (self._reach.reflection and is_exported(method.name)):
                for function in method.functions:
                    self._refer(function, owner)
            elif method.functions:
                self._asleep.setdefault(method.name, []).append((method.functions, owner))
        for name in type_.wants:
            if name not in self._reach.wanted:
                self._reach.wanted.add(name)
                self._wake(name)

    def _wake(self, name: str) -> None:
        for functions, owner in self._asleep.pop(name, ()):
            for function in functions:
                self._refer(function, owner)
