"""At most one writer of a campaign directory.

The lock is ``flock`` on a file of its own: the kernel drops it with the process that held it,
whatever ended that process, so a lock can never be stale. (Never on the database itself: closing
any other descriptor of that file would drop the locks SQLite holds on it.) The file's text is the
holder's pid, only ever used to say who it is. The file is never deleted: a process that waits to
open it would otherwise lock one that nobody else can see.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gofuzzsec.errors import StoreError


class WriterLock:
    """Held from construction until `release`. Children do not inherit it across exec.

    Raises StoreError when another process holds it (named by its pid) or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._fd = os.open(path, flags, 0o644)
        except OSError as error:
            raise StoreError(
                f"{path}: cannot open the campaign's lock file ({error.strerror}); a campaign "
                "needs a folder it may write: check it, or choose another with --campaign"
            ) from error
        try:
            self._take(path)
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"{path.parent}: this campaign is in use by {self._holder()}; wait for it to end, "
                "stop it with Ctrl-C, or choose another folder with --campaign"
            ) from error
        except OSError as error:
            raise StoreError(
                f"{path}: cannot lock the campaign ({error.strerror}); choose a folder on a "
                "local disk with --campaign"
            ) from error
        self._write(f"{os.getpid()}\n")

    def release(self) -> None:
        """Give the lock up; the object is done with then."""
        self._write("")
        os.close(self._fd)

    def _write(self, text: str) -> None:
        # Shows who holds the lock and decides nothing: without room for it (a full disk) the
        # lock holds all the same.
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode(), 0)
        except OSError:
            return

    def _holder(self) -> str:
        text = os.pread(self._fd, 20, 0).strip()
        return f"process {int(text)}" if text.isdigit() else "another process"
