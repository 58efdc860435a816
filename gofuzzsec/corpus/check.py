"""Looking through corpus files and folders of them for whatever Go would not read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gofuzzsec.corpus.directory import CorpusFile, CorpusProblem, read_entry
from gofuzzsec.corpus.values import GoType


def check_path(path: Path, types: Sequence[GoType] | None) -> Iterator[CorpusFile | CorpusProblem]:
    """Every entry at *path* (a file, or a folder with all below it), by name, one in memory at a
    time. *types* are those of the target; None takes any.

    Links to folders are not followed, so the walk ends; a folder that cannot be read is a problem.
    """
    if not path.is_dir():
        yield read_entry(path, types)
        return
    problems: list[CorpusProblem] = []

    def unreadable(error: OSError) -> None:
        problems.append(CorpusProblem(Path(error.filename), f"cannot be read: {error.strerror}"))

    for folder, below, names in os.walk(path, onerror=unreadable):
        below.sort()
        for name in sorted(names):
            yield read_entry(Path(folder) / name, types)
        yield from problems
        problems.clear()
    yield from problems
