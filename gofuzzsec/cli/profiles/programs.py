"""Options that name the programs that run under a profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from gofuzzsec.errors import UsageError

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def program_options(command: _F) -> _F:
    """``--binary``, ``--child`` and ``--no-children``."""
    binary = click.option(
        "--binary",
        "binaries",
        type=_FILE,
        multiple=True,
        metavar="PROGRAM",
        help="The Go program that runs under the profile, as deployed; its static bound says which "
        "calls are possible. Repeatable, for all that run under one profile.",
    )
    child = click.option(
        "--child",
        "children",
        type=_FILE,
        multiple=True,
        metavar="PROGRAM",
        help="A Go program that PROGRAM starts: it inherits the filter. Repeatable; give all.",
    )
    none = click.option(
        "--no-children",
        is_flag=True,
        help="PROGRAM starts no other programs, although its code could, and nothing else (a "
        "health check, an exec into the container) runs under the profile.",
    )
    return binary(child(none(command)))


def children_known(children: Sequence[Path], *, no_children: bool) -> bool:
    """Whether the options say which programs are started. Raises UsageError for a contradiction."""
    if children and no_children:
        raise UsageError("expected --child or --no-children, found both: leave one of them out")
    return bool(children) or no_children
