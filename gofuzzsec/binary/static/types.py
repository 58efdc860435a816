"""Go's type descriptors and method tables in a program's data.

They carry no symbols of their own, so they are known by their form: a word sequence that satisfies
everything a descriptor must (kind, alignment, sizes, pointers that lead somewhere) is taken for
one. Whatever else happens to look so only adds to what is reachable. Layouts: Go's
src/internal/abi/type.go and src/runtime/type.go, Go 1.20 to 1.27.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.static.space import Region, Space, Words

HEADER = 48
_UNCOMMON = 1  # tflag
_KIND_INTERFACE, _KIND_MAP, _KIND_POINTER, _KIND_FUNC, _KIND_STRUCT = 20, 21, 22, 19, 25
_LAST_KIND = 26
_BODY = {17: 24, 18: 16, 19: 8, 20: 32, 22: 8, 23: 8, 25: 32}
"""Bytes after the header by kind: array, chan, func, interface, pointer, slice, struct."""
_MAP_BODIES = (40, 64, 88)
"""Bytes after the header of a map: to Go 1.23, from 1.24 (Swiss tables), from 1.27."""
_MOST_METHODS = 4096
_SIZES = {
    1: 1, 2: 8, 3: 1, 4: 2, 5: 4, 6: 8, 7: 8, 8: 1, 9: 2, 10: 4, 11: 8, 12: 8, 13: 4, 14: 8, 15: 8,
    16: 16, 18: 8, 19: 8, 20: 16, 21: 8, 22: 8, 23: 24, 24: 16, 26: 8,
}  # fmt: skip
"""Bytes of a value by kind, where the kind decides it."""


@dataclass(frozen=True, slots=True)
class Method:
    """``functions`` are the addresses of its code: for a call through an interface and for any
    other; empty when the linker found that nothing calls it."""

    name: str
    functions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """One descriptor: ``refers`` are addresses of other descriptors and of function values;
    ``methods`` those of the type; ``wants`` the names of the methods of an interface type; ``ends``
    what belongs to it, as (address, bytes)."""

    address: int
    kind: int
    refers: tuple[int, ...]
    methods: tuple[Method, ...]
    wants: tuple[str, ...]
    extents: tuple[tuple[int, int], ...]


class Types:
    """The descriptors of one program. *names* is the address that offsets of names and types count
    from (moduledata.types), *text* the one that those of code do; *entries* are the addresses of
    all functions, sorted."""

    def __init__(self, space: Space, names: int, text: int, entries: npt.NDArray[np.int64]) -> None:
        self._space, self._names, self._text = space, names, text
        self._entries = entries
        self._parsed: dict[int, Type] = {}
        self.unreadable = 0
        """Descriptors whose method tables made no sense."""

    @cached_property
    def addresses(self) -> Words:
        """Everything that looks like a descriptor, sorted."""
        found = [
            _descriptors(region, self._space, self._names)
            for region in self._space.regions
            if not region.executable and len(region.data) >= HEADER
        ]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.uint64)

    def is_type(self, address: int) -> bool:
        """Whether a descriptor may begin at *address*."""
        at = int(np.searchsorted(self.addresses, address))
        return at < len(self.addresses) and int(self.addresses[at]) == address

    @cached_property
    def pointers_to(self) -> dict[int, tuple[int, ...]]:
        """The pointer types of each type: reflect.PointerTo finds them without a reference."""
        found: dict[int, tuple[int, ...]] = {}
        for address in self.addresses.tolist():
            data = self._space.read(address, HEADER + 8)
            if len(data) == HEADER + 8 and data[23] & 31 == _KIND_POINTER:
                (element,) = struct.unpack_from("<Q", data, HEADER)
                found[element] = (*found.get(element, ()), address)
        return found

    def at(self, address: int) -> Type:
        """The descriptor at *address*, for which `is_type` holds."""
        known = self._parsed.get(address)
        if known is None:
            known = self._parsed[address] = self._parse(address)
        return known

    def itab(self, address: int) -> tuple[int, tuple[int, ...]] | None:
        """A method table of an interface and a type, as the linker makes them: the type and the
        addresses of the methods; None when there is none at *address*."""
        head = self._space.read(address, 24)
        if len(head) < 24:
            return None
        interface, concrete, mark = struct.unpack_from("<QQI", head)
        if not (self.is_type(interface) and self.is_type(concrete)):
            return None
        wants = self.at(interface).wants
        (own,) = struct.unpack_from("<I", self._space.read(concrete, HEADER), 16)
        if not wants or mark != own:
            return None
        data = self._space.read(address + 24, 8 * len(wants))
        functions = struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8])
        return concrete, tuple(f for f in functions if self._is_entry(f))

    @cached_property
    def wanted_anywhere(self) -> frozenset[str]:
        """Names of the methods of all interface types."""
        return frozenset(
            name
            for address in self.addresses.tolist()
            if self._space.read(address + 23, 1)[0] & 31 == _KIND_INTERFACE
            for name in self.at(address).wants
        )

    def _is_entry(self, address: int) -> bool:
        at = int(np.searchsorted(self._entries, address))
        return at < len(self._entries) and int(self._entries[at]) == address

    def _parse(self, address: int) -> Type:
        head = self._space.read(address, HEADER)
        kind, flags = head[23] & 31, head[20]
        (equal,) = struct.unpack_from("<Q", head, 24)
        (to_this,) = struct.unpack_from("<i", head, 44)
        bodies = _MAP_BODIES if kind == _KIND_MAP else (_BODY.get(kind, 0),)
        body = self._space.read(address + HEADER, max(bodies))
        refers = {equal, *_pointers(body, kind)}
        if to_this > 0:
            refers.add(self._names + to_this)
        extents = [(address, HEADER + max(bodies))]
        wants: tuple[str, ...] = ()
        if kind == _KIND_STRUCT and len(body) == 32:
            refers |= set(self._array(body, 8, 24, 8, extents))
        elif kind == _KIND_INTERFACE and len(body) == 32:
            wants = tuple(self._wants(body, extents))
        methods: tuple[Method, ...] = ()
        if flags & _UNCOMMON:
            methods = self._methods(address, bodies, extents)
        if kind == _KIND_FUNC and len(body) == 8:
            refers |= set(self._signature(address, body, flags, extents))
        refers |= set(self.pointers_to.get(address, ()))
        refers.discard(0)
        return Type(address, kind, tuple(sorted(refers)), methods, wants, tuple(extents))

    def _array(
        self, body: bytes, at: int, row: int, field: int, extents: list[tuple[int, int]]
    ) -> Iterator[int]:
        """The pointers at *field* of each row of *row* bytes of a slice whose header is at *at*."""
        data, count = struct.unpack_from("<QQ", body, at)
        rows = self._space.read(data, min(count, 1 << 16) * row)
        extents.append((data, len(rows)))
        for start in range(0, len(rows) - row + 1, row):
            yield struct.unpack_from("<Q", rows, start + field)[0]

    def _wants(self, body: bytes, extents: list[tuple[int, int]]) -> Iterator[str]:
        data, count = struct.unpack_from("<QQ", body, 8)
        rows = self._space.read(data, min(count, _MOST_METHODS) * 8)
        extents.append((data, len(rows)))
        for start in range(0, len(rows) - 7, 8):
            yield self.name(struct.unpack_from("<i", rows, start)[0])

    def _signature(
        self, address: int, body: bytes, flags: int, extents: list[tuple[int, int]]
    ) -> Iterator[int]:
        inputs, outputs = struct.unpack_from("<HH", body)
        start = address + HEADER + 8 + (16 if flags & _UNCOMMON else 0)
        data = self._space.read(start, 8 * (inputs + (outputs & 0x7FFF)))
        extents.append((start, len(data)))
        yield from struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8])

    def _methods(
        self, address: int, bodies: tuple[int, ...], extents: list[tuple[int, int]]
    ) -> tuple[Method, ...]:
        """Of a map, whose length the file does not say, every table that makes sense."""
        found: list[Method] = []
        sensible = False
        for body in bodies:
            start = address + HEADER + body
            methods = self._table(start, extents)
            if methods is not None:
                sensible = True
                found += methods
        if not sensible:
            self.unreadable += 1
        return tuple(found)

    def _table(self, start: int, extents: list[tuple[int, int]]) -> list[Method] | None:
        head = self._space.read(start, 16)
        if len(head) < 16:
            return None
        _, count, exported, offset = struct.unpack_from("<iHHI", head)
        rows = self._space.read(start + offset, 16 * count) if count <= _MOST_METHODS else b""
        if exported > count or len(rows) < 16 * count or offset > 1 << 20:
            return None
        methods = []
        for name, _, own, other in struct.iter_unpack("<iiii", rows):
            functions = {self._text + f for f in (own, other) if f not in (0, -1)}
            text = self.name(name)
            if not text or not all(map(self._is_entry, functions)):
                return None
            methods.append(Method(text, tuple(sorted(functions))))
        extents += [(start, 16), (start + offset, len(rows))]
        return methods

    def name(self, offset: int) -> str:
        """The name at *offset*: flags, its length as a varint, its text. "" for none."""
        head = self._space.read(self._names + offset, 4)
        if offset <= 0 or len(head) < 4 or head[0] & 0xF0:
            return ""
        size, behind = head[1], 2
        if size & 0x80:
            size, behind = size & 0x7F | head[2] << 7, 3
        text = self._space.read(self._names + offset + behind, size)
        return text.decode("utf-8", "replace") if len(text) == size else ""


def is_exported(name: str) -> bool:
    """Whether a method's name is one that other packages may use."""
    return name[:1].isupper()


