"""``gofuzzsec profile build``: a seccomp profile from what a campaign recorded."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import campaign_option, captured, read_store, target_option
from gofuzzsec.files import write_atomic
from gofuzzsec.report.evidence import profile_reasons, profile_summary
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp import build_profile, to_json
from gofuzzsec.seccomp.campaign import campaign_evidence
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.oci import OCI_RUNTIME_CALLS
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch
from gofuzzsec.toolchain import find_go


@click.command()
@campaign_option
@target_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Where to write the profile; - is standard output.",
)
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    help="Architecture of the profile. Default: the one that everything was recorded on, else this "
    "machine's; another one brings a warning.",
)
@click.option("--explain", is_flag=True, help="Also print why each call is allowed.")
def build(
    campaign: Path | None, target: str | None, output: Path, arch: str | None, explain: bool
) -> None:
    """Write a seccomp profile (OCI and Docker JSON) that allows what was recorded.

    Allowed is what inputs, hand-written tests and captured integration runs made, what the Go
    runtime makes by itself, and what a container runtime needs to start the program; everything
    else is refused with EPERM.
    How many calls each of these accounts for, and every doubt about the evidence, is printed on
    standard error: read the warnings before you deploy (docs/profiles.md).
    """
    with read_store(campaign) as store:
        evidence = campaign_evidence(
            store,
            captured(store, target),
            arch=arch,
            machine=machine_arch(),
            observe_baseline=lambda: runtime_baseline(find_go()),
        )
    built = build_profile(
        evidence.rows,
        baseline=evidence.baseline,
        oci=OCI_RUNTIME_CALLS,
        arch=evidence.arch,
        unrecorded=evidence.unrecorded,
        incomplete=evidence.incomplete,
    )
    _write(output, to_json(built))
    if explain:
        click.echo(profile_reasons(built), err=True)
    click.echo(profile_summary(built, evidence.rows, evidence.baseline), err=True)
    for warning in (*built.warnings, *evidence.warnings):
        click.echo(f"warning: {clean(warning)}", err=True)


def _write(output: Path, text: str) -> None:
    """A file is replaced as a whole; a device, a pipe or a link is written to."""
    if output == Path("-"):
        click.echo(text, nl=False)
    elif output.is_symlink() or (output.exists() and not output.is_file()):
        output.write_text(text)
    else:
        write_atomic(output, text.encode())
