"""``gofuzzsec profile convert``: a profile from one format into another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from gofuzzsec.cli.common import write_output
from gofuzzsec.cli.profiles.machine import machine_options, setting
from gofuzzsec.cli.profiles.options import fit_name, from_option, output_option
from gofuzzsec.errors import ProfileError
from gofuzzsec.report.profiles.convert import caution_lines, loss_lines
from gofuzzsec.seccomp.formats import FORMS, read_profile, write_profile
from gofuzzsec.seccomp.resolve import is_conditional, resolve
from gofuzzsec.syscalls.table import ARCHITECTURES


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--to", "form", required=True, type=click.Choice(FORMS), help="The format to write.")
@from_option
@output_option
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the operator's resource or of the unit. Default: the one in FILE, else FILE's "
    "own, made fit.",
)
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    help="Decide Docker's includes, excludes, archMap and minKernel for this architecture, so that "
    "every format can say the profile.",
)
@machine_options
@click.option("--strict", is_flag=True, help="Write nothing when something would be lost.")
def convert(
    file: Path,
    form: str,
    given: str | None,
    output: Path,
    name: str | None,
    arch: str | None,
    caps: tuple[str, ...],
    kernel: str | None,
    strict: bool,
) -> None:
    """Write the profile in FILE in another format.

    Formats: oci is the JSON of the OCI runtime specification, Docker and Podman; operator is the
    Security Profiles Operator's SeccompProfile (v1, or operator-v1beta1); systemd is a drop-in
    for a unit. What the new format has no place for is named on standard error; what would let
    more calls through is an error (docs/formats.md).
    """
    profile = read_profile(file, given)
    if arch is not None:
        profile = resolve(profile, arch, setting(caps, kernel))
    if form != "oci" and is_conditional(profile):
        raise ProfileError(
            f"expected a profile that says the same on every machine for {form}, found archMap, "
            "includes or excludes; decide them with --arch (and --cap, --kernel)"
        )
    if form != "oci":
        profile = replace(profile, name=name or profile.name or fit_name(file.stem))
    written = write_profile(profile, form)
    losses = tuple(loss_lines(profile, written, form))
    if strict and losses:
        raise ProfileError(f"expected nothing to be {losses[0]}; convert without --strict")
    write_output(output, written.text)
    for line in (*losses, *caution_lines(profile, form)):
        click.echo(f"warning: {line}", err=True)
