"""``gofuzzsec profile diff``: two profiles compared by what they do."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import json_option
from gofuzzsec.cli.profiles.machine import machine_options, setting
from gofuzzsec.cli.profiles.sources import Source, read_source
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.diff import diff_fields, diff_text
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.sides import compare_sides
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("before", metavar="A", type=_FILE)
@click.argument("after", metavar="B", type=_FILE)
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    help="Compare on this architecture. Default: on each that both name, else this machine's.",
)
@machine_options
@json_option
@click.pass_context
def diff(
    context: click.Context,
    before: Path,
    after: Path,
    arch: str | None,
    caps: tuple[str, ...],
    kernel: str | None,
    as_json: bool,
) -> None:
    """Compare two profiles, A and B, by effect: what the kernel would do to any call.

    Order, grouping and format do not matter, and neither do rules that come to the same. Arguments
    are compared over all 64-bit values, and each difference comes with values that show it. A and B
    are profiles in any format that is read here, or raw BPF programs.

    Exit status: 0 the same effect, 1 different, 2 a profile that cannot be read.
    """
    where = setting(caps, kernel)
    sources = [read_source(path) for path in (before, after)]
    comparisons = []
    for each in [arch] if arch else _common(sources):
        first, second = (source.side(each, where) for source in sources)
        comparisons.append(compare_sides(first, second, each))
    for path, source in zip((before, after), sources, strict=True):
        if source.is_conditional:
            told = f"{path} depends on where it is used; see --cap and --kernel"
            click.echo(f"warning: {clean(told)}", err=True)
    if as_json:
        click.echo("\n".join(dumps(fields) for fields in diff_fields(comparisons)))
    else:
        click.echo(diff_text(comparisons, str(before), str(after)))
    context.exit(0 if all(each.same for each in comparisons) else 1)


def _common(sources: list[Source]) -> list[str]:
    """The architectures to compare on."""
    named = [source.arches for source in sources if source.arches]
    common = [arch for arch in ARCHITECTURES if named and all(arch in each for each in named)]
    return common or [machine_arch()]
