"""Writing files so that a reader, or a process killed half-way, never sees half of one.

Go reads every file below ``testdata/fuzz/FuzzX`` as an input, hidden ones too, so even a temporary
file left there by SIGKILL would break ``go test``. New files therefore get their name only when
they are whole (O_TMPFILE and linkat, see open(2)); the usual temporary file and rename serves to
replace an older file and where a file system has no O_TMPFILE.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write *data* to *path*, all of it or nothing.

    Makes the folder when it is missing. Raises OSError (a full disk, a read-only tree); an older
    *path* is untouched then and nothing new is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and _link_new(path, data, mode):
        return
    fd, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    written = Path(name)
    try:
        _fill(fd, data, mode)
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def _link_new(path: Path, data: bytes, mode: int) -> bool:
    """Give a nameless file with *data* the name *path*; False where that cannot be done."""
    try:
        fd = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError:
        return False  # no O_TMPFILE here; any other trouble shows on the other way, too
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _fill(fd, data, mode)
        # With a folder given Python calls linkat, which alone follows the link in /proc.
        os.link(f"/proc/self/fd/{fd}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    except (FileExistsError, FileNotFoundError):
        return False  # somebody else was faster, or there is no /proc
    finally:
        os.close(folder)
        os.close(fd)
    return True


def _fill(fd: int, data: bytes, mode: int) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    os.fchmod(fd, mode)
    os.fsync(fd)
