"""Offsets of the fields of one Go structure from DWARF.

Only as much of DWARF is read as Go's linker writes for a structure: reading a whole program's with
a general library takes seconds. The structure is found by its name, which the linker writes in
place, and its entry is decoded by the abbreviations of the unit it is in. Source: DWARF 4 and 5,
and Go's cmd/internal/dwarf (putattr, abbrevs).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache, partial

from gofuzzsec.binary.elf import Elf
from gofuzzsec.errors import BinaryError

MAX_DEBUG = 256 << 20
"""Bytes of debugging information that are looked at, uncompressed."""
MAX_ABBREVIATIONS = 1 << 20
"""Bytes of abbreviations; C code brings its own."""
_STRUCTURE, _MEMBER = 0x13, 0x0D  # DW_TAG
_NAME, _LOCATION = 0x03, 0x38  # DW_AT
_STRING = 0x08  # DW_FORM_string
_FIXED = {0x01: 8, 0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x0E: 4, 0x10: 4, 0x11: 1,
          0x12: 2, 0x13: 4, 0x14: 8, 0x17: 4, 0x19: 0, 0x1C: 16, 0x1F: 4, 0x20: 8}  # fmt: skip
_SIGNED, _UNSIGNED = 0x0D, (0x0F, 0x15)
_BLOCKS = {0x03: 2, 0x04: 4, 0x0A: 1}
_MAX_UNITS, _MAX_FIELDS, _MAX_HITS = 100_000, 256, 32
_MAX_KINDS, _MAX_ATTRIBUTES = 256, 64  # Go has 60 kinds of up to 10

Unit = tuple[int, int, int]
"""Start, end and offset of the abbreviations of a unit."""

Abbreviations = dict[int, tuple[int, bool, tuple[tuple[int, int], ...]]]
"""By code: the tag, whether children follow, (attribute, form) pairs."""


class _UnreadableError(Exception):
    """What is here is not what Go's linker writes."""


def field_offsets(elf: Elf, *structures: str) -> dict[str, dict[str, int]]:
    """Offsets in bytes of the fields of each of *structures*, such as "runtime.g", by name. One
    that the debugging information does not describe is left out: it was stripped, is damaged, or
    is more than `MAX_DEBUG`."""
    info, abbreviations = elf.section(b".debug_info"), elf.section(b".debug_abbrev")
    if info is None or abbreviations is None:
        return {}
    try:
        data, table = elf.content(info, MAX_DEBUG), elf.content(abbreviations, MAX_ABBREVIATIONS)
    except BinaryError:
        return {}
    units = list(_units(data))
    kinds = cache(partial(_abbreviations, table))  # units share them
    found = ((name, _structure(data, kinds, units, name)) for name in structures)
    return {name: fields for name, fields in found if fields}


def _structure(
    data: bytes, kinds: Callable[[int], Abbreviations], units: list[Unit], name: str
) -> dict[str, int]:
    """The fields of one structure, none when no entry has its name."""
    needle = name.encode() + b"\0"
    at = -1
    for _ in range(_MAX_HITS):
        at = data.find(needle, at + 1)
        if at < 0:
            break
        # The name is also the end of others, such as those of pointers to the structure.
        start, end, offset = units[bisect_right(units, at, key=lambda unit: unit[0]) - 1]
        if start < at < end:
            try:
                return _fields(data, at, end, kinds(offset))
            except _UnreadableError:
                continue
    return {}


def _units(data: bytes) -> Iterator[Unit]:
    """The units one after the other; an empty one when there is none."""
    at = 0
    for _ in range(_MAX_UNITS):
        if at + 12 > len(data):
            break
        size, version = struct.unpack_from("<IH", data, at)
        end = at + 4 + size
        if size >= 0xFFFFFFF0 or end > len(data):
            break  # 64-bit DWARF: no Go toolchain writes it
        (offset,) = struct.unpack_from("<I", data, at + (8 if version >= 5 else 6))
        yield at, end, offset
        at = end
    if at == 0:
        yield 0, 0, 0


def _abbreviations(table: bytes, at: int) -> Abbreviations:
    found: Abbreviations = {}
    for _ in range(_MAX_KINDS):
        code, at = _number(table, at)
        if code == 0:
            return found
        tag, at = _number(table, at)
        children, at = _number(table, at)
        attributes = []
        for _ in range(_MAX_ATTRIBUTES):
            attribute, at = _number(table, at)
            form, at = _number(table, at)
            if attribute == form == 0:
                break
            attributes.append((attribute, form))
        found[code] = tag, bool(children), tuple(attributes)
    raise _UnreadableError


def _fields(data: bytes, name: int, end: int, abbreviations: Abbreviations) -> dict[str, int]:
    """The members of the structure whose name is at *name*, its entry's first attribute."""
    code = data[name - 1]  # fewer than 128 abbreviations: one byte
    tag, children, attributes = abbreviations.get(code, (0, False, ()))
    if tag != _STRUCTURE or not children or attributes[:1] != ((_NAME, _STRING),):
        raise _UnreadableError
    _, _, at = _entry(data, name, attributes)
    found: dict[str, int] = {}
    for _ in range(_MAX_FIELDS):
        code, at = _number(data, at)
        if code == 0:
            return found
        tag, children, attributes = abbreviations.get(code, (0, False, ()))
        if tag != _MEMBER or children or at >= end:
            raise _UnreadableError
        field, offset, at = _entry(data, at, attributes)
        found[field] = offset
    raise _UnreadableError


def _entry(data: bytes, at: int, attributes: tuple[tuple[int, int], ...]) -> tuple[str, int, int]:
    """Name and member location of the entry whose attributes begin at *at*, and where they end."""
    name, location = "", -1
    for attribute, form in attributes:
        start = at
        value, at = _value(data, at, form)
        if attribute == _NAME and form == _STRING:
            name = data[start : at - 1].decode("utf-8", "replace")
        elif attribute == _LOCATION:
            location = value
    return name, location, at


def _value(data: bytes, at: int, form: int) -> tuple[int, int]:
    """A number, 0 for what is none, and where the attribute's value ends."""
    if form in _FIXED:
        size = _FIXED[form]
        return int.from_bytes(data[at : at + size], "little"), at + size
    if form == _STRING:
        end = data.find(b"\0", at)
        if end < 0:
            raise _UnreadableError
        return 0, end + 1
    if form in _UNSIGNED or form == _SIGNED:
        return _number(data, at)
    if form in _BLOCKS:
        size = int.from_bytes(data[at : at + _BLOCKS[form]], "little")
        return 0, at + _BLOCKS[form] + size
    raise _UnreadableError


def _number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise _UnreadableError
