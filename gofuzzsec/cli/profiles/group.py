"""The commands of ``gofuzzsec profile``."""

from __future__ import annotations

import click

from gofuzzsec.cli.profiles.build import build
from gofuzzsec.cli.profiles.check import check
from gofuzzsec.cli.profiles.convert import convert
from gofuzzsec.cli.profiles.diff import diff
from gofuzzsec.cli.profiles.explain import explain
from gofuzzsec.cli.profiles.inspect import inspect
from gofuzzsec.cli.profiles.lint import lint
from gofuzzsec.cli.profiles.merge import merge
from gofuzzsec.cli.profiles.tighten import tighten
from gofuzzsec.cli.profiles.verify import verify


@click.group()
def profile() -> None:
    """Seccomp profiles: built from what a campaign recorded, explained, tightened, verified."""


profile.add_command(build)
profile.add_command(explain)
profile.add_command(check)
profile.add_command(verify)
profile.add_command(convert)
profile.add_command(merge)
profile.add_command(tighten)
profile.add_command(lint)
profile.add_command(diff)
profile.add_command(inspect)
