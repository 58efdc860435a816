"""Values of ours as SQLite keeps them, and back. Text may come from hostile programs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_ARGS = re.compile(r"[0-9]{1,10}(?:,[0-9]{1,10})?")


def text(value: str) -> str:
    """*value* with what UTF-8 cannot hold (lone surrogates, from undecodable bytes) escaped."""
    if value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def pack_names(names: Sequence[str]) -> str:
    """*names* as one column."""
    return json.dumps([text(name) for name in names], ensure_ascii=False, separators=(",", ":"))


def unpack_names(column: str) -> tuple[str, ...]:
    """What `pack_names` was given. Raises ValueError when *column* is not from it."""
    try:
        names = json.loads(column)
    except RecursionError as error:
        raise ValueError("a list of names was expected, found a deep nest") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("a list of names was expected")
    return tuple(names)


def pack_args(values: Sequence[int]) -> str:
    """Argument *values* (unsigned, 32 bits) as one column: "1,524289"; "" for none."""
    return ",".join(map(str, values))


def unpack_args(column: str) -> tuple[int, ...]:
    """What `pack_args` was given. Raises ValueError when *column* is not from it."""
    if not column:
        return ()
    if _ARGS.fullmatch(column) is None:
        raise ValueError("one or two numbers were expected")
    values = tuple(map(int, column.split(",")))
    if max(values) >> 32:
        raise ValueError("numbers of 32 bits were expected")
    return values