def _pointers(body: bytes, kind: int) -> Iterator[int]:
    """The addresses of types and functions right behind the header, by kind."""
    count = {17: 2, 18: 1, 21: 4, 22: 1, 23: 1}.get(kind, 0)
    if len(body) >= 8 * count:
        yield from struct.unpack_from(f"<{count}Q", body)


def _descriptors(region: Region, space: Space, names: int) -> Words:
    """Addresses of the words of *region* at which a descriptor may begin."""
    first, words = region.words()
    if len(words) < 6:
        return np.zeros(0, np.uint64)
    count = len(words) - 5
    size, pointers, marks, equal, masks, texts = (words[i : i + count] for i in range(6))
    flags, align = marks >> 32 & 0xFF, marks >> 40 & 0xFF
    field_align, kind = marks >> 48 & 0xFF, marks >> 56 & 31
    good = (pointers <= size) & (size < 1 << 40) & (flags < 64) & (kind >= 1) & (kind <= _LAST_KIND)
    good &= np.isin(align, (1, 2, 4, 8)) & np.isin(field_align, (1, 2, 4, 8))
    sizes = np.array([_SIZES.get(k, 0) for k in range(32)], np.uint64)[kind.astype(np.int64)]
    good &= (sizes == 0) | (sizes == size)
    good &= ((equal == 0) | _inside(space, equal)) & ((masks == 0) | _inside(space, masks))
    text, to_this = texts & np.uint64(0xFFFFFFFF), texts >> np.uint64(32)
    good &= (text != 0) & _inside(space, text + np.uint64(names))
    good &= (to_this == 0) | _inside(space, to_this + np.uint64(names))
    return np.uint64(first) + np.flatnonzero(good).astype(np.uint64) * np.uint64(8)


def _inside(space: Space, address: Words) -> npt.NDArray[np.bool_]:
    return np.asarray((address >= space.low) & (address < space.high))
