"""Options that the commands on profile files share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gofuzzsec.seccomp.formats import FORMS

_F = TypeVar("_F", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


def files_argument(command: _F) -> _F:
    """``FILE...``: profiles to read."""
    return click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")(command)


def from_option(command: _F) -> _F:
    """``--from FORM``: of files whose format must not be guessed."""
    text = "The format of what is read. Default: guessed from what is in it."
    return click.option("--from", "given", type=click.Choice(FORMS), help=text)(command)


def output_option(command: _F) -> _F:
    """``--output FILE`` (``-o``): where the profile goes."""
    text = "Where to write the profile; - is standard output."
    output = click.option("-o", "--output", required=True, type=_OUTPUT, metavar="FILE", help=text)
    return output(command)


def fit_name(text: str) -> str:
    """*text* as Kubernetes takes names: lower case, letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "profile"
