"""``gofuzzsec profile verify``: what a profile does to a program, enforced by the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from gofuzzsec.cli.common import campaign_option, json_option, target_option
from gofuzzsec.cli.params import checked, parse_duration
from gofuzzsec.coordinator.verifying.model import Judgement, VerifyOptions
from gofuzzsec.coordinator.verifying.verify import verify as verify_profile
from gofuzzsec.errors import EXIT_CRASHES, EXIT_OK
from gofuzzsec.privilege import drop_to_invoker
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.attacks import attack_objects, attacks_text
from gofuzzsec.report.profiles.verify import verified_objects, verified_text
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.attacks import ATTACKS, attempt
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.resolve import resolve
from gofuzzsec.syscalls.table import machine_arch


class _Arguments(TypedDict):
    """What click passes to `verify`, by parameter name."""

    profile: Path | None
    command: tuple[str, ...]
    campaign: Path | None
    target: str | None
    packages: tuple[str, ...]
    audit: bool
    tolerant: bool
    against_attack: bool
    needed: tuple[str, ...]
    recorder: str
    workers: int | None
    seconds: float | None
    as_json: bool
    tags: str
    go: str | None


@click.command()
@click.argument("profile", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
@campaign_option
@target_option
@click.option(
    "--tests",
    "packages",
    multiple=True,
    metavar="PACKAGE",
    help="Also run the tests of this package or pattern; may be given several times.",
)
@click.option(
    "--audit",
    is_flag=True,
    help="Enforce nothing: let every call through and report those that would be refused.",
)
@click.option(
    "--tolerated",
    "tolerant",
    is_flag=True,
    help="Exit with 0 when calls are refused that the program tolerates: only what passes without "
    "the profile and fails with it counts.",
)
@click.option(
    "--against-attack",
    is_flag=True,
    help="Run small programs that each do one thing a profile should stop, and show which are. "
    "Without PROFILE: what this machine stops by itself.",
)
@click.option(
    "--may",
    "needed",
    multiple=True,
    type=click.Choice([attack.name for attack in ATTACKS]),
    metavar="ATTACK",
    help="With --against-attack: this one does not count, because the program needs it. May be "
    "given several times.",
)
@click.option(
    "--recorder",
    type=click.Choice(["auto", "bpf", "strace"]),
    default="auto",
    show_default=True,
    help="What sees refused calls: bpf needs root and tells goroutines; strace needs nothing; "
    "auto is bpf, or strace where that cannot be had.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Inputs run at a time. Default: one for each processor.",
)
@click.option(
    "--time",
    "seconds",
    metavar="TIME",
    callback=checked(parse_duration),
    help="Begin nothing more after this time; what was not run is said. Default: no limit.",
)
@json_option
@click.option("--tags", metavar="LIST", default="", help="Build tags, as given to fuzz.")
@click.option("--go", metavar="PATH", help="The go command, as given to fuzz.")
def verify(**arguments: Unpack[_Arguments]) -> None:
    """Run corpus, tests and commands with PROFILE really installed in the kernel.

    Each input that the campaign kept, each test of --tests and the COMMAND run without the profile
    and under it. Every call that is refused is reported with its arguments, its maker and its path,
    also when the program carries on; what fails without the profile too is said and not blamed on
    it. Calls that only the test harness makes are let through for the harness alone, and named
    (docs/verify.md).

    Exit status: 0 nothing was refused; 1 something was, or with --against-attack, an attack got
    through; 2 and 3 as always.
    """
    _check(arguments)
    drop_to_invoker()
    run = _attacks if arguments["against_attack"] else _verify
    click.get_current_context().exit(run(arguments))


def _check(arguments: _Arguments) -> None:
    """Refuse what does not go together, as click would."""
    attack = arguments["against_attack"]
    runs = arguments["command"] or arguments["packages"] or arguments["audit"]
    for wrong, text in (
        (arguments["profile"] is None and not attack, "expected a profile, found none"),
        (attack and runs, "--against-attack runs nothing but attacks: leave the rest out"),
        (arguments["needed"] and not attack, "--may needs --against-attack"),
    ):
        if wrong:
            raise click.UsageError(text)


def _verify(arguments: _Arguments) -> int:
    options = VerifyOptions(
        campaign=arguments["campaign"],
        target=arguments["target"],
        packages=arguments["packages"],
        command=arguments["command"],
        audit=arguments["audit"],
        recorder=arguments["recorder"],
        workers=arguments["workers"],
        seconds=arguments["seconds"],
        tags=arguments["tags"],
        go=arguments["go"],
    )
    path = arguments["profile"]
    assert path is not None  # see _check
    verified = verify_profile(
        read_profile(path),
        str(path),
        options,
        Path.cwd(),
        lambda text: click.echo(f"running {clean(text)}", err=True),
    )
    if arguments["as_json"]:
        for each in verified_objects(verified):
            click.echo(dumps(each))
    else:
        click.echo(verified_text(verified))
    bad = verified.count(Judgement.FAILED)
    if not arguments["tolerant"]:
        bad += verified.count(Judgement.DENIED)
    return EXIT_CRASHES if bad else EXIT_OK


def _attacks(arguments: _Arguments) -> int:
    path, arch = arguments["profile"], machine_arch()
    profile = None if path is None else resolve(read_profile(path), arch)
    outcomes = attempt(profile, arch)
    needed = arguments["needed"]
    if arguments["as_json"]:
        for each in attack_objects(outcomes, needed):
            click.echo(dumps(each))
    else:
        click.echo(attacks_text(outcomes, str(path) if path is not None else "", needed))
    bad = profile is not None and any(outcome.got_through(needed) for outcome in outcomes)
    return EXIT_CRASHES if bad else EXIT_OK
