"""The eighteen ways in which Go changes a byte slice.

Each draws its random numbers in the same order as Go's (``internal/fuzz/mutators_byteslice.go``,
the same from Go 1.21 to 1.27), works on the first *length* bytes of a scratch buffer, and returns
the new length, or None when it does not apply; the numbers drawn until then stay drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gofuzzsec.mutate.pcg import Pcg


class Scratch:
    """The buffer that a mutator changes slices in; lives as long as its mutator.

    ``capacity`` is that of Go's buffer and decides which insertions are possible. ``data`` grows
    only as far as it is used, since Go's buffer is usually 100 MiB. Bytes beyond the current
    length matter as well: an earlier, longer value may share them.
    """

    __slots__ = ("capacity", "data")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.data = bytearray()

    def load(self, content: bytes) -> None:
        """Copy *content* to the front; what lies behind it stays."""
        self.data[: len(content)] = content

    def grow(self, length: int) -> bytearray:
        """The buffer with at least *length* bytes in it."""
        missing = length - len(self.data)
        if missing > 0:
            self.data += bytes(missing)
        return self.data


ByteMutator = Callable[[Pcg, Scratch, int], int | None]


def choose_length(rng: Pcg, n: int) -> int:
    """A length in [1, *n*], mostly short; 1 when *n* is 0."""
    x = rng.intn(100)
    if x < 90:
        return rng.intn(min(8, n)) + 1
    if x < 99:
        return rng.intn(min(32, n)) + 1
    return rng.intn(n) + 1


def _two_places(rng: Pcg, length: int) -> tuple[int, int]:
    """Two different positions; *length* must be at least 2."""
    source = rng.intn(length)
    target = rng.intn(length)
    while target == source:
        target = rng.intn(length)
    return source, target


def _byte_order(rng: Pcg) -> Literal["little", "big"]:
    return "little" if rng.boolean() else "big"


def remove(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Take out a range."""
    if length <= 1:
        return None
    start = rng.intn(length)
    end = start + choose_length(rng, length - start)
    data = scratch.data
    new_length = length - (end - start)
    data[start:new_length] = data[end:length]
    return new_length


def _open_gap(scratch: Scratch, at: int, size: int, length: int) -> bytearray:
    """Move what follows *at* up by *size*; the gap keeps its bytes for the caller to replace."""
    data = scratch.grow(length + size)
    data[at + size : length + size] = data[at:length]
    return data


