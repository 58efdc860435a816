"""The memory a coordinator shares with one worker: a header of 40 bytes, then the value.

Source: `internal/fuzz/mem.go`, unchanged in layout from Go 1.21 to 1.27 on 64-bit systems.
Between requests the coordinator owns all of it; from request to reply the worker does, and the
coordinator may only look at ``count`` (an aligned word, so never torn).
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import UsageError

HEADER_SIZE = 40
_HEADER = struct.Struct("<qqQQ?")
_COUNT = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Header:
    """``count``: executions begun since the request. ``value_len``: bytes of the value."""

    count: int
    value_len: int
    rand_state: int
    rand_inc: int
    raw_in_mem: bool


class SharedMemory:
    """One mapping of *size* value bytes. Owns its file descriptor until `close`."""

    def __init__(self, size: int, folder: Path) -> None:
        self.size = size
        self.fd = anonymous_file(folder)
        try:
            os.ftruncate(self.fd, size + HEADER_SIZE)
            self._map = mmap.mmap(self.fd, size + HEADER_SIZE)
        except OSError:
            os.close(self.fd)
            raise

    def put(self, data: bytes) -> None:
        """Set the value and reset the count. Raises UsageError when *data* does not fit."""
        if len(data) > self.size:
            raise UsageError(
                f"expected an input of at most {self.size} bytes, found {len(data)}: "
                "leave it out of the corpus"
            )
        _HEADER.pack_into(self._map, 0, 0, len(data), 0, 0, False)
        self._map[HEADER_SIZE : HEADER_SIZE + len(data)] = data

    def count(self) -> int:
        """Executions begun since `put`; safe to read at any moment."""
        return int(_COUNT.unpack_from(self._map, 0)[0])

    def header(self) -> Header:
        """The header; meaningful only while no request is under way."""
        return Header(*_HEADER.unpack_from(self._map, 0))

    def value(self) -> bytes:
        """A copy of the value. A length out of range (a worker gone wild) is cut to fit."""
        length = min(max(self.header().value_len, 0), self.size)
        return bytes(self._map[HEADER_SIZE : HEADER_SIZE + length])

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)


def anonymous_file(folder: Path) -> int:
    """A memfd, or an unlinked file in *folder* where the kernel has no memfd."""
    try:
        return os.memfd_create("gofuzzsec", os.MFD_CLOEXEC)
    except OSError:
        fd, name = tempfile.mkstemp(prefix="shared-", dir=folder)
        Path(name).unlink()
        return fd
