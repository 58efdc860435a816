"""The call graph of one program, with the system calls in it."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

from gofuzzsec.binary.program import GoProgram
from gofuzzsec.binary.static.arm64 import PAGE_BYTES
from gofuzzsec.binary.static.code import Code, read_code, units_of
from gofuzzsec.binary.static.data import Data
from gofuzzsec.binary.static.reach import Reach, Walker
from gofuzzsec.binary.static.references import ADDRESS, PAGE
from gofuzzsec.binary.static.sites import Site, Sites, find_sites
from gofuzzsec.binary.static.space import Space, space_of
from gofuzzsec.binary.static.types import Types
from gofuzzsec.binary.table import Function

_TYPES = 37
"""Word of runtime.moduledata with the address that offsets of types count from: Go 1.20 to 1.27."""
_STARTERS = (b".init_array", b".preinit_array", b".fini_array", b".ctors", b".dtors")
_START_CODE = (b".init", b".fini")
_RUNTIME = ("runtime.", "runtime/internal/", "internal/runtime/", "internal/abi.", "internal/cpu.")
_UNKNOWN_ARGUMENTS = 1 << 31
"""From this on the size of a function's arguments is not known."""


class CallGraph:
    """Functions, what each refers to, and where system calls are made. Immutable once read; takes
    some five times the program's size in memory."""

    def __init__(self, program: GoProgram) -> None:
        self.program = program
        self.space: Space = space_of(program.elf)
        functions = ((f.address, f.size, f.name, f.assembly) for f in program.functions)
        units = units_of(self.space, functions)
        self.code: Code = read_code(self.space, units, paired=not program.has_cgo)
        text = program.pclntab.module.text
        self._types = Types(self.space, self._names_base(), text, units.starts)
        self._data = Data(self.space, units, self._types)

    @classmethod
    def read(cls, program: GoProgram) -> CallGraph:
        """Disassemble *program* and find its system calls. Raises BinaryError for a file without
        section headers, one whose types cannot be found (Go before 1.20), or a damaged one."""
        try:
            graph = cls(program)
            # Whatever can go wrong with a damaged file does so here.
            _ = graph.sites, graph.walker
        except (ValueError, OverflowError, IndexError, struct.error) as error:
            raise program.elf.image.broken(f"a damaged program ({error})") from error
        return graph

    def _names_base(self) -> int:
        section = self.program.elf.section(b".gopclntab", b".data.rel.ro.gopclntab")
        text = self.program.pclntab.module.text
        for region in self.space.regions if section is not None else ():
            first, words = region.words()
            for index in np.flatnonzero(words == section.address).tolist() if section else ():
                record = self.space.read(first + 8 * index, 8 * (_TYPES + 1))
                if len(record) == 8 * (_TYPES + 1):
                    found = struct.unpack(f"<{_TYPES + 1}Q", record)
                    if found[22] == text and self.space.region(found[_TYPES]):
                        return int(found[_TYPES])
        raise self.program.elf.image.broken("a Go program whose types cannot be found")

    @cached_property
    def walker(self) -> Walker:
        """Walks over this graph."""
        return Walker(self.code, self._data, self._types)

    @cached_property
    def sites(self) -> Sites:
        """Where system calls are made, in all functions."""
        return find_sites(self.space, self.code, self._data, self._arguments)

    def _arguments(self, address: int) -> int | None:
        table = self.program.pclntab
        index = table.index_at(address)
        if index < 0 or table.entry(index) != address:
            return None
        size = table.argument_bytes(index)
        return size if size < _UNKNOWN_ARGUMENTS else None

    def name(self, unit: int) -> str:
        """The name of a unit of code."""
        return self.code.units.names[unit]

    def entries(self) -> tuple[int, ...]:
        """Units where the kernel, the loader or other libraries enter the program."""
        units = self.code.units
        addresses = [self.space.entry, *self.space.exports]
        for region in self.space.regions:
            if region.name.startswith(_STARTERS):
                addresses += region.words()[1].tolist()
            elif region.name in _START_CODE:
                addresses.append(region.address)
        found = {units.at(int(address)) for address in addresses if address < 1 << 63}
        return tuple(sorted(found - {-1}))

    def unit_of(self, function: Function) -> int:
        """The unit that begins where *function* does."""
        return self.code.units.at(function.address)

    def walk(self, roots: Iterable[int], closed: Iterable[int] = ()) -> Reach:
        """What is reachable from the units *roots* without entering *closed*."""
        return self.walker.walk(roots, closed=frozenset(closed))

    def asked_blindly(self, reach: Reach, roots: Iterable[int]) -> Iterator[Site]:
        """Functions that make the call they are asked for and may be asked by nobody knows whom:
        their address is taken within *reach*, or they are among *roots*."""
        units = self.code.units
        roots = frozenset(roots)
        for unit in sorted(self.sites.wrappers & reach.parents.keys()):
            start = int(units.starts[unit])
            chosen = (self.code.target == start) & (self.code.kind == ADDRESS)
            chosen |= (self.code.target == start & -PAGE_BYTES) & (self.code.kind == PAGE)
            takers = set(units.holding(self.code.at[chosen]).tolist()) & reach.parents.keys()
            if takers or unit in roots or unit in reach.pointed:
                yield Site(unit, start, None, "a number that comes from an unknown caller")

    def callees(self, function: Function) -> tuple[Function, ...]:
        """The functions that *function* calls or whose address it takes, also by way of function
        values and of the method tables of interfaces, by address."""
        found = self._leads(self.unit_of(function))
        functions = (
            self.program.functions.at(int(self.code.units.starts[u])) for u in sorted(found)
        )
        return tuple(f for f in functions if f is not None)

    def _leads(self, unit: int) -> set[int]:
        """Units that *unit* refers to itself or through data other than type descriptors."""
        known = self._known_leads.get(unit)
        if known is not None:
            return known
        units, addresses = self.walker.edges(unit)
        found, seen = set(units), set()
        work = list(addresses)
        while work:
            thing = self.walker.object(work.pop())
            if thing is None or thing.key in seen or thing.type is not None:
                continue
            seen.add(thing.key)
            found |= {self.code.units.at(address) for address in thing.functions}
            work += thing.leads
        found.discard(-1)
        self._known_leads[unit] = found
        return found

    @cached_property
    def _known_leads(self) -> dict[int, set[int]]:
        return {}

    @cached_property
    def runtime(self) -> frozenset[int]:
        """Units of the Go runtime."""
        names = enumerate(self.code.units.names)
        return frozenset(unit for unit, name in names if name.startswith(_RUNTIME))

    @cached_property
    def _reaching(self) -> frozenset[int]:
        """Units outside of the runtime from which one with a system call can be reached."""
        makers = set(self.sites.by_unit) | set(self.sites.wrappers)
        callers: dict[int, list[int]] = defaultdict(list)
        for unit in range(len(self.code.units)):
            if unit not in self.runtime:
                for lead in self._leads(unit):
                    callers[lead].append(unit)
        work = [unit for unit in makers if unit not in self.runtime or unit in self.sites.wrappers]
        found = set(work)
        while work:
            new = [unit for unit in callers.get(work.pop(), ()) if unit not in found]
            found.update(new)
            work += new
        return frozenset(found - self.runtime)

    def functions_reaching(self) -> frozenset[int]:
        """Addresses of the functions, those of the runtime left out, that make a system call or
        lead to one. Every function leads to the runtime, which makes calls of its own, so nothing
        is followed through it. Methods that are found at run time only, by an assertion to an
        interface or by reflection, are not followed either: this is a list to look into, no bound.
        """
        return frozenset(int(self.code.units.starts[unit]) for unit in self._reaching)

    def reaches_syscall(self, function: Function) -> bool:
        """Whether *function* is one of `functions_reaching`."""
        return self.unit_of(function) in self._reaching

    def calls_of(self, function: Function) -> frozenset[int | None]:
        """Numbers of the system calls that *function* leads to, as `functions_reaching` follows
        them; None among them for one that is not constant."""
        work, seen = [self.unit_of(function)], set(self.runtime)
        found: set[int | None] = set()
        while work:
            unit = work.pop()
            if unit in seen:
                continue
            seen.add(unit)
            found |= {site.number for site in self.sites.by_unit.get(unit, ())}
            work += self._leads(unit)
        return frozenset(found)
