"""The table that Go's runtime keeps of its functions, ``.gopclntab``, which stripping leaves.

Sources: Go's src/internal/abi/symtab.go and src/runtime/symtab.go (pcHeader, functab, funcdata,
pcdatavalue) and runtime2.go (_func). The layout is that of Go 1.18 (one field less in a function's
record) and of Go 1.20 to 1.27. Columns of all functions are numpy arrays over the table's bytes;
what only one function needs is decoded when it is asked for.
"""

from __future__ import annotations

import re
import struct

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.elf import Elf
from gofuzzsec.binary.moduledata import Module, find_module

MAX_FUNCTIONS = 2_000_000
"""Functions of one table; a binary of 500 MB has some 800,000."""
MAX_NAME = 4096
"""Bytes of a function's or file's name that are read."""
_MAX_STEPS = 1 << 18  # changes of one value within one function; a huge generated one has 100,000
_WITHOUT_START_LINE, _WITH_START_LINE = 0xFFFFFFF0, 0xFFFFFFF1  # Go 1.18, Go 1.20
_FUNCDATA_INLINE_TREE = 3  # abi.FUNCDATA_InlTree
_HEADER = re.compile(rb"[\xf0\xf1]\xff\xff\xff\0\0[\x01\x04]\x08")
_SAMPLE = 50  # functions looked at to find the function data

INLINE_INDEX = 2
"""abi.PCDATA_InlTreeIndex: by code address, the entry of the inline tree."""
NO_DATA = 0xFFFFFFFF
"""An offset that means none."""
INLINED_CALL = struct.Struct("<Iiii")
"""runtime.inlinedCall: funcID and padding, offset of the name, of the call's instruction from the
function's entry, line of ``func``."""

Column = npt.NDArray[np.uint64]
Steps = tuple[list[int], list[int]]
"""Offsets from a function's entry where a value ends, ascending, and the values."""


