"""The dictionary of a ready-made binary: constants in the code of one package.

Go keeps the text of all string constants in one piece without terminators, so that only the code
knows where a string ends: it loads the address and, right beside, the length. Static tables hold
(address, length) pairs. Integers stand in the instructions, floats behind addresses. What is taken
for a string here may be none; for a dictionary that costs little.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.binary.decode import Event, decoder
from gofuzzsec.binary.memory import Memory, functions_of, hook_addresses
from gofuzzsec.binary.program import GoProgram
from gofuzzsec.errors import BinaryError

MIN_TOKEN, MAX_TOKEN = 2, 128
"""Bytes of a token."""
_NEAR = 4  # events between an address and its length; more than Go's compiler ever needs
_MAX_TABLE = 4096  # strings read of one table
_PAIR = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class CodeTokens:
    """``tokens`` are byte strings of 2 to 128 bytes: strings first, then tables of strings,
    integers in both byte orders, floats as they are in memory. ``problem`` is one line about what
    could not be read, or ""."""

    tokens: tuple[bytes, ...] = ()
    problem: str = ""


def code_tokens(
    path: Path, import_path: str, limit: int = 4096, *, seconds: float = 5.0
) -> CodeTokens:
    """Constants that the functions of package *import_path* in the Go binary *path* refer to.

    At most *limit* tokens, from as many functions as can be read in *seconds*. Position-independent
    binaries give no tables, because theirs are filled in when they are loaded. Never raises for
    what the file is like.
    """
    try:
        return _read(GoProgram.read(path), import_path, limit, seconds)
    except BinaryError as error:
        return CodeTokens(problem=f"no dictionary from the code of {path.name}: {error}")


def _read(program: GoProgram, import_path: str, limit: int, seconds: float) -> CodeTokens:
    deadline = time.monotonic() + seconds
    decode = decoder(program.arch)
    memory = Memory(program.elf)
    functions = functions_of(program.functions, import_path)
    found = _Found(memory, hook_addresses(program.functions))
    problem = "" if functions else f"no function of {import_path} in the binary"
    for done, function in enumerate(functions):
        if time.monotonic() > deadline:
            problem = f"read {done} of {len(functions)} functions of {import_path} in {seconds:g} s"
            break
        code = memory.read(function.address, function.size)
        found.take(list(decode(code, function.address)))
    return CodeTokens(found.tokens(limit), problem)


class _Found:
    """Gathers constants function by function. *hooks* are the functions that the compiler calls
    around comparisons of a fuzz build; the last number before such a call is a made-up place."""

    def __init__(self, memory: Memory, hooks: frozenset[int]) -> None:
        self._memory = memory
        self._hooks = hooks
        self._strings: dict[bytes, None] = {}
        self._tables: dict[bytes, None] = {}
        self._numbers: dict[int, None] = {}
        self._floats: dict[bytes, None] = {}

    def take(self, events: list[Event]) -> None:
        """Take in one function."""
        for at, event in enumerate(events):
            if event.kind == "address":
                self._address(events, at)
            elif event.kind == "load":
                self._table(event.value, 1)
            elif event.kind == "float":
                self._float(event)
            elif event.kind == "number" and not self._is_place(events, at):
                self._numbers.setdefault(event.value)

    def tokens(self, limit: int) -> tuple[bytes, ...]:
        numbers = dict.fromkeys(form for n in self._numbers for form in _integer_forms(n))
        every = {**self._strings, **self._tables, **numbers, **self._floats}
        return tuple(every)[:limit]

    def _is_place(self, events: list[Event], at: int) -> bool:
        following = events[at + 1] if at + 1 < len(events) else None
        return following is not None and following.kind == "call" and following.value in self._hooks

    def _address(self, events: list[Event], at: int) -> None:
        address = events[at].value
        if self._table(address, _MAX_TABLE) or not self._memory.is_constant(address):
            return
        length = _length_at(events, at)
        text = self._memory.read(address, length)
        if len(text) == length >= MIN_TOKEN:
            self._strings.setdefault(text)

    def _float(self, event: Event) -> None:
        data = self._memory.read(event.value, event.width)
        if len(data) == event.width and self._memory.is_constant(event.value):
            self._floats.setdefault(data)

    def _table(self, address: int, most: int) -> bool:
        """Take in the strings of up to *most* (address, length) pairs at *address*; whether there
        was one. A slice of strings is a pair, too: of a table and its length."""
        pairs = self._pairs(address, most)
        for start, length in pairs:
            inner = self._pairs(start, length)
            for text_at, size in inner if len(inner) == length else [(start, length)]:
                if MIN_TOKEN <= size <= MAX_TOKEN:
                    text = self._memory.read(text_at, size)
                    if len(text) == size:
                        self._tables.setdefault(text)
        return bool(pairs)

    def _pairs(self, address: int, most: int) -> list[tuple[int, int]]:
        """The (address, length) pairs from *address* on that may be strings, up to *most*."""
        if address % 8:
            return []
        data = self._memory.read(address, most * _PAIR.size)
        pairs = []
        for start, length in _PAIR.iter_unpack(data[: len(data) // _PAIR.size * _PAIR.size]):
            if not 0 < length <= _MAX_TABLE or not self._memory.is_mapped(start):
                break
            pairs.append((start, length))
        return pairs


def _length_at(events: list[Event], at: int) -> int:
    """The number beside an address that is most likely the length of a string there, 0 for none.

    Go sets the registers of a string in order; the length comes before when it was compared first.
    """
    for side in (events[at + 1 : at + 1 + _NEAR], events[max(0, at - _NEAR) : at][::-1]):
        for event in side:
            if event.kind in ("call", "jump"):
                break
            if event.kind == "number" and 0 < event.value <= MAX_TOKEN:
                return event.value
    return 0


def _integer_forms(value: int) -> Iterator[bytes]:
    """Both byte orders at the narrowest width that holds a number; small ones have none."""
    if abs(value) <= 255 or not -(1 << 63) <= value < 1 << 64:
        return
    size = next(w for w in (2, 4, 8) if -(1 << (8 * w - 1)) <= value < 1 << (8 * w))
    data = (value % (1 << (8 * size))).to_bytes(size, "little")
    yield data
    yield data[::-1]