def insert_random(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Insert random bytes."""
    at = rng.intn(length + 1)
    size = choose_length(rng, 1024)
    if length + size >= scratch.capacity:
        return None
    data = _open_gap(scratch, at, size, length)
    data[at : at + size] = bytes([rng.intn(256) for _ in range(size)])
    return length + size


def duplicate(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Insert a copy of one range at another place."""
    if length <= 1:
        return None
    source, target = _two_places(rng, length)
    size = choose_length(rng, length - source)
    if length + 2 * size >= scratch.capacity:
        return None
    data = scratch.grow(length + 2 * size)
    block = data[source : source + size]
    # Go parks the block behind the longer result, where an aliased longer value can see it.
    data[length + size : length + 2 * size] = block
    data[target + size : length + size] = data[target:length]
    data[target : target + size] = block
    return length + size


def overwrite(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Copy one range over another, cut off at the end."""
    if length <= 1:
        return None
    source, target = _two_places(rng, length)
    size = choose_length(rng, length - source - 1)
    block = scratch.data[source : source + size]
    end = min(target + size, length)
    scratch.data[target:end] = block[: end - target]
    return length


def flip_bit(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Flip one bit."""
    if length == 0:
        return None
    at = rng.intn(length)
    scratch.data[at] ^= 1 << rng.intn(8)
    return length


def xor_byte(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Change one byte to any other value."""
    if length == 0:
        return None
    at = rng.intn(length)
    scratch.data[at] ^= 1 + rng.intn(255)
    return length


def swap_bytes(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Exchange two bytes."""
    if length <= 1:
        return None
    source, target = _two_places(rng, length)
    data = scratch.data
    data[source], data[target] = data[target], data[source]
    return length


def add_uint8(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Add to, or subtract from, one byte a number up to 35."""
    if length == 0:
        return None
    at = rng.intn(length)
    amount = rng.intn(35) + 1
    scratch.data[at] = (scratch.data[at] + (amount if rng.boolean() else -amount)) & 0xFF
    return length


def _adder(width: int) -> ByteMutator:
    """Add to, or subtract from, an integer of *width* bytes in either byte order."""

    def add(rng: Pcg, scratch: Scratch, length: int) -> int | None:
        if length < width:
            return None
        amount = rng.intn(35) + 1
        if rng.boolean():
            amount = -amount
        at = rng.intn(length - width + 1)
        order = _byte_order(rng)
        old = int.from_bytes(scratch.data[at : at + width], order)
        new = (old + amount) & (1 << 8 * width) - 1
        scratch.data[at : at + width] = new.to_bytes(width, order)
        return length

    return add


_INTERESTING_8 = (-128, -1, 0, 1, 16, 32, 64, 100, 127)
_INTERESTING_16 = (-32768, -129, 128, 255, 256, 512, 1000, 1024, 4096, 32767, *_INTERESTING_8)
_INTERESTING_32 = (
    *(-2147483648, -100663046, -32769, 32768, 65535, 65536, 100663045, 2147483647),
    *_INTERESTING_16,
)


def set_interesting_uint8(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Set one byte to a value at an edge."""
    if length == 0:
        return None
    at = rng.intn(length)
    scratch.data[at] = _INTERESTING_8[rng.intn(len(_INTERESTING_8))] & 0xFF
    return length


def _interesting_setter(width: int, choices: tuple[int, ...]) -> ByteMutator:
    """Set an integer of *width* bytes to one of *choices*, in either byte order."""

    def set_interesting(rng: Pcg, scratch: Scratch, length: int) -> int | None:
        if length < width:
            return None
        at = rng.intn(length - width + 1)
        value = choices[rng.intn(len(choices))]
        scratch.data[at : at + width] = value.to_bytes(width, _byte_order(rng), signed=True)
        return length

    return set_interesting


def insert_constant(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Insert a run of one byte."""
    if length <= 1:
        return None
    at = rng.intn(length)
    size = choose_length(rng, 4096)
    if length + size >= scratch.capacity:
        return None
    data = _open_gap(scratch, at, size, length)
    data[at : at + size] = bytes([rng.intn(256)]) * size
    return length + size


def overwrite_constant(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Overwrite a range with a run of one byte."""
    if length <= 1:
        return None
    at = rng.intn(length)
    size = choose_length(rng, length - at)
    scratch.data[at : at + size] = bytes([rng.intn(256)]) * size
    return length


def shuffle(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Shuffle a range of three bytes or more (Fisher and Yates, from its end)."""
    if length <= 1:
        return None
    at = rng.intn(length)
    size = choose_length(rng, length - at)
    if size <= 2:
        return None
    block = scratch.data[at : at + size]
    for i in range(size - 1, 0, -1):
        j = rng.intn(i + 1)
        block[i], block[j] = block[j], block[i]
    scratch.data[at : at + size] = block
    return length


def swap_ranges(rng: Pcg, scratch: Scratch, length: int) -> int | None:
    """Exchange two ranges that do not touch."""
    if length <= 1:
        return None
    source, target = _two_places(rng, length)
    size = choose_length(rng, length - max(source, target) - 1)
    if min(source, target) + size >= max(source, target) or length + size >= scratch.capacity:
        return None
    data = scratch.grow(length + size)
    first, second = data[source : source + size], data[target : target + size]
    # Go parks the second range behind the value, where an aliased longer value can see it.
    data[length : length + size] = second
    data[target : target + size] = first
    data[source : source + size] = second
    return length


BYTE_MUTATORS: tuple[ByteMutator, ...] = (
    remove,
    insert_random,
    duplicate,
    overwrite,
    flip_bit,
    xor_byte,
    swap_bytes,
    add_uint8,
    _adder(2),
    _adder(4),
    _adder(8),
    set_interesting_uint8,
    _interesting_setter(2, _INTERESTING_16),
    _interesting_setter(4, _INTERESTING_32),
    insert_constant,
    overwrite_constant,
    shuffle,
    swap_ranges,
)
"""In Go's order: a random number picks one."""
