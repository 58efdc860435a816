"""Short-lived folders of a run: worker temporary folders, traces.

They are under the system's temporary folder and not in the campaign directory, because targets
put unix sockets in TMPDIR and a socket's path holds 107 bytes at most.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gofuzzsec.files import write_atomic

_PREFIX = "gofuzzsec-"
_NOTE = "scratch"  # file in the campaign directory that names the folder in use


@contextlib.contextmanager
def scratch_folder(campaign: Path) -> Iterator[Path]:
    """A new folder, removed at the end. One left by a run of *campaign* that was killed goes too.

    The caller holds the campaign's lock, so whatever the note names is nobody's any more.
    """
    note = campaign / _NOTE
    _remove_left_over(note)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        write_atomic(note, os.fsencode(folder))
        yield folder
    finally:
        # What a target made unreadable may stay; the next run tries again.
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            note.unlink(missing_ok=True)


def _remove_left_over(note: Path) -> None:
    try:
        folder = Path(os.fsdecode(note.read_bytes()))
    except OSError:
        return
    # Only a folder that is ours by name, place and owner: the note may have been tampered with.
    if folder.name.startswith(_PREFIX) and folder.parent == Path(tempfile.gettempdir()):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
