"""Bounds that were worked out before, by the content of the program.

A build id alone does not do for a key: whoever links with ``-buildid=`` gives all programs the
same one. Our version alone does not, either: a checkout under development changes without one, so
that the source of what works bounds out is part of the key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from gofuzzsec import __version__, binary
from gofuzzsec.binary import GoProgram, static
from gofuzzsec.files import write_atomic
from gofuzzsec.syscalls.bound_model import Bound, Opening, Place, PossibleCall, UnknownCall
from gofuzzsec.toolchain.cache import UNUSED_DAYS, cache_dir, made_cache_dir

_FOLDER = "static"
_MOST_BYTES = 64 << 20
"""Of one kept bound; that of a large program takes one hundredth."""


def kept(program: GoProgram, roots: tuple[str, ...]) -> Bound | None:
    """The bound of *program* from *roots* (full names); None if there is none that is whole."""
    path = cache_dir() / _FOLDER / entry_name(program, roots)
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        found = parse(path.read_bytes())
        os.utime(path)  # its last use, for `prune`
    except OSError:
        return None
    if found is None or found.roots != roots or found.arch != program.arch:
        return None
    return found


def parse(data: bytes) -> Bound | None:
    """The bound that `keep` wrote as *data*; None for anything else."""
    try:
        return _read(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def keep(program: GoProgram, bound: Bound) -> None:
    """Keep *bound*. Raises ToolchainError when the cache folder cannot be made; a full disk only
    means that the next one works it out again."""
    folder = made_cache_dir(_FOLDER)
    data = json.dumps(asdict(bound), separators=(",", ":")).encode("utf-8", "surrogatepass")
    with contextlib.suppress(OSError):
        prune(folder)
        write_atomic(folder / entry_name(program, bound.roots), data)


def entry_name(program: GoProgram, roots: tuple[str, ...]) -> str:
    """The file's name for what follows from *program* and *roots*, whatever is kept of it."""
    digest = hashlib.sha256()
    content = program.elf.image
    for offset in range(0, content.size, 1 << 24):
        digest.update(content.read(offset, min(1 << 24, content.size - offset), "its bytes"))
    digest.update("\0".join((program.build_id, __version__, _maker(), *roots)).encode())
    return f"{digest.hexdigest()}.json"


@cache
def _maker() -> str:
    """A digest of the modules that make bounds."""
    folders = binary.__path__, static.__path__, [str(Path(__file__).parent)]
    digest = hashlib.sha256()
    for folder in (Path(path) for paths in folders for path in paths):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def prune(folder: Path) -> None:
    """Remove what was not used for long."""
    horizon = time.time() - UNUSED_DAYS * 86400
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError):  # another process prunes as well
            if path.stat().st_mtime < horizon:
                path.unlink()


def _read(data: dict[str, Any]) -> Bound:
    """Raises KeyError, TypeError or ValueError for anything that `keep` did not write."""
    return Bound(
        arch=_text(data["arch"]),
        go_version=_text(data["go_version"]),
        roots=_texts(data["roots"]),
        calls=tuple(
            PossibleCall(
                _text(call["name"]), _count(call["number"]),
                tuple(map(_place, call["sites"])), _texts(call["path"]),
            )
            for call in data["calls"]
        ),
        unknown=tuple(
            UnknownCall(_place(one["place"]), _text(one["why"]), _texts(one["path"]))
            for one in data["unknown"]
        ),
        opens=tuple(
            Opening(_text(one["kind"]), _text(one["what"]), _texts(one["path"]))
            for one in data["opens"]
        ),
        assumes=_texts(data["assumes"]),
        reached=_count(data["reached"]),
        functions=_count(data["functions"]),
    )  # fmt: skip


def _place(data: dict[str, Any]) -> Place:
    return Place(_text(data["function"]), _text(data["file"]), _count(data["line"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {value!r}")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"expected a count, found {value!r}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, found {value!r}")
    return tuple(map(_text, value))