class PclnTable:
    """One parsed ``.gopclntab``. Immutable once made."""

    def __init__(self, elf: Elf, data: bytes, address: int) -> None:
        """*data* is the section's bytes, *address* where it is loaded. Raises BinaryError."""
        self.elf = elf
        self._data = data
        broken = elf.image.broken
        if len(data) < 72 or data[4:6] != b"\0\0" or data[7] != 8 or data[6] not in (1, 4):
            raise broken("a damaged table of Go functions (.gopclntab)")
        (magic,) = struct.unpack_from("<I", data)
        if magic not in (_WITHOUT_START_LINE, _WITH_START_LINE):
            raise broken(
                f"a table of Go functions with the mark {magic:#x}, which is not that of Go 1.18 "
                "to 1.27"
            )
        self.modern = magic == _WITH_START_LINE
        count, _, text, *offsets = struct.unpack_from("<8Q", data, 8)
        if count == 0 or count > MAX_FUNCTIONS or any(at > len(data) for at in offsets):
            raise broken(f"a damaged table of {count} Go functions (.gopclntab)")
        self._names, self._units, self._files, self._pctab, self._functab = offsets
        if self._functab + count * 8 + 4 > len(data):
            raise broken(f"a table of {count} Go functions cut off (.gopclntab)")
        self._step = data[6]
        self.name_table = data[self._names : self._units]
        """All names, each ended by a zero byte; also those of functions that exist inlined only."""
        self._take_columns(count)
        self.module: Module = find_module(elf, address, int(self.starts[0]), text)
        # Functions are no more than the code that is there, so reading one takes no longer.
        if elf.offset_of(self.module.text + int(self.starts[-1]) - 1) is None:
            raise broken("a table of Go functions without their code")
        self.gofunc = self._find_gofunc()
        """Where the function data begins; 0 when unknown, and then nothing is of inlined calls."""

    def _take_columns(self, count: int) -> None:
        table = np.frombuffer(self._data, "<u4", 2 * count + 1, self._functab)
        self.starts: Column = table[0::2].astype(np.uint64)
        """Offsets of the functions' entries from the start of Go's code, and of the end."""
        self._records: Column = table[1::2].astype(np.uint64)
        room = len(self._data) - self._functab
        width = 44 if self.modern else 40
        broken = self.elf.image.broken("a damaged list of Go functions (.gopclntab)")
        if (
            bool(np.any(self.starts[1:] < self.starts[:-1]))
            or int(self._records.max()) + width > room
            or bool(np.any(self._records % 4))
        ):
            raise broken
        self._words = np.frombuffer(self._data, "<u4", room // 4, self._functab)
        last = self._words[self._records // 4 + (width // 4 - 1)]
        self.names: Column = self._words[self._records // 4 + 1].astype(np.uint64)
        """Offsets of the functions' names in `name_table`."""
        # Names do not overlap, so that all of them together are no more than the table.
        text = np.frombuffer(self.name_table, np.uint8)
        later = self.names[self.names > 0]
        if int(self.names.max()) >= len(text) or bool(np.any(text[later - np.uint64(1)])):
            raise broken
        self.ids = (last & 0xFF).astype(np.uint8)
        """What the runtime takes a function for (abi.FuncID)."""
        self.flags = (last >> 8 & 0xFF).astype(np.uint8)
        self._funcdata_counts = last >> 24

    def __len__(self) -> int:
        return len(self._records)

    def name(self, offset: int) -> str:
        """The name at *offset* of `name_table`, "" when there is none."""
        return self._string(self._names + offset)

    def _string(self, at: int) -> str:
        end = self._data.find(b"\0", at, at + MAX_NAME)
        return self._data[at : end if end >= 0 else at].decode("utf-8", "replace")

    def index_at(self, address: int) -> int:
        """Index of the function that *address* is in, -1 for none."""
        at = address - self.module.text
        if not int(self.starts[0]) <= at < int(self.starts[-1]):
            return -1
        # A plain number would make numpy convert the whole column to floats.
        return int(np.searchsorted(self.starts, np.uint64(at), "right")) - 1

    def entry(self, index: int) -> int:
        """Address of the function *index*."""
        return self.module.text + int(self.starts[index])

    def _field(self, index: int, field: int) -> int:
        """The 32-bit word *field* of the record of function *index*, 0 outside of the table."""
        at = int(self._records[index]) // 4 + field
        return int(self._words[at]) if at < len(self._words) else 0

    def argument_bytes(self, index: int) -> int:
        """Bytes of arguments and results that function *index* has on the stack; 1 << 31 and more
        when the table does not say."""
        return self._field(index, 2)

    def start_line(self, index: int) -> int:
        """The line of ``func`` of the function *index*; 0 when the table does not say."""
        return self._field(index, 9) if self.modern else 0

    def file_steps(self, index: int) -> Steps:
        """Numbers of files, for `file`."""
        return self._steps(index, self._field(index, 5))

    def line_steps(self, index: int) -> Steps:
        """Line numbers."""
        return self._steps(index, self._field(index, 6))

    def pcdata_steps(self, index: int, number: int) -> Steps:
        """The values of PCDATA *number*; none when the function has no such table."""
        if number >= self._field(index, 7):
            return [], []
        return self._steps(index, self._field(index, (11 if self.modern else 10) + number))

    def file(self, index: int, number: int) -> str:
        """The file with *number* of the function's compilation unit, "" when there is none."""
        at = self._units + 4 * (self._field(index, 8) + number)
        if number < 0 or at + 4 > self._files:
            return ""
        (offset,) = struct.unpack_from("<I", self._data, at)
        return "" if offset == NO_DATA else self._string(self._files + int(offset))

    def inline_tree(self, index: int) -> int:
        """Address of the inline tree of function *index*, 0 when nothing is inlined into it."""
        offset = int(self.inline_offsets(np.array([index]))[0])
        return 0 if offset == NO_DATA or not self.gofunc else self.gofunc + offset

    def inline_offsets(self, indexes: npt.NDArray[np.int64] | slice = slice(None)) -> Column:
        """Offsets of the inline trees from the start of the function data, 0xffffffff for none."""
        records = self._records[indexes] // 4
        fixed = 11 if self.modern else 10
        pcdata = np.minimum(self._words[records + 7], len(self._words)).astype(np.uint64)
        at = records + fixed + pcdata + _FUNCDATA_INLINE_TREE
        known = (self._funcdata_counts[indexes] > _FUNCDATA_INLINE_TREE) & (at < len(self._words))
        return np.where(known, self._words[np.where(known, at, 0)], NO_DATA).astype(np.uint64)

    def _find_gofunc(self) -> int:
        """Where the function data begins: the candidate that a sample of inline trees makes sense
        at; 0 when there is none, and then nothing is known of inlined calls."""
        offsets = self.inline_offsets()
        holders = np.flatnonzero(offsets != NO_DATA)[:: max(1, len(offsets) // _SAMPLE)].tolist()
        for candidate in self.module.candidates if holders else ():
            if all(self._is_tree(candidate + int(offsets[i]), i) for i in holders):
                return candidate
        return 0

    def _is_tree(self, address: int, index: int) -> bool:
        """Whether the first record of an inline tree of function *index* may be at *address*."""
        data = self.elf.read(address, INLINED_CALL.size)
        if len(data) < INLINED_CALL.size:
            return False
        kind, name, parent, line = INLINED_CALL.unpack(data)
        at = self._names + name
        size = int(self.starts[index + 1] - self.starts[index])
        return bool(
            kind < 256  # one byte and padding
            and 0 < name < self._units - self._names
            and self._data[at - 1] == 0 != self._data[at]
            and 0 <= parent < size
            and line >= 0
        )

    def _steps(self, index: int, offset: int) -> Steps:
        """Decode a table of values by code address (runtime.pcvalue): pairs of varints, the value's
        zig-zag difference and the number of instruction units it holds for."""
        ends: list[int] = []
        values: list[int] = []
        data, at = self._data, self._pctab + offset
        if offset == 0:
            return ends, values
        size = int(self.starts[index + 1] - self.starts[index])
        value, address = -1, 0
        while len(ends) < _MAX_STEPS and address < size:
            change, at = _varint(data, at)
            if change == 0 and ends:
                break
            units, at = _varint(data, at)
            if units == 0:
                break
            value += -(change + 1 >> 1) if change & 1 else change >> 1
            address += units * self._step
            ends.append(address)
            values.append(value)
        return ends, values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of at most 35 bits and where it ends; 0 outside of *data*."""
    value = shift = 0
    while shift < 35 and at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, at


def read_pclntab(elf: Elf) -> PclnTable:
    """The function table of *elf*. Raises BinaryError when it has none that can be read."""
    found = _find(elf)
    if found is None:
        raise elf.image.broken("a program without Go's function table (.gopclntab)")
    return PclnTable(elf, *found)


def has_pclntab(elf: Elf) -> bool:
    """Whether *elf* has such a table, in whatever state."""
    return _find(elf) is not None


def _find(elf: Elf) -> tuple[bytes, int] | None:
    """The table's bytes, and where they are loaded."""
    section = elf.section(b".gopclntab", b".data.rel.ro.gopclntab")
    if section is not None:
        return elf.content(section), section.address
    # The C linker makes one section of all data that is read-only after relocation.
    merged = elf.section(b".data.rel.ro")
    if merged is not None:
        data = elf.content(merged)
        for hit in _HEADER.finditer(data):
            if (merged.address + hit.start()) % 8 == 0:
                return data[hit.start() :], merged.address + hit.start()
    return None
