"""Values of ours as SQLite keeps them, and back. Text may come from hostile programs."""

from __future__ import annotations

import json
from collections.abc import Sequence


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
