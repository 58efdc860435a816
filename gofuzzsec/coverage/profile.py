"""Go's cover profiles: which statements of which package ran.

The text form is that of ``go test -coverprofile`` and ``go tool covdata textfmt`` (written by
`internal/coverage/cformat`, read by golang.org/x/tools/cover): a ``mode:`` line, then a block a
line. Blocks of several runs may stand in one file, in any order; they are added up.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import CoverageError

MAX_SIZE = 64 << 20
"""Bytes of one profile that are read; that of all of Kubernetes has about 20 MiB."""

_MODES = frozenset({"set", "count", "atomic"})
_LINE = re.compile(
    r"(.+):([0-9]{1,9})\.([0-9]{1,9}),([0-9]{1,9})\.([0-9]{1,9}) ([0-9]{1,9}) ([0-9]{1,19})"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A run of *statements* without a branch in ``file`` (import path and file name).

    ``start`` and ``end`` are (line, column), as Go counts them; ``count`` is how often it ran, or
    in mode ``set`` whether.
    """

    file: str
    start: tuple[int, int]
    end: tuple[int, int]
    statements: int
    count: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Statements there are, and how many of them ran."""

    statements: int
    covered: int

    @property
    def percent(self) -> float:
        """Of 100; of no statements at all none is covered, as `go test` says it."""
        return 100 * self.covered / self.statements if self.statements else 0.0


def parse_profile(text: str) -> tuple[Block, ...]:
    """The blocks of a profile, each place once, in the order in which they first stand there.

    Raises CoverageError for anything that is no cover profile; an empty text has no blocks.
    """
    found: dict[tuple[str, tuple[int, int], tuple[int, int], int], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("mode: ") and line[6:] in _MODES:
            continue  # several profiles one behind the other have one each
        match = _LINE.fullmatch(line) if number > 1 else None
        if match is None:
            raise CoverageError(
                f"expected a cover profile, found {line[:80]!r} in line {number}; "
                "write one with `go test -coverprofile` or `go tool covdata textfmt`"
            )
        numbers = [int(value) for value in match.groups()[1:]]
        place = (match[1], (numbers[0], numbers[1]), (numbers[2], numbers[3]), numbers[4])
        found[place] = found.get(place, 0) + numbers[5]
    return tuple(Block(*place, count) for place, count in found.items())


def added_up(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Blocks of several profiles, each place once with its counts added."""
    found: dict[tuple[str, tuple[int, int], tuple[int, int], int], int] = {}
    for block in blocks:
        place = (block.file, block.start, block.end, block.statements)
        found[place] = found.get(place, 0) + block.count
    return tuple(Block(*place, count) for place, count in found.items())


def read_profile(path: Path) -> tuple[Block, ...]:
    """The blocks of the profile in *path*. Raises CoverageError, also when it cannot be read."""
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_SIZE + 1)
    except OSError as error:
        raise CoverageError(
            f"expected a cover profile at {path}, found: {error.strerror or error}; "
            "did the program end before it could write one?"
        ) from error
    if len(data) > MAX_SIZE:
        raise CoverageError(f"expected a cover profile of at most {MAX_SIZE >> 20} MiB at {path}")
    return parse_profile(data.decode("utf-8", "replace"))


def total(blocks: Iterable[Block]) -> Coverage:
    """Statements of all *blocks* together."""
    statements = covered = 0
    for block in blocks:
        statements += block.statements
        covered += block.statements if block.count else 0
    return Coverage(statements, covered)


def by_package(blocks: Iterable[Block]) -> dict[str, Coverage]:
    """The coverage of each package, by import path, sorted."""
    grouped: dict[str, list[Block]] = {}
    for block in blocks:
        grouped.setdefault(posixpath.dirname(block.file), []).append(block)
    return {path: total(grouped[path]) for path in sorted(grouped)}


def between(blocks: Iterable[Block], file: str, first: int, last: int) -> Coverage:
    """Of the statements of *file* whose block begins in the lines *first* to *last*, inclusive:
    those of a function, when the lines are its own."""
    return total(b for b in blocks if b.file == file and first <= b.start[0] <= last)
