"""Which functions hold inlined copies of another one."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np

from gofuzzsec.binary.pclntab import INLINE_INDEX, INLINED_CALL, NO_DATA, Column, PclnTable

_WORD = 4
_MAX_NAMES = 10_000  # instances of one generic function
_MAX_TREE = 1 << 20  # bytes of one inline tree
_MAX_DATA = 64 << 20  # bytes of all function data; a binary of 100 MB has 10
_MAX_PLACES = 1 << 20  # inlined copies of one function


class Inlining:
    """The inline trees of all functions of one program, searched as one array: the linker keeps
    them side by side, and each name once."""

    def __init__(self, table: PclnTable) -> None:
        self._table = table
        self._offsets = table.inline_offsets()
        self._sizes: dict[int, int] = {}

    @cached_property
    def _trees(self) -> Column:
        """Offsets where trees begin, ascending."""
        return np.unique(self._offsets[self._offsets != NO_DATA])

    @cached_property
    def _words(self) -> np.ndarray:
        """All function data as 32-bit words."""
        if not self._table.gofunc or not len(self._trees):
            return np.zeros(0, np.uint32)
        size = min(int(self._trees[-1]) + _MAX_TREE, _MAX_DATA)
        data = self._table.elf.read(self._table.gofunc, size)
        return np.frombuffer(data[: len(data) // _WORD * _WORD], "<u4")

    def holders(self, name: str) -> tuple[int, ...]:
        """Indexes in the function table of the functions with an inlined copy of *name*, of any
        instance when its type arguments are ``[...]``."""
        wanted = self._names(name)
        if not wanted or not self._words.size:
            return ()
        places = (np.flatnonzero(np.isin(self._words, wanted))[:_MAX_PLACES] - 1) * _WORD
        trees = self._containing(places)
        return tuple(np.flatnonzero(np.isin(self._offsets, trees)).tolist())

    def _names(self, name: str) -> list[int]:
        """Offsets of *name* in the table of names. Inlined instances have full type arguments."""
        text = self._table.name_table
        if "[...]" not in name:
            whole = name.encode() + b"\0"
            at = 0 if text.startswith(whole) else text.find(b"\0" + whole) + 1
            return [at] if at or text.startswith(whole) else []
        pattern = re.escape(name.encode()).replace(rb"\[\.\.\.\]", rb"\[[^\0]*\]")
        found = re.finditer(rb"\0" + pattern + rb"(?=\0)", text)
        return [hit.start() + 1 for _, hit in zip(range(_MAX_NAMES), found, strict=False)]

    def _containing(self, places: np.ndarray) -> Column:
        """The trees that have a record at one of *places*."""
        index = np.searchsorted(self._trees, places, "right") - 1
        places, trees = places[index >= 0], self._trees[index[index >= 0]]
        inside = places - trees.astype(np.int64)
        sizes = np.array([self._size_of(tree) for tree in trees.tolist()], np.int64)
        return np.asarray(trees[(inside % INLINED_CALL.size == 0) & (inside < sizes)])

    def _size_of(self, tree: int) -> int:
        """Bytes of the tree at the offset *tree*, as the first of its functions uses it."""
        if tree not in self._sizes:
            index = int(np.flatnonzero(self._offsets == tree)[0])
            _, values = self._table.pcdata_steps(index, INLINE_INDEX)
            self._sizes[tree] = (max(values, default=-1) + 1) * INLINED_CALL.size
        return self._sizes[tree]
