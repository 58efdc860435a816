"""Unit files of systemd as assignments that know their places (systemd.syntax(7))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gofuzzsec.seccomp.formats.source import fail

_WORD = re.compile(r"[^ \t]+")
_SPACE = " \t"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a value and the place of its first character, both counted from 1."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """``setting=words`` in ``section`` ("Service"; "" before the first); ``line`` is that of the
    setting's name."""

    section: str
    setting: str
    words: tuple[Word, ...]
    line: int
    column: int


def assignments(text: str, where: str, wanted: str) -> Iterator[Assignment]:
    """Every assignment of the unit file *text*, in its order; those whose setting begins with
    *wanted* have their words, which take time.

    A line that ends in a backslash goes on in the next one that is no comment. Raises ProfileError,
    with line and column, for a line that is neither a section, a comment nor an assignment.
    """
    section = ""
    for pieces in _logical(text):
        line, column, first = pieces[0]
        if first.startswith("["):
            if not first.endswith("]") or len(pieces) > 1:
                fail(
                    where, line, column, "expected a section like [Service], found no ] at its end"
                )
            section = first[1:-1]
            continue
        name, equals, value = first.partition("=")
        if not equals:
            fail(
                where,
                line,
                column,
                "expected SETTING=VALUE, a [Section] or a # comment, found a line without =",
            )
        start = column + len(name) + 1
        setting = name.rstrip(_SPACE)
        words: tuple[Word, ...] = ()
        if setting.startswith(wanted):
            words = tuple(
                Word(match[0], at, begin + match.start())
                for at, begin, piece in ((line, start, value), *pieces[1:])
                for match in _WORD.finditer(piece)
            )
        yield Assignment(section, setting, words, line, column)


def comments(text: str) -> Iterator[str]:
    """The text of every comment line, without its mark and one space behind that."""
    for line in text.split("\n"):
        stripped = line.lstrip(_SPACE)
        if stripped.startswith(("#", ";")):
            yield stripped[1:].removeprefix(" ")


def _logical(text: str) -> Iterator[list[tuple[int, int, str]]]:
    """Lines joined where a backslash says so, as (line, column, text) of their pieces."""
    pieces: list[tuple[int, int, str]] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip(" \t\r")
        body = line.lstrip(_SPACE)
        if body.startswith(("#", ";")) or (not body and not pieces):
            continue
        goes_on = body.endswith("\\")
        pieces.append((number, len(line) - len(body) + 1, body[:-1] if goes_on else body))
        if not goes_on:
            yield pieces
            pieces = []
    if pieces:
        yield pieces
