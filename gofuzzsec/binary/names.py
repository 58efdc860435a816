"""From what somebody types to the functions that it names."""

from __future__ import annotations

import difflib

from gofuzzsec.binary.program import GoProgram
from gofuzzsec.binary.table import Function
from gofuzzsec.errors import UsageError

_SHOWN = 8  # candidates in a message
_LOOKED_AT = 20_000  # functions; comparing the names of as many takes a second
_NEAR = 0.7  # how alike they are at least, as difflib counts


def resolve(program: GoProgram, pattern: str) -> tuple[Function, ...]:
    """The functions of *program* that *pattern* names: a full name, a short unambiguous name
    (``Foo``, ``pkg.Foo``, ``(*T).M``, ``pkg.(*T).M``), or a full name with ``*`` for any text.

    More than one without ``*`` are instances of one generic function. Raises UsageError that lists
    candidates when there is none, or a short name is that of several.
    """
    found = program.functions.matching(pattern)
    names = sorted({function.name for function in found})
    if not found:
        raise UsageError(
            f"expected a function of {program.path.name} by the name {pattern!r}, found none"
            + _suggestion(program, pattern)
        )
    if len(names) > 1 and not _is_glob(pattern):
        raise UsageError(
            f"expected {pattern!r} to name one function of {program.path.name}, found "
            f"{len(names)}: {_listed(names)}; write more of the name"
        )
    return found


def _is_glob(pattern: str) -> bool:
    return "*" in pattern.replace("(*", "(")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _suggestion(program: GoProgram, pattern: str) -> str:
    """What may have been meant: names whose end is like the end of *pattern*."""
    ends: dict[str, list[str]] = {}
    for name in dict.fromkeys(program.functions.names[:_LOOKED_AT]):
        tail = name.rpartition("/")[2].casefold()
        for end in {tail, tail.rpartition(".")[2], tail.partition(".")[2]}:
            ends.setdefault(end, []).append(name)
    last = pattern.rpartition("/")[2].replace("*", "").casefold()
    for wanted in filter(None, dict.fromkeys((last, last.rpartition(".")[2]))):
        near = difflib.get_close_matches(wanted, ends, _SHOWN, _NEAR)
        if near:
            names = dict.fromkeys(name for end in near for name in ends[end])
            return f"; did you mean {_listed(list(names))}?"
    return "; `go tool nm` lists them"
