"""The command group and what is true of every command."""

from __future__ import annotations

import click

from gofuzzsec import __version__
from gofuzzsec.cli.analyze import analyze
from gofuzzsec.cli.capture import capture
from gofuzzsec.cli.corpus import corpus
from gofuzzsec.cli.crashes import crashes
from gofuzzsec.cli.doctor import doctor
from gofuzzsec.cli.fuzz import fuzz
from gofuzzsec.cli.group import MainGroup
from gofuzzsec.cli.profiles.group import profile
from gofuzzsec.cli.static import static
from gofuzzsec.cli.syscalls import syscalls


@click.group(cls=MainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gofuzzsec", help="Show the version and exit.")
def main() -> None:
    """Fuzz Go packages, see which system calls every input makes, build a seccomp profile of them.

    What a campaign keeps is in its campaign directory: `.gofuzzsec` beside the nearest go.mod, or
    in the current folder where there is none, or whatever --campaign says.

    Exit status: 0 nothing found, 1 crashes found, 2 usage, 3 environment or build (or a bug in
    gofuzzsec, which also prints a traceback).
    """


for _command in (fuzz, capture, analyze, static, corpus, crashes, syscalls, profile, doctor):
    main.add_command(_command)
