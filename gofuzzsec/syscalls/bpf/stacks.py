"""Call stacks by their number in the kernel's map."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from gofuzzsec.syscalls.bpf import maps


@dataclass(frozen=True, slots=True)
class Stack:
    """``addresses`` and ``caller`` as in `calls.KernelCall`."""

    addresses: tuple[int, ...]
    caller: int


NO_STACK = Stack((), 0)


class Stacks:
    """Reads stacks from the map, and keeps that from filling up. Thread-safe.

    A stack's number is a hash of its frames, so what was read once stays true. What was read can
    go from the map: a stack that comes again is put there again.
    """

    def __init__(self, table: maps.Map) -> None:
        self._table = table
        self._known: dict[int, Stack] = {}
        self._there: list[bytes] = []
        self._lock = threading.Lock()

    def find(self, number: int) -> Stack | None:
        """Stack *number*, None if it is not there."""
        with self._lock:
            known = self._known.get(number)
            if known is not None:
                return known
            key = number.to_bytes(8, "little")
            value = self._table.find(key)
            if value is None:
                return None
            *frames, count, caller = maps.STACK.unpack(value)
            known = self._known[number] = Stack(tuple(frames[:count]), caller)
            self._there.append(key)
            if len(self._there) > self._table.room // 2:
                for old in self._there:
                    self._table.delete(old)
                self._there.clear()
            return known
