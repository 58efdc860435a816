"""``gofuzzsec doctor``: what works on this machine, and what to install."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from gofuzzsec.cli.common import campaign_option, here, json_option
from gofuzzsec.errors import EXIT_ENVIRONMENT, EXIT_OK
from gofuzzsec.privilege import drop_to_invoker
from gofuzzsec.report.campaign import checks_table
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.text import clean
from gofuzzsec.syscalls.bpf.doctor import recording_checks
from gofuzzsec.toolchain.doctor import checks


@click.command()
@campaign_option
@click.option("--go", metavar="PATH", help="The go command to check.")
@json_option
def doctor(campaign: Path | None, go: str | None, as_json: bool) -> None:
    """Check Go, strace, bpf, permissions and the kernel, and say what to do about what is missing.

    Only what campaigns cannot do without counts: a missing recorder, or not being root, is no
    error. The last line says which recorder `--capture auto` chooses.

    Exit status: 0 everything that is required works, 3 something required does not.
    """
    drop_to_invoker()
    machine = checks(go)
    found = [*machine, *recording_checks(machine)]
    if as_json:
        for check in found:
            click.echo(dumps({"event": "check"} | dataclasses.asdict(check)))
    else:
        click.echo(checks_table(found))
        click.echo(f"campaign directory: {clean(str(here(campaign)))}")
    works = all(check.ok for check in found if check.required)
    click.get_current_context().exit(EXIT_OK if works else EXIT_ENVIRONMENT)
