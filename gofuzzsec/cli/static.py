"""``gofuzzsec static``: every system call that a Go binary could make."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.binary import GoProgram
from gofuzzsec.cli.common import json_option
from gofuzzsec.files import write_atomic
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.static import bound_fields, bound_text, call_fields, why_text
from gofuzzsec.syscalls.bound import WHOLE, static_bound


@click.command()
@click.argument("binary", type=click.Path(path_type=Path))
@click.option(
    "--root",
    "roots",
    multiple=True,
    default=(WHOLE,),
    metavar="NAME",
    help="Where execution starts: main for the whole program, or a function or fuzz test by its "
    "full name, an unambiguous end of it, or a pattern with *. Repeatable. Default: main.",
)
@click.option("--why", metavar="CALL", help="Print the shortest way to this system call instead.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file instead of standard output.",
)
@json_option
def static(
    binary: Path, roots: tuple[str, ...], why: str | None, output: Path | None, as_json: bool
) -> None:
    """List every system call that a Go BINARY could make, without running it.

    Reads the machine code (amd64 and arm64, Linux, also stripped): numbers come from system call
    instructions and from calls of whatever hands a number on to one, and count when calls, function
    values, data, interfaces or types lead to them from a root. What cannot be followed counts as
    reachable. A line that begins with OPEN says that more calls are possible than are listed: a
    number that is not constant, C code, plugins. Results are kept in the cache.
    """
    program = GoProgram.read(binary)
    bound = static_bound(program, roots)
    if why is not None:
        text = dumps(call_fields(bound.call(why))) if as_json else why_text(bound, why)
    elif as_json:
        text = "\n".join(dumps(fields) for fields in bound_fields(bound, str(binary)))
    else:
        text = bound_text(bound, str(binary))
    if output is None:
        click.echo(text)
    else:
        write_atomic(output, f"{text}\n".encode())
