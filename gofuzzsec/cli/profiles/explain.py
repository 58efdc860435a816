"""``gofuzzsec profile explain``: why a system call is needed, or is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TypedDict, Unpack

import click

from gofuzzsec.cli.common import (
    build_options,
    campaign_option,
    captured,
    here,
    json_option,
    read_store,
    target_option,
)
from gofuzzsec.cli.profiles.machine import machine_options, read_resolved
from gofuzzsec.cli.profiles.programs import children_known, program_options
from gofuzzsec.coordinator.explaining import Question, answer, check_names
from gofuzzsec.coordinator.rebuild import BuildChoice
from gofuzzsec.errors import ToolchainError
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.explain import explanation_fields, explanation_text
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.campaign import campaign_evidence
from gofuzzsec.seccomp.reproduce import Tools
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.table import machine_arch
from gofuzzsec.toolchain import find_go


class _Arguments(TypedDict):
    """What click passes to `explain`, by parameter name."""

    syscalls: tuple[str, ...]
    profile: Path | None
    campaign: Path | None
    target: str | None
    binaries: tuple[Path, ...]
    children: tuple[Path, ...]
    no_children: bool
    caps: tuple[str, ...]
    kernel: str | None
    as_json: bool
    tags: str
    race: bool
    go: str | None


@click.command()
@click.argument("syscalls", nargs=-1, metavar="[SYSCALL]...")
@click.option(
    "--profile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Say what this profile does with each call; without SYSCALL, explain all that it allows.",
)
@campaign_option
@target_option
@program_options
@machine_options
@json_option
@build_options
def explain(**arguments: Unpack[_Arguments]) -> None:
    """Say why each SYSCALL is needed, possible or impossible; without one, all that are needed.

    Of what was seen: who made it (tests, seeds, fuzzing, an integration run, the Go runtime), the
    way there in the code, the input that showed it first, how often and with which outcomes, and a
    command that shows it again. Of what was not seen: whether code that makes it is in the fuzz
    test (or in the programs given by --binary), by which way, and how far the inputs came on it.
    """
    names = tuple(name.strip() for name in arguments["syscalls"])
    arch = machine_arch()
    with read_store(arguments["campaign"]) as store:
        targets = captured(store, arguments["target"])
        evidence = campaign_evidence(
            store,
            targets,
            arch=None,
            machine=arch,
            observe_baseline=lambda: runtime_baseline(find_go(arguments["go"])),
        )
        check_names(names, evidence.arch)
        profile, assumed = None, ""
        if arguments["profile"] is not None:
            profile, assumed = read_resolved(
                arguments["profile"], evidence.arch, arguments["caps"], arguments["kernel"]
            )
        question = Question(
            names,
            profile,
            (*arguments["binaries"], *arguments["children"]),
            children_known(arguments["children"], no_children=arguments["no_children"]),
            BuildChoice(arguments["tags"], arguments["race"], arguments["go"]),
        )
        campaign = here(arguments["campaign"]).absolute()
        tools = Tools(campaign, _go(arguments["go"]), arguments["tags"])
        found = answer(question, store, targets, evidence, tools)
    if arguments["as_json"]:
        click.echo("\n".join(dumps(explanation_fields(call)) for call in found.calls))
    else:
        modules = {each.module_path for each in targets}
        shown = (explanation_text(call, evidence.arch, modules) for call in found.calls)
        click.echo("\n\n".join(shown))
    for doubt in filter(None, (assumed, *evidence.warnings, *found.doubts)):
        click.echo(f"warning: {clean(doubt)}", err=True)


def _go(given: str | None) -> str:
    """The go command as a shell finds it."""
    if given is None and shutil.which("go"):
        return "go"
    try:
        return str(find_go(given).path)
    except ToolchainError:
        return given or "go"  # nothing here runs it; whoever does will see
