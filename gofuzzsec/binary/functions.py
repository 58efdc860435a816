"""The functions of any program's file as plain rows, whatever tables it has."""

from __future__ import annotations

import numpy as np

from gofuzzsec.binary.elf import Elf
from gofuzzsec.binary.pclntab import Column, has_pclntab, read_pclntab
from gofuzzsec.binary.symtab import read_symtab

Row = tuple[int, int, bytes]
"""Address as linked, size in bytes, name."""
_MAX_NAME = 1000


def function_rows(elf: Elf) -> list[Row]:
    """All functions of *elf*: those in its symbol table, or, where that has none of Go's runtime,
    those in the runtime's own table; none of a program with neither. Raises BinaryError for damaged
    tables."""
    symbols = read_symtab(elf)
    rows = _rows(symbols.addresses, symbols.sizes, symbols.names, symbols.text)
    if any(name.startswith(b"runtime.") for _, _, name in rows) or not has_pclntab(elf):
        return rows
    table = read_pclntab(elf)
    addresses = table.starts[:-1] + np.uint64(table.module.text)
    return _rows(addresses, np.diff(table.starts), table.names, table.name_table)


def _rows(addresses: Column, sizes: Column, names: Column, text: bytes) -> list[Row]:
    def name(at: int) -> bytes:
        return text[at : max(at, text.find(b"\0", at, at + _MAX_NAME))]

    table = zip(addresses.tolist(), sizes.tolist(), names.tolist(), strict=True)
    return [(address, size, name(at)) for address, size, at in table]
