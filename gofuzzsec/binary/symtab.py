"""The ELF symbol table's functions, as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gofuzzsec.binary.elf import Elf
from gofuzzsec.binary.pclntab import MAX_FUNCTIONS, Column

_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
     ("size", "<u8")]
)  # fmt: skip
_FUNCTION = 2  # STT_FUNC
_MAX_OUTSIDE = 300_000  # functions; their names may overlap, so nothing else bounds those


@dataclass(frozen=True, slots=True)
class Symbols:
    """Columns of all functions by address; ``names`` are offsets of zero-ended strings in
    ``text``."""

    addresses: Column
    sizes: Column
    names: Column
    text: bytes

    def __len__(self) -> int:
        return len(self.addresses)

    def sizes_at(self, addresses: Column, sizes: Column) -> Column:
        """*sizes* of the functions at *addresses*, exact where there is a symbol: what comes behind
        a function up to the next is padding."""
        if not len(self):
            return sizes
        index = np.minimum(np.searchsorted(self.addresses, addresses), len(self) - 1)
        known = (self.addresses[index] == addresses) & (self.sizes[index] > 0)
        return np.where(known, np.minimum(self.sizes[index], sizes), sizes)

    def outside(self, start: int, end: int) -> Symbols:
        """Functions that are not in the code from *start* to *end*; the first of very many."""
        kept = np.flatnonzero((self.addresses < start) | (self.addresses >= end))[:_MAX_OUTSIDE]
        return Symbols(self.addresses[kept], self.sizes[kept], self.names[kept], self.text)


_EMPTY = np.zeros(0, np.uint64)
NO_SYMBOLS = Symbols(_EMPTY, _EMPTY, _EMPTY, b"")


def read_symtab(elf: Elf) -> Symbols:
    """The functions in ``.symtab``, none when it was stripped. Raises BinaryError."""
    section = elf.section(b".symtab")
    if section is None:
        return NO_SYMBOLS
    data = elf.content(section)
    if section.link >= len(elf.sections) or len(data) // _SYMBOL.itemsize > 8 * MAX_FUNCTIONS:
        raise elf.image.broken("a damaged symbol table (.symtab)")
    rows = np.frombuffer(data[: len(data) // _SYMBOL.itemsize * _SYMBOL.itemsize], _SYMBOL)
    rows = rows[(rows["info"] & 0xF == _FUNCTION) & (rows["section"] != 0)]
    if len(rows) > MAX_FUNCTIONS:
        raise elf.image.broken(f"a symbol table of {len(rows)} functions")
    text = elf.content(elf.sections[section.link])
    if len(rows) and int(rows["name"].max()) >= len(text):
        raise elf.image.broken("a damaged symbol table (.symtab)")
    # Marks, such as that of the code's beginning, have no size and stand behind functions.
    rows = rows[np.lexsort((~rows["size"], rows["value"]))]
    wide = np.uint64
    return Symbols(
        rows["value"].astype(wide), rows["size"].astype(wide), rows["name"].astype(wide), text
    )
