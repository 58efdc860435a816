"""``gofuzzsec corpus``: the inputs that a campaign keeps, and corpus files in general."""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import (
    build_options,
    campaign_option,
    chosen,
    full_name,
    here,
    json_option,
    read_store,
    target_option,
)
from gofuzzsec.coordinator.corpus_ops import minimise
from gofuzzsec.coordinator.rebuild import BuildChoice
from gofuzzsec.corpus.check import check_path
from gofuzzsec.corpus.directory import CorpusProblem
from gofuzzsec.corpus.values import GoType
from gofuzzsec.errors import EXIT_OK, EXIT_USAGE, StoreError
from gofuzzsec.report.campaign import edges_of, input_cells, inputs_table
from gofuzzsec.report.jsonl import dumps, row_fields
from gofuzzsec.report.text import clean, plural
from gofuzzsec.store import Store
from gofuzzsec.store.export import export_inputs, refuse_shared_folders, testdata_folder

_PATH = click.Path(exists=True, path_type=Path)


@click.group()
def corpus() -> None:
    """The inputs that a campaign keeps, and corpus files in Go's format."""


@corpus.command("list")
@campaign_option
@target_option
@json_option
def list_(campaign: Path | None, target: str | None, as_json: bool) -> None:
    """List the kept inputs: where each came from, why it was kept, its size, time and edges."""
    with read_store(campaign) as store:
        if as_json:
            for each in chosen(store, target):
                for row in store.inputs(each.id):
                    extra = {"event": "input", "target": full_name(each), "edges": edges_of(row)}
                    click.echo(dumps(extra | row_fields(row)))
            return
        lines = [
            input_cells(full_name(each), row)
            for each in chosen(store, target)
            for row in store.inputs(each.id)
        ]
    click.echo(inputs_table(lines))


@corpus.command()
@campaign_option
@target_option
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
def check(campaign: Path | None, target: str | None, paths: tuple[Path, ...]) -> None:
    """Check that every corpus file is in Go's format.

    A PATH is a file or a folder with all below it; without one, the testdata/fuzz folder of every
    target of the campaign is checked. Files are also held against the argument types of --target
    (and of each target, without PATH) once the campaign knows them. Every broken file is named.

    Exit status: 0 all are sound, 2 some are not.
    """
    files, broken = 0, 0
    for path, types in _to_check(campaign, target, paths):
        for entry in check_path(path, types):
            files += 1
            if isinstance(entry, CorpusProblem):
                broken += 1
                click.echo(f"{clean(str(entry.path))}: {clean(entry.text)}")
    click.echo(f"{plural(files, 'file')} checked, {broken} broken")
    click.get_current_context().exit(EXIT_USAGE if broken else EXIT_OK)


def _to_check(
    campaign: Path | None, target: str | None, paths: tuple[Path, ...]
) -> list[tuple[Path, tuple[GoType, ...] | None]]:
    """What to check, each with the types it must have where they are known."""
    if paths and target is None:
        return [(path, None) for path in paths]
    with read_store(campaign) as store:
        if paths and target is not None:
            types = _types(store.target(target).types)
            return [(path, types) for path in paths]
        found = [
            (Path(each.package_dir) / "testdata" / "fuzz" / each.name, _types(each.types))
            for each in chosen(store, target)
        ]
    return [(path, types) for path, types in found if path.is_dir()]


def _types(names: tuple[str, ...]) -> tuple[GoType, ...] | None:
    try:
        return tuple(GoType(name) for name in names) or None
    except ValueError as error:
        raise StoreError(
            f"expected the argument types of a fuzz test in the campaign database, found {error}: "
            "it is damaged; choose another folder with --campaign"
        ) from error


@corpus.command()
@campaign_option
@target_option
@click.option(
    "--to",
    "destination",
    required=True,
    metavar="testdata|DIR",
    help="testdata: into testdata/fuzz/FuzzX of each package; DIR: into DIR/FuzzX.",
)
@click.option("--input", "only", metavar="HASH", help="Only this input, of whatever source.")
def export(campaign: Path | None, target: str | None, destination: str, only: str | None) -> None:
    """Write the kept inputs as corpus files, which `go test` runs as seeds.

    Nothing is ever deleted, and nothing is written beside a package outside your module. For a
    folder called testdata in the current one say --to ./testdata.
    """
    testdata = destination == "testdata"
    with read_store(campaign) as store:
        targets = chosen(store, target)
        if only is not None:
            only = store.input_by_hash(only, targets[0].id if target else None).hash
        if not testdata:
            refuse_shared_folders(targets)
        folders = [
            testdata_folder(each) if testdata else Path(destination) / each.name for each in targets
        ]
        for each, folder in zip(targets, folders, strict=True):
            done = export_inputs(store, each, folder, testdata=testdata, only=only or "")
            click.echo(
                f"{clean(done.target)}: {plural(done.written, 'file')} written to "
                f"{clean(str(done.folder))}, {done.present} already there"
            )


@corpus.command()
@campaign_option
@target_option
@build_options
def minimize(
    campaign: Path | None, target: str | None, tags: str, race: bool, go: str | None
) -> None:
    """Keep a smallest set of inputs with the same coverage and the same system calls."""
    with read_store(campaign) as store:
        names = [full_name(each) for each in chosen(store, target)]
    with Store.create(here(campaign)) as store:
        for name in names:
            result = minimise(store, store.target(name), BuildChoice(tags, race, go))
            click.echo(f"{clean(name)}: {result.before} inputs before, {result.after} after")
