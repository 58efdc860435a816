"""``gofuzzsec crashes``: what crashed, and whether it still does."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gofuzzsec.cli.common import (
    build_options,
    campaign_option,
    chosen,
    json_option,
    read_store,
    target_option,
)
from gofuzzsec.coordinator.rebuild import BuildChoice
from gofuzzsec.coordinator.replay import replay_crash
from gofuzzsec.errors import EXIT_CRASHES, EXIT_OK
from gofuzzsec.report.campaign import crash_details, crashes_table
from gofuzzsec.report.jsonl import dumps, row_fields
from gofuzzsec.report.plain import PlainView
from gofuzzsec.report.text import clean_block


@click.group()
def crashes() -> None:
    """Crashes, failures, hangs and out-of-memory that the campaign found."""


@crashes.command("list")
@campaign_option
@target_option
@json_option
def list_(campaign: Path | None, target: str | None, as_json: bool) -> None:
    """List the distinct crashes."""
    with read_store(campaign) as store:
        rows = [row for each in chosen(store, target) for row in store.crashes(each.id)]
    if not as_json:
        click.echo(crashes_table(rows))
        return
    for row in rows:
        click.echo(dumps({"event": "known_crash"} | row_fields(row)))


@crashes.command()
@campaign_option
@click.argument("crash", metavar="HASH")
def show(campaign: Path | None, crash: str) -> None:
    """Show one crash: its input, and what the worker said. HASH may be a unique beginning."""
    with read_store(campaign) as store:
        click.echo(crash_details(store.crash(crash)))


@crashes.command()
@campaign_option
@click.argument("crash", metavar="HASH")
@build_options
def replay(campaign: Path | None, crash: str, tags: str, race: bool, go: str | None) -> None:
    """Run a crash's input once in a fresh worker and say whether the same crash happens.

    Exit status: 0 it does not crash any more, or in another way; 1 the same crash happens; 3 there
    is no worker to be had: the build fails, or the target does before f.Fuzz.
    """
    with read_store(campaign) as store:
        choice = BuildChoice(tags, race, go)
        result = replay_crash(store, store.crash(crash), PlainView(sys.stdout).emit, choice)
    click.echo(clean_block(result.text).rstrip())
    click.get_current_context().exit(EXIT_CRASHES if result.same else EXIT_OK)
