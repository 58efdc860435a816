"""The commands of ``gofuzzsec profile``."""

from __future__ import annotations

import click

from gofuzzsec.cli.profiles.build import build


@click.group()
def profile() -> None:
    """Seccomp profiles: built from what a campaign recorded, explained, tightened, verified."""


profile.add_command(build)
