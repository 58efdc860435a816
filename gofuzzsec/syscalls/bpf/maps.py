"""BPF maps by their raw bytes, and the layouts of what recorder.c shares.

bcc's own tables make a ctypes object of every key and value, which would cost more than the
counting; here a map's whole content comes by one system call and is taken apart by `struct`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gofuzzsec.errors import RecorderError

MAGIC = 0x47465A53

SESSION = struct.Struct("<QQ")
SLOT = struct.Struct("<3Q6I")
STATE = struct.Struct("<7Q2I")
KEY = struct.Struct("<4QI4B")
COUNT = struct.Struct("<Q")
TELLING_KEY = struct.Struct("<2IQ")  # life, number, values
TELLINGS = struct.Struct("<512I")
TASK_KEY = struct.Struct("<2Q")
TASK = struct.Struct("<16s2Q2I")
PROCESS = struct.Struct("<32xQ4x2I4x")  # mask, token, slot
GOROUTINE_KEY = struct.Struct("<2Q")
GOROUTINE = struct.Struct("<2Q2I")
FRAME_KEY = struct.Struct("<3Q")
POINT_KEY = struct.Struct("<2Q")
STACK_DEPTH = 127
STACK = struct.Struct(f"<{STACK_DEPTH}Q2Q")
PAGE_SIZE = 16384
"""Bytes of a slot's marks page."""

_HASH = 1  # enum bpf_map_type


@dataclass(frozen=True, slots=True)
class Map:
    """One map: *fd* belongs to whoever made it. Thread-safe as the kernel is."""

    lib: Any
    fd: int
    key_size: int
    value_size: int
    room: int

    def write(self, key: int | bytes, value: bytes) -> None:
        """Set the value at *key* (a number stands for an array's index)."""
        if self.lib.bpf_update_elem(self.fd, _key(key), ctypes.c_char_p(value), 0) != 0:
            raise self._error("written to")

    def read(self, key: int | bytes) -> bytes:
        """The value at *key*, which must be there."""
        value = ctypes.create_string_buffer(self.value_size)
        if self.lib.bpf_lookup_elem(self.fd, _key(key), value) != 0:
            raise self._error("read")
        return value.raw

    def find(self, key: bytes) -> bytes | None:
        """The value at *key*, None if there is none."""
        value = ctypes.create_string_buffer(self.value_size)
        if self.lib.bpf_lookup_elem(self.fd, _key(key), value) != 0:
            return None
        return value.raw

    def delete(self, key: bytes) -> None:
        """Forget *key*, if it is there."""
        self.lib.bpf_delete_elem(self.fd, _key(key))

    def items(self, *, forget: bool = False) -> list[tuple[bytes, bytes]]:
        """Everything in a hash, in one or few system calls; with *forget* it is gone then."""
        operation = self.lib.bpf_lookup_and_delete_batch if forget else self.lib.bpf_lookup_batch
        chunk = min(self.room, 4096)
        keys = ctypes.create_string_buffer(self.key_size * chunk)
        values = ctypes.create_string_buffer(self.value_size * chunk)
        place, count = ctypes.c_uint32(0), ctypes.c_uint32(0)
        found: list[tuple[bytes, bytes]] = []
        first = True
        while True:
            count.value = chunk
            before = None if first else ctypes.byref(place)
            ctypes.set_errno(0)
            failed = operation(
                self.fd, before, ctypes.byref(place), keys, values, ctypes.byref(count)
            )
            code = ctypes.get_errno()
            if failed and code not in (errno.ENOENT, errno.ENOSPC):
                raise self._error("read")
            if failed and code == errno.ENOSPC and count.value == 0:
                chunk *= 2  # one bucket holds more
                keys = ctypes.create_string_buffer(self.key_size * chunk)
                values = ctypes.create_string_buffer(self.value_size * chunk)
                continue
            found += _pairs(keys, self.key_size, values, self.value_size, count.value)
            if failed and code == errno.ENOENT:
                return found
            first = False

    def _error(self, done: str) -> RecorderError:
        problem = os.strerror(ctypes.get_errno())
        return RecorderError(f"expected a BPF map to be {done}, found: {problem}; run again")


def _pairs(
    keys: ctypes.Array[ctypes.c_char],
    key: int,
    values: ctypes.Array[ctypes.c_char],
    value: int,
    n: int,
) -> Iterator[tuple[bytes, bytes]]:
    raw_keys, raw_values = memoryview(keys), memoryview(values)
    for i in range(n):
        yield (
            bytes(raw_keys[i * key : (i + 1) * key]),
            bytes(raw_values[i * value : (i + 1) * value]),
        )


def _key(key: int | bytes) -> ctypes.c_char_p:
    return ctypes.c_char_p(key.to_bytes(4, "little") if isinstance(key, int) else key)


def make_counts(lib: Any, room: int) -> Map:
    """A new map of calls and counts, for one Following. The caller closes its ``fd``."""
    fd = lib.bcc_create_map(_HASH, b"counted", KEY.size, COUNT.size, room, 0)
    if fd < 0:
        raise RecorderError(
            f"expected a BPF map of {room} entries, found: {os.strerror(ctypes.get_errno())}; "
            "free memory, or follow fewer processes at once"
        )
    return Map(lib, fd, KEY.size, COUNT.size, room)
