"""The folder where built binaries are kept, and the rules that let several builders share it.

Layout: ``binaries/<key>/`` holds one finished build (the binary and ``record.json``), appears by a
rename and is never changed afterwards except for the times of its record. ``binaries/<key>.lock``
is held while that key is built. ``binaries/<key>.new-*`` is a build under way; whoever holds the
lock may remove those that a killed builder left. Other kinds of entries have folders of their own
beside ``binaries``, under the same rules.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gofuzzsec.errors import ToolchainError
from gofuzzsec.files import write_atomic

RECORD = "record.json"
FORMAT = 1
"""Version of the record; an entry with another one is built again."""

UNUSED_DAYS = 30
"""Entries that nobody asked for in so many days are removed when something new is built. A guess:
long enough for any campaign that is restarted now and then, short enough for a laptop's disk."""


def cache_dir() -> Path:
    """$GOFUZZSEC_CACHE, else $XDG_CACHE_HOME/gofuzzsec, else ~/.cache/gofuzzsec. Not created.

    As the XDG specification asks, a relative XDG_CACHE_HOME is ignored. Raises ToolchainError when
    there is no home directory to put it in.
    """
    if own := os.environ.get("GOFUZZSEC_CACHE"):
        return Path(own).absolute()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if xdg.startswith("/"):
        return Path(xdg) / "gofuzzsec"
    try:
        return Path.home() / ".cache" / "gofuzzsec"
    except RuntimeError as error:
        raise ToolchainError(
            f"expected a home directory for the build cache, found none ({error}); "
            "set GOFUZZSEC_CACHE to a folder that may be written"
        ) from error


def made_cache_dir(name: str) -> Path:
    """The folder *name* of the cache, made if missing. Raises ToolchainError when it cannot be."""
    folder = cache_dir() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolchainError(
            f"expected a writable cache folder, found that {folder} cannot be made "
            f"({error.strerror}); set GOFUZZSEC_CACHE to a folder that may be written"
        ) from error
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold *path* (made if missing) for this process alone; waits for another holder.

    The kernel drops the lock when its holder dies, so nothing ever has to be cleaned by hand.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def lookup(key: str, kind: str = "binaries") -> tuple[Path, dict[str, Any]] | None:
    """The finished binary built for *key* and its record, or None.

    An entry that is damaged (no record, another format, a binary of another size than was written)
    counts as absent.
    """
    folder = cache_dir() / kind / key
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        binary = folder / str(record["file"])
        if record["format"] != FORMAT or binary.stat().st_size != record["size"]:
            return None
        os.utime(folder / RECORD)  # the entry's last use, for `prune`
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return binary, record


def build_entry(
    key: str,
    file: str,
    build: Callable[[Path], Mapping[str, object]],
    kind: str = "binaries",
) -> tuple[Path, dict[str, Any]]:
    """The entry for *key*, built by *build* if there is none yet.

    ``build(path)`` must write the binary (another *kind* of entry may be a folder) to *path* and
    return what else to record; whatever it raises passes through and leaves nothing behind. Of two
    processes that want the same key the second waits and takes the first one's result. Raises
    ToolchainError when the cache cannot be written.
    """
    if found := lookup(key, kind):
        return found
    root = made_cache_dir(kind)
    with _disk_errors(root), locked(root / f"{key}.lock"):
        if found := lookup(key, kind):
            return found
        for left in root.glob(f"{key}.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        prune(root, UNUSED_DAYS)
        work = Path(tempfile.mkdtemp(prefix=f"{key}.new-", dir=root))
        try:
            record = dict(build(work / file))
            record |= {"format": FORMAT, "file": file, "size": (work / file).stat().st_size}
            record["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            write_atomic(work / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
            work.chmod(0o755)
            shutil.rmtree(root / key, ignore_errors=True)  # a damaged entry
            work.rename(root / key)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    return root / key / file, record


@contextlib.contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ToolchainError(
            f"expected to write to the build cache {root}, found: {error}; "
            "make room or set GOFUZZSEC_CACHE to another folder"
        ) from error


def prune(root: Path, days: float) -> list[str]:
    """Remove entries last asked for more than *days* days ago, unless a process runs one.

    Returns the keys removed. The caller needs no lock: an entry is renamed away before it is taken
    apart, so that nobody finds half of one.
    """
    horizon = time.time() - days * 86400
    removed = []
    running: set[str] | None = None
    for record in root.glob(f"*/{RECORD}"):
        entry = record.parent
        with contextlib.suppress(OSError):  # another builder prunes as well
            if record.stat().st_mtime > horizon or ".new-" in entry.name:
                continue
            running = _running_programs() if running is None else running
            if any(path.startswith(f"{entry}/") for path in running):
                continue
            doomed = entry.with_name(f"{entry.name}.new-pruned-{os.getpid()}")
            entry.rename(doomed)
            removed.append(entry.name)
            shutil.rmtree(doomed, ignore_errors=True)
    return removed


def _running_programs() -> set[str]:
    """Paths of the programs of all processes that this user may look at."""
    found = set()
    for exe in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            found.add(str(exe.readlink()))
    return found
