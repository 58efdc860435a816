"""``gofuzzsec analyze``: which functions of a package are worth capturing."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import campaign_option, here, json_option
from gofuzzsec.coordinator.capturing.analysis import analyze as analyze_packages
from gofuzzsec.privilege import drop_to_invoker
from gofuzzsec.report.analysis import analysis_objects, analysis_text
from gofuzzsec.report.jsonl import dumps


@click.command()
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@campaign_option
@json_option
@click.option("--tags", metavar="LIST", default="", help="Build tags, as `go build -tags`.")
@click.option("--go", metavar="PATH", help="The go command, as given to fuzz.")
def analyze(
    packages: tuple[str, ...], campaign: Path | None, as_json: bool, tags: str, go: str | None
) -> None:
    """List the functions that tests and fuzz targets reach and that can make system calls.

    The tests of each PACKAGE are built and run, with the seeds of its fuzz tests and the inputs
    that the campaign keeps; what they reach is told by statement coverage. Which system calls a
    function contains or leads to is read from the binary's call graph, which errs towards too
    many. The list is what to pass to `capture -f`.
    """
    drop_to_invoker(())
    asked = packages or (".",)
    found = list(analyze_packages(asked, Path.cwd(), here(campaign), tags=tags, go=go))
    if not as_json:
        click.echo(analysis_text(found, asked))
        return
    for analysis in found:
        for fields in analysis_objects(analysis):
            click.echo(dumps(fields))
