"""``gofuzzsec profile lint``: what is dangerous in a profile."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import json_option
from gofuzzsec.cli.profiles.machine import machine_options, setting
from gofuzzsec.cli.profiles.options import files_argument, from_option
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.lint import finding_fields, finding_line, summary_line
from gofuzzsec.seccomp.dangers import Severity
from gofuzzsec.seccomp.finding import Finding
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.lint import lint as found_in
from gofuzzsec.syscalls.table import ARCHITECTURES

EXIT_FOUND = 1
"""Something of severity error was found."""


@click.command()
@files_argument
@from_option
@click.option(
    "--arch",
    "arches",
    multiple=True,
    type=click.Choice(ARCHITECTURES),
    help="Look at it as it is on this architecture. Repeatable. Default: all it is for.",
)
@machine_options
@json_option
def lint(
    files: tuple[Path, ...],
    given: str | None,
    arches: tuple[str, ...],
    caps: tuple[str, ...],
    kernel: str | None,
    as_json: bool,
) -> None:
    """Name what is dangerous in the profiles, or does not do what it says.

    Calls are judged by the profile's effect over all arguments: clone with a rule that keeps user
    namespaces out is fine. Each finding has its place, a severity (error, warning, note), a reason
    and what to do. The exit status is 1 when there is an error among them (docs/formats.md).
    """
    where = setting(caps, kernel)
    every: list[Finding] = []
    for file in files:
        findings = found_in(read_profile(file, given), where, arches)
        every += findings
        for finding in findings:
            if as_json:
                click.echo(dumps(finding_fields(str(file), finding)))
            else:
                click.echo(finding_line(str(file), finding))
    click.echo(summary_line(every), err=True)
    if any(finding.severity == Severity.ERROR for finding in every):
        click.get_current_context().exit(EXIT_FOUND)
