"""``gofuzzsec profile merge``: one profile for several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from gofuzzsec.cli.common import write_output
from gofuzzsec.cli.profiles.machine import machine_options, setting
from gofuzzsec.cli.profiles.options import files_argument, output_option
from gofuzzsec.errors import ProfileError
from gofuzzsec.report.profiles.convert import caution_lines, loss_lines
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.formats import FORMS, read_profile, write_profile
from gofuzzsec.seccomp.merge import merge as merged_profile
from gofuzzsec.seccomp.resolve import is_conditional
from gofuzzsec.seccomp.union import Part


@click.command()
@files_argument
@output_option
@click.option(
    "--to", "form", type=click.Choice(FORMS), default="oci", show_default=True, help="Its format."
)
@click.option("--name", metavar="NAME", help="Name of the operator's resource or of the unit.")
@machine_options
def merge(
    files: tuple[Path, ...],
    output: Path,
    form: str,
    name: str | None,
    caps: tuple[str, ...],
    kernel: str | None,
) -> None:
    """Write one profile that lets through what any of the profiles in FILE... does.

    For targets, replicas or architectures of one service. Each architecture is united by itself:
    what differs between amd64 and arm64 is kept apart by Docker's includes. Of different default
    actions the strictest holds, and what each profile came from is kept. Whatever has no union is
    an error.
    """
    parts = [Part(file.name, read_profile(file)) for file in files]
    merged = merged_profile(parts, setting(caps, kernel))
    profile = replace(merged.profile, name=name or merged.profile.name)
    if form == "oci":
        profile = replace(profile, name="")
    elif is_conditional(profile):
        raise ProfileError(
            f"expected the same calls on all architectures for {form}, found some that differ; "
            "merge the profiles of each architecture by themselves, or write oci"
        )
    written = write_profile(profile, form)
    write_output(output, written.text)
    warnings = [*loss_lines(profile, written, form), *caution_lines(profile, form)]
    for part in parts:
        warnings += loss_lines(part.profile, type(written)(""), form)
    for line in (*map(clean, merged.notes), *warnings):
        click.echo(f"warning: {line}", err=True)
