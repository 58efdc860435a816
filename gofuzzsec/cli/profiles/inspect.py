"""``gofuzzsec profile inspect``: what a profile, or a BPF program, does."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import check_output, json_option
from gofuzzsec.cli.profiles.machine import machine_options, setting
from gofuzzsec.cli.profiles.sources import read_source
from gofuzzsec.errors import UsageError
from gofuzzsec.files import write_atomic
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.inspect import inspect_fields, inspect_text
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.bpf import disassemble, parse_bpf
from gofuzzsec.seccomp.enforce import compile_filter, pseudo_code
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("profile", type=_FILE)
@click.option("--arch", type=click.Choice(ARCHITECTURES), help="Default: this machine's.")
@machine_options
@click.option(
    "--bpf",
    "program",
    type=_FILE,
    metavar="FILE",
    help="Write the BPF program that libseccomp makes of the profile to FILE (this machine only).",
)
@click.option("--pfc", is_flag=True, help="Print libseccomp's pseudo code of it instead.")
@click.option("--disassemble", "listing", is_flag=True, help="Print the BPF program instead.")
@json_option
def inspect(
    profile: Path,
    arch: str | None,
    caps: tuple[str, ...],
    kernel: str | None,
    program: Path | None,
    pfc: bool,
    listing: bool,
    as_json: bool,
) -> None:
    """Show what PROFILE does to every call: a profile in any format, or a raw BPF program (an array
    of struct sock_filter, as libseccomp, systemd and seccomp-tools write them).

    A BPF program is checked as the kernel checks it and followed on unknown arguments.
    """
    if program is not None:
        check_output(program)
    source, where = read_source(profile), setting(caps, kernel)
    chosen = arch or machine_arch()
    if source.is_conditional:
        told = f"{profile} depends on where it is used; see --cap and --kernel"
        click.echo(f"warning: {clean(told)}", err=True)
    instructions = source.program
    if source.profile is not None and (program or listing):
        made = compile_filter(source.resolved(chosen, where), chosen)
        instructions = parse_bpf(made.program)
        if program:
            write_atomic(program, made.program)
    elif program or (pfc and source.profile is None):
        raise UsageError(f"expected a profile in {profile}, found a BPF program already")
    if pfc:
        click.echo(pseudo_code(source.resolved(chosen, where), chosen), nl=False)
    elif listing:
        click.echo("\n".join(disassemble(instructions)))
    elif as_json:
        side = source.side(chosen, where)
        click.echo("\n".join(dumps(fields) for fields in inspect_fields(side, chosen)))
    else:
        click.echo(inspect_text(source.side(chosen, where), str(profile), chosen))
