"""Every place of a program that makes a system call, with its number where that is a constant.

It begins with the system call instructions. A function that takes the number from its caller makes
no call of its own: its callers do, at the place where they call it, and so on outwards until the
number is a constant. So `syscall.Syscall`, the runtime's and golang.org/x/sys' ways and anybody's
own are found alike, without a list of names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gofuzzsec.binary.static.code import Code, jump_targets
from gofuzzsec.binary.static.data import Data
from gofuzzsec.binary.static.flow import Function, origins, sinks
from gofuzzsec.binary.static.machine import Machine
from gofuzzsec.binary.static.machine_amd64 import Amd64
from gofuzzsec.binary.static.machine_arm64 import Arm64
from gofuzzsec.binary.static.references import BRANCH, CALL, PAGE
from gofuzzsec.binary.static.space import Space
from gofuzzsec.binary.static.values import Origin, Value, number

_REPEATS = "runtime.runPerThreadSyscall"
"""Makes, on every thread, the call that runtime.doAllThreadsSyscall has just made on one and left
in a variable: numbers that the latter is given are all there are."""
FINAL = ("runtime.panic", "runtime.gopanic", "runtime.goPanic", "runtime.throw", "runtime.fatal")
"""Beginnings of the names of functions that do not return: the compiler puts unrelated code behind
calls of them."""
_ANEW = "runtime.morestack"
"""After a call of it the function begins anew with what it was given."""
_FCNTL = {"amd64": 72, "arm64": 25}
_LARGEST_NUMBER = 1 << 31
_MAX_CODE = 1 << 20
"""Bytes of a function whose numbers are worked out; a longer one's are unknown."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place in ``unit``: ``number`` is None for one that cannot be told; ``why`` says so."""

    unit: int
    at: int
    number: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sites:
    """``by_unit`` are the places of each unit that has any. ``wrappers`` are units that make the
    call their caller asks for."""

    by_unit: dict[int, tuple[Site, ...]]
    wrappers: frozenset[int]


Arguments = Callable[[int], int | None]
"""Bytes of arguments and results on the stack of the function at an address, None if unknown."""


def find_sites(space: Space, code: Code, data: Data, arguments: Arguments) -> Sites:
    """All of the program, reachable or not."""
    return _Finder(space, code, data, arguments).find()


class _Finder:
    """The search from the instructions outwards."""

    def __init__(self, space: Space, code: Code, data: Data, arguments: Arguments) -> None:
        self._space, self._code, self._data = space, code, data
        self._arguments = arguments
        machine = Arm64 if space.arch == "arm64" else Amd64
        self._machine: Machine = machine(self._load)
        self._wrappers: dict[int, frozenset[Origin]] = {}
        self._sites: dict[int, tuple[Site, ...]] = {}
        names = code.units.names
        self._final = frozenset(
            int(code.units.starts[i]) for i, name in enumerate(names) if name.startswith(FINAL)
        )
        self._anew = frozenset(
            int(code.units.starts[i]) for i, name in enumerate(names) if name.startswith(_ANEW)
        )
        self._variables: dict[int, Value] = {}
        self._functions: dict[int, Function] = {}

    def find(self) -> Sites:
        units = self._code.units
        unclear = set(self._code.unclear)
        work = {units.at(at) for at in self._code.calls}
        while work:
            unit = work.pop()
            callers = self._visit(unit, guessed=unit in unclear)
            work |= callers
        for at in self._code.legacy:
            unit = units.at(at)
            site = Site(unit, at, None, "a call by the numbers of 32-bit programs")
            self._sites[unit] = (*self._sites.get(unit, ()), site)
        wrappers = frozenset(units.at(address) for address in self._wrappers)
        return Sites(self._sites, wrappers)

    def _visit(self, unit: int, *, guessed: bool) -> set[int]:
        """Work *unit* out; the units to work out again because of it."""
        units = self._code.units
        start, end = int(units.starts[unit]), int(units.ends[unit])
        if guessed or end - start > _MAX_CODE:
            places = [at for at in self._code.calls if start <= at < end]
            why = "code that could not be read"
            self._sites[unit] = tuple(Site(unit, at, None, why) for at in places)
            return set()
        function = self._function(unit)
        found: list[Site] = []
        wanted: set[Origin] = set()
        for sink in sinks(self._machine, function, self._wrappers):
            wanted |= origins(sink.value)
            found += self._told(unit, sink.at, sink.value)
        self._sites[unit] = tuple(found)
        if wanted <= self._wrappers.get(start, frozenset()):
            return set()
        self._wrappers[start] = self._wrappers.get(start, frozenset()) | wanted
        return self._callers(start)

    def _function(self, unit: int) -> Function:
        known = self._functions.get(unit)
        if known is None:
            start, end = int(self._code.units.starts[unit]), int(self._code.units.ends[unit])
            code = self._machine.decode(self._space.read(start, end - start), start)
            known = self._functions[unit] = Function(
                start,
                code,
                jump_targets(self._space, self._code, unit),
                self._final,
                self._anew,
                self._arguments,
            )
        return known

    def _told(self, unit: int, at: int, value: Value) -> list[Site]:
        if self._code.units.names[unit] == _REPEATS:
            return []
        if value is None:
            return [Site(unit, at, None, "a number that is not constant")]
        plain = {item & 0xFFFFFFFF for item in value if isinstance(item, int)}
        odd = len(plain) + len(origins(value)) < len(value)
        if odd or any(item >= _LARGEST_NUMBER for item in plain):
            return [Site(unit, at, None, "a number that makes no sense")]
        return [Site(unit, at, item) for item in sorted(plain)]

    def _callers(self, start: int) -> set[int]:
        code = self._code
        chosen = (code.target == start) & ((code.kind == CALL) | (code.kind == BRANCH))
        callers = code.units.holding(code.at[chosen])
        return {int(unit) for unit in callers if unit >= 0}

    def _load(self, address: int) -> Value:
        """What a word of data holds whenever it is read, None if it may change."""
        region = self._space.region(address)
        word = self._space.word(address)
        if region is None or region.executable:
            return None
        if not region.writable:
            return None if word is None else number(word)
        if address not in self._variables:
            constant = self._is_constant(address, word or 0)
            self._variables[address] = number(word or 0) if constant else None
        return self._variables[address]

    def _is_constant(self, address: int, word: int) -> bool:
        """Whether a variable keeps its first value: package syscall has one, and golang.org/x/sys
        another, with the number of fcntl, which is not the same on all machines. Without symbols
        nobody knows whether the word is part of something larger, and that value has to do."""
        if not self._is_only_read(address) or self._data.is_pointed_at(address):
            return False
        if self._space.symbols:
            return self._data.is_variable(address)
        return word == _FCNTL[self._space.arch]

    def _is_only_read(self, address: int) -> bool:
        """Whether no code writes the variable at *address* or takes its address."""
        code = self._code
        places = code.at[code.target == address]
        pages = (code.kind == PAGE) & (code.target == address & ~0xFFF)
        if pages.any():
            return False
        return all(self._machine.only_loads(self._space.read(at, 16), at) for at in places.tolist())
