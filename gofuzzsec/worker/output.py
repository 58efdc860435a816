"""What a worker prints, kept within bounds."""

from __future__ import annotations

import os

_HEAD = 32 << 10
_TAIL = 96 << 10


class OutputTail:
    """The first 32 KiB and the last 96 KiB read from a pipe since `reset`.

    A panic's reason comes first and the end tells how it stopped; a target that prints without
    end costs no more than this. Owns neither end of the pipe; *fd* must not block.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def pump(self) -> bool:
        """Read all that is there. False once the other end is closed."""
        while True:
            try:
                chunk = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._add(chunk)

    def reset(self) -> None:
        self._head.clear()
        self._tail.clear()
        self._dropped = 0

    def text(self) -> str:
        """What is kept, with a line in the middle that says how much is not."""
        middle = f"\n[{self._dropped} bytes left out]\n".encode() if self._dropped else b""
        return (bytes(self._head) + middle + bytes(self._tail)).decode("utf-8", "replace")

    def _add(self, chunk: bytes) -> None:
        room = _HEAD - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room < len(chunk) else b""
        if len(self._tail) > 2 * _TAIL:
            excess = len(self._tail) - _TAIL
            del self._tail[:excess]
            self._dropped += excess
