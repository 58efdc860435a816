"""What a program's data leads to: from the address of an object to the addresses that it holds.

An object is, in this order: a type descriptor, the variable or table that the symbol table names,
an interface's method table, a nameless variable (what a composite literal in a variable's
initialiser points to), a function value (one word that holds a function's address). Words of
constant data that belong to none of these and look like addresses have no known owner: whatever
they lead to counts as reachable from the start. In a stripped program that is everything but types
and method tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.static.code import Units
from gofuzzsec.binary.static.space import Region, Space
from gofuzzsec.binary.static.types import Type, Types

_MODULE = b"runtime.firstmoduledata"
_TASKS = b"go:main.inittasks"


@dataclass(frozen=True, slots=True)
class Object:
    """``key`` is its address; ``leads`` are the addresses in it, ``functions`` those of code;
    ``imports`` names that the dynamic loader fills in. ``type`` is set for a descriptor."""

    key: int
    leads: tuple[int, ...] = ()
    functions: tuple[int, ...] = ()
    imports: tuple[str, ...] = ()
    type: Type | None = None


class Data:
    """The objects of one program."""

    def __init__(self, space: Space, units: Units, types: Types) -> None:
        self._space, self._units, self._types = space, units, types
        self._starts = np.array([s.address for s in space.symbols], np.int64)
        sizes = np.array([s.size for s in space.symbols], np.int64)
        self._ends = self._starts + sizes
        self._at, self._to = _pointers(space)
        self._slots = np.array(sorted(space.imports), np.int64)
        self._objects: dict[int, Object] = {}

    def object(self, address: int) -> Object | None:
        """What *address* is in; None for what leads nowhere, such as the text of a string."""
        if self._types.is_type(address):
            return self._known(address, self._type)
        if (index := self._symbol(address)) >= 0:
            return self._known(int(self._starts[index]), self._variable, index)
        if (found := self._types.itab(address)) is not None:
            return Object(address, (found[0],), found[1])
        if self._space.symbols and _is_writable(self._space.region(address)):
            return self._words(address, self._end_of_nameless(address))
        function = self._space.word(address)
        if function is not None and self._units.at(function) >= 0:
            return Object(address, (), (function,))
        imports = self._imports(address, address + 8)
        return Object(address, (), (), imports) if imports else None

    def _known(self, key: int, make: Callable[..., Object], *arguments: int) -> Object:
        found = self._objects.get(key)
        if found is None:
            found = self._objects[key] = make(key, *arguments)
        return found

    def _symbol(self, address: int) -> int:
        """The symbol that holds *address*, -1 for none: of several the one that begins last."""
        index = int(np.searchsorted(self._starts, address, "right")) - 1
        for at in range(index, max(index - 8, -1), -1):
            if address < self._ends[at]:
                return at
        return -1

    def _type(self, address: int) -> Object:
        found = self._types.at(address)
        return Object(address, found.refers, (), (), found)

    def _variable(self, address: int, index: int) -> Object:
        symbol = self._space.symbols[index]
        if symbol.name == _MODULE:
            # It points to every type and table there is, for looking them up: only the list of
            # packages to initialise is a way to code.
            tasks = (s.address for s in self._space.symbols if s.name == _TASKS)
            return Object(address, tuple(tasks))
        if (found := self._types.itab(address)) is not None:
            return Object(address, (found[0],), found[1])
        return self._words(address, int(self._ends[index]))

    def _end_of_nameless(self, address: int) -> int:
        """The linker puts variables in order of their size, so a nameless one is no longer than
        the next that has a name, and ends before it."""
        region = self._space.region(address)
        end = region.address + region.size if region else address
        index = int(np.searchsorted(self._starts, address, "right"))
        if index == len(self._starts) or int(self._starts[index]) >= end:
            return end
        following = self._space.symbols[index]
        if index and self._space.symbols[index - 1].size <= following.size:
            return min(following.address, address + following.size)
        return following.address

    def _words(self, start: int, end: int) -> Object:
        first, last = np.searchsorted(self._at, [start, end])
        targets = np.unique(self._to[first:last])
        units = self._units.holding(targets)
        code = units >= 0
        # Data never points into the middle of what Go's compiler made, except for jump tables,
        # which belong to the function itself: such a word is a number.
        middle = code & self._units.compiled[units] & (targets != self._units.starts[units])
        return Object(
            start, tuple(targets[~code].tolist()), tuple(targets[code & ~middle].tolist()),
            self._imports(start, end),
        )  # fmt: skip

    def _imports(self, start: int, end: int) -> tuple[str, ...]:
        first, last = np.searchsorted(self._slots, [start, end])
        return tuple(self._space.imports[int(slot)] for slot in self._slots[first:last])

    def on_page(self, page: int, size: int) -> tuple[int, ...]:
        """Addresses of all objects that overlap the *size* bytes at *page*."""
        end = page + size
        chosen = (self._starts < end) & (self._ends > page)
        types = self._types.addresses.astype(np.int64)
        first, last = np.searchsorted(self._at, [page, end])
        return (
            *self._starts[chosen].tolist(),
            *types[(types >= page) & (types < end)].tolist(),
            *self._at[first:last].tolist(),
        )

    def ownerless(self) -> tuple[int, ...]:
        """What words without a known owner hold: addresses of functions and of data, sorted."""
        owned = np.zeros(len(self._at), bool)
        extents = [
            part for a in self._types.addresses.tolist() for part in self._types.at(a).extents
        ]
        extents += ((s.address, s.size) for s in self._space.symbols)
        for start, size in (*extents, *self._itabs()):
            first, last = np.searchsorted(self._at, [start, start + size])
            owned[first:last] = True
        entry = np.isin(self._to, self._units.starts)
        if self._space.symbols:
            for region in filter(_is_writable, self._space.regions):
                owned |= (self._at >= region.address) & (self._at < region.address + region.size)
            owned |= entry  # a function value of its own: code that uses it refers to it
        # Addresses amid a function are of its own jump tables.
        code = self._units.holding(self._to) >= 0
        return tuple(np.unique(self._to[~owned & (entry | ~code)]).tolist())

    def _itabs(self) -> list[tuple[int, int]]:
        """Address and bytes of all method tables of interfaces."""
        types = np.isin(self._to, self._types.addresses.astype(np.int64))
        pairs = types[:-1] & types[1:] & (np.diff(self._at) == 8)
        found = []
        for address in self._at[:-1][pairs].tolist():
            if (itab := self._types.itab(address)) is not None:
                found.append((address, 24 + 8 * len(itab[1])))
        return found

    def is_variable(self, address: int) -> bool:
        """Whether the symbol table has a word-sized variable at *address*."""
        index = self._symbol(address)
        if index < 0:
            return False
        symbol = self._space.symbols[index]
        return symbol.address == address and symbol.size == 8

    def is_pointed_at(self, address: int) -> bool:
        """Whether other data refers to *address*, or the loader fills it in."""
        return address in self._targets or address in self._space.imports

    @cached_property
    def _targets(self) -> frozenset[int]:
        return frozenset(self._to.tolist())

    def pointed_at(self) -> npt.NDArray[np.int64]:
        """Every address of code that a word of data holds."""
        return np.unique(self._to[self._units.holding(self._to) >= 0])


def _pointers(space: Space) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Places and values of all aligned words that hold an address in some section."""
    places, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for region in space.regions:
        if region.executable or len(region.data) < 8:
            continue
        first, words = region.words()
        near = np.flatnonzero((words >= space.low) & (words < space.high))
        places.append(first + near * 8)
        values.append(words[near].astype(np.int64))
    at, to = np.concatenate(places), np.concatenate(values)
    inside = np.zeros(len(to), bool)
    for region in space.regions:
        inside |= (to >= region.address) & (to < region.address + region.size)
    return at[inside], to[inside]


def _is_writable(region: Region | None) -> bool:
    return region is not None and region.writable and b".rel.ro" not in region.name
