"""Options and look-ups that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gofuzzsec.errors import UsageError
from gofuzzsec.files import write_atomic
from gofuzzsec.store import Store
from gofuzzsec.store.location import campaign_dir
from gofuzzsec.store.model import TargetRow

_F = TypeVar("_F", bound=Callable[..., Any])

_CAMPAIGN_HELP = (
    "Campaign directory. Default: .gofuzzsec beside the nearest go.mod, "
    "or in the current folder where there is none."
)


def campaign_option(command: _F) -> _F:
    """``--campaign DIR`` (``-c``), which every command takes."""
    path = click.Path(file_okay=False, path_type=Path)
    return click.option("-c", "--campaign", type=path, metavar="DIR", help=_CAMPAIGN_HELP)(command)


def target_option(command: _F) -> _F:
    """``--target NAME`` of commands that read a campaign."""
    text = "Only this fuzz test: FuzzX, import/path.FuzzX or an unambiguous end of that."
    return click.option("--target", metavar="NAME", help=text)(command)


def build_options(command: _F) -> _F:
    """``--tags``, ``--race`` and ``--go`` of commands that may build a target again."""
    tags = click.option("--tags", metavar="LIST", default="", help="Build tags, as given to fuzz.")
    race = click.option("--race", is_flag=True, help="Build with the race detector, as in fuzz.")
    go = click.option("--go", metavar="PATH", help="The go command, as given to fuzz.")
    return tags(race(go(command)))


def json_option(command: _F) -> _F:
    """``--json`` of commands that list things."""
    text = "Print JSON lines, one object each (docs/json.md)."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def check_output(path: Path) -> None:
    """Raise UsageError now for a file that could not be written after a long run."""
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"expected to be allowed to write {path}, found that it cannot be written")


def write_output(path: Path, text: str) -> None:
    """A file is replaced as a whole; a device, a pipe or a link is written to; - is standard
    output."""
    if path == Path("-"):
        click.echo(text, nl=False)
    elif path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_text(text)
    else:
        write_atomic(path, text.encode())


def here(campaign: Path | None) -> Path:
    """The campaign directory that ``--campaign`` and the current folder mean."""
    return campaign_dir(campaign, Path.cwd())


def read_store(campaign: Path | None) -> Store:
    """The campaign for reading, also while it is being fuzzed. Raises StoreError."""
    return Store.open_readonly(here(campaign))


def chosen(store: Store, target: str | None) -> list[TargetRow]:
    """The one target that *target* names, or all. Raises StoreError or UsageError."""
    return store.targets() if target is None else [store.target(target)]


def captured(store: Store, target: str | None) -> list[TargetRow]:
    """As `chosen`, with captured programs among them. Raises StoreError or UsageError."""
    if target is None:
        return store.targets(programs=True)
    return [store.target(target, programs=True)]


def full_name(target: TargetRow) -> str:
    """``import/path.FuzzX``, the name that events use (``import/path`` of a captured program)."""
    return target.full_name
