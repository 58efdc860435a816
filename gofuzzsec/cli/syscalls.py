"""``gofuzzsec syscalls``: who needed which system call."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import (
    campaign_option,
    captured,
    full_name,
    json_option,
    read_store,
    target_option,
)
from gofuzzsec.report.evidence import calls_table, calls_with_stacks, coverage_lines, headline
from gofuzzsec.report.jsonl import comparison_fields, dumps, row_fields
from gofuzzsec.syscalls.compare import by_call, compare


@click.command()
@campaign_option
@target_option
@click.option("--stacks", is_flag=True, help="Print the Go call stack of each call's first sight.")
@json_option
def syscalls(campaign: Path | None, target: str | None, stacks: bool, as_json: bool) -> None:
    """List each system call with who needed it, and what fuzzing added to hand-written tests.

    NEEDED BY is where it was seen: the package's own tests, captured integration runs, the seeds
    before any mutation, inputs that fuzzing found, all processes of the campaign, the baseline of a
    minimal Go program, the harness. ORIGIN is who made it: the target, the Go runtime, the test
    harness, or unknown where the recorder could not tell. A call is unstable when it was seen in
    only one of an input's two recordings. Lines below a call say which kinds of it there were, and
    how they ended: refused means that the kernel did not permit or does not have it.
    """
    with read_store(campaign) as store:
        targets = captured(store, target)
        rows = [(each, row) for each in targets for row in store.syscalls(each.id)]
        measured = coverage_lines(store, targets)
    found = [row for _, row in rows]
    comparison = compare(found)
    if as_json:
        for each, row in rows:
            click.echo(dumps({"event": "call", "target": full_name(each)} | row_fields(row)))
        click.echo(dumps(comparison_fields(comparison)))
        return
    if found:
        calls = by_call(found)
        modules = {each.module_path for each in targets}
        click.echo(calls_with_stacks(calls, modules) if stacks else calls_table(calls))
        click.echo()
    click.echo("\n".join([headline(comparison), *measured]))
