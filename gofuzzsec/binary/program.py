"""One Go program's file, read: what it is, its functions, its code, and the source line of each
address."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from gofuzzsec.binary.buildinfo import BuildInfo, read_build_id, read_build_info
from gofuzzsec.binary.elf import Elf, read_elf
from gofuzzsec.binary.inlining import Inlining
from gofuzzsec.binary.lines import Frame, LineTable
from gofuzzsec.binary.pclntab import PclnTable, read_pclntab
from gofuzzsec.binary.symtab import NO_SYMBOLS, Symbols, read_symtab
from gofuzzsec.binary.table import Function, FunctionTable

MAX_FUNCTION = 64 << 20
"""Bytes of one function's code that are read."""
_ASSEMBLY = 4  # abi.FuncFlagAsm


class GoProgram:
    """One binary, which stays open. Immutable; may be shared by threads.

    Function names, addresses and lines come from the table that the Go runtime itself uses, so they
    are the same for a stripped binary; the symbol table, where there is one, adds C functions.
    """

    def __init__(self, elf: Elf, build: BuildInfo, table: PclnTable, symbols: Symbols) -> None:
        self.path = elf.image.path
        self.arch = elf.arch
        self.entry = elf.entry
        self.position_independent = elf.position_independent
        self.build = build
        self.elf = elf
        self.pclntab = table
        self.stripped = not len(symbols)
        self._symbols = symbols
        self._lines = LineTable(table)
        self._inlining = Inlining(table)

    @classmethod
    def read(cls, path: Path) -> GoProgram:
        """Read the tables of the Go program at *path*. Raises BinaryError, within a second and in
        memory bounded by the file's size, when it is none, is damaged, or is for another machine
        than 64-bit x86 or Arm."""
        elf = read_elf(path)
        build = read_build_info(elf)
        return cls(elf, build, read_pclntab(elf), read_symtab(elf))

    @property
    def go_version(self) -> str:
        """Such as "go1.26.8"; experiments follow behind a space."""
        return self.build.go_version

    @cached_property
    def build_id(self) -> str:
        """Go's build id, "" for none."""
        return read_build_id(self.elf)

    @cached_property
    def has_cgo(self) -> bool:
        """Whether Go code may call C code by way of runtime.cgocall: runtime/cgo is linked in."""
        return b"\0crosscall2\0" in self.pclntab.name_table

    @cached_property
    def functions(self) -> FunctionTable:
        """All functions, of Go and, in a binary that is not stripped, of C."""
        table = self.pclntab
        addresses = table.starts[:-1] + np.uint64(table.module.text)
        sizes = np.diff(table.starts)
        symbols = self._symbols if len(self._symbols) else NO_SYMBOLS
        sizes = symbols.sizes_at(addresses, sizes)
        foreign = symbols.outside(int(addresses[0]), int(addresses[-1] + sizes[-1]))
        order = np.argsort(np.concatenate([addresses, foreign.addresses]), kind="stable")
        names = table.name_table
        # Which number means "generated" varies with the release: it is always the last.
        generated = table.ids == table.ids.max()
        return FunctionTable(
            np.concatenate([addresses, foreign.addresses])[order],
            np.concatenate([sizes, foreign.sizes])[order],
            np.concatenate([table.names, foreign.names + np.uint64(len(names))])[order],
            names + foreign.text,
            np.concatenate([generated, np.zeros(len(foreign), bool)])[order],
            np.concatenate([table.flags & _ASSEMBLY > 0, np.ones(len(foreign), bool)])[order],
        )

    def frames(self, address: int, *, call: bool) -> tuple[Frame, ...]:
        """The functions that *address*, as linked, is in, innermost first: those inlined into each
        other and the one that holds them. With *call* the address is a return address, and the
        frames are those of the call before. Empty for what is no function's; one frame without a
        file for a C function."""
        at = address - 1 if call else address
        if found := self._lines.frames(at):
            return found
        function = self.functions.at(at)
        return (Frame(function.name, "", 0),) if function else ()

    def inlined_into(self, name: str) -> int:
        """How many functions hold an inlined copy of the Go function *name*, whose calls there no
        probe at its entry sees."""
        return len(self._inlining.holders(name))

    def code(self, function: Function) -> bytes:
        """The machine code of *function*. Raises BinaryError when the file lacks a part of it."""
        code = self.read_memory(function.address, min(function.size, MAX_FUNCTION))
        if len(code) < function.size:
            raise self.elf.image.broken(f"no code for {function.name}")
        return code

    def read_memory(self, address: int, size: int) -> bytes:
        """At most *size* bytes as loaded at *address*, before relocation."""
        return self.elf.read(address, size)

    def file_offset(self, address: int) -> int:
        """Where in the file the byte at *address* is, which is what uprobes want. Raises
        BinaryError when it is not in the file."""
        offset = self.elf.offset_of(address)
        if offset is None:
            raise self.elf.image.broken(f"no bytes for the address {address:#x}")
        return offset
