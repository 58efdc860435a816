"""``gofuzzsec profile build``: a seccomp profile from what a campaign recorded."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack

import click

from gofuzzsec.binary import GoProgram
from gofuzzsec.cli.common import (
    build_options,
    campaign_option,
    captured,
    read_store,
    target_option,
    write_output,
)
from gofuzzsec.cli.profiles.options import fit_name, output_option
from gofuzzsec.coordinator.completing import completeness_of
from gofuzzsec.coordinator.reached import reached
from gofuzzsec.coordinator.rebuild import BuildChoice
from gofuzzsec.report.evidence import profile_reasons, profile_summary
from gofuzzsec.report.profiles.build import (
    argument_text,
    completeness_text,
    ruled_text,
    steered_text,
    unseen_text,
)
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp import BuiltProfile, build_profile, document
from gofuzzsec.seccomp.arguments import LEVELS, ArgumentRule, Level, argument_rules, unruled
from gofuzzsec.seccomp.campaign import CampaignEvidence, campaign_evidence
from gofuzzsec.seccomp.completeness import Completeness
from gofuzzsec.seccomp.formats import FORMS, write_profile
from gofuzzsec.seccomp.provenance import provenance_of
from gofuzzsec.seccomp.steer import answer, steered, without
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.oci import OCI_RUNTIME_CALLS
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch
from gofuzzsec.toolchain import find_go

_WITHOUT_ARGUMENTS = ("systemd",)


class _Arguments(TypedDict):
    """What click passes to `build`, by parameter name."""

    campaign: Path | None
    target: str | None
    output: Path
    form: str
    name: str | None
    arch: str | None
    level: Level
    static: bool
    binaries: tuple[Path, ...]
    explain: bool
    tags: str
    race: bool
    go: str | None


@click.command()
@campaign_option
@target_option
@output_option
@click.option(
    "--to",
    "form",
    type=click.Choice(FORMS),
    default="oci",
    show_default=True,
    help="Format of the profile; what it has no place for is warned of.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the operator's resource or of the unit. Default: the package's, made fit.",
)
@click.option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    help="Architecture of the profile. Default: the one that everything was recorded on, else this "
    "machine's; another one brings a warning.",
)
@click.option(
    "--args",
    "level",
    type=click.Choice(LEVELS),
    default="safe",
    show_default=True,
    help="Let calls through only with the deciding arguments that were seen: where that is known "
    "to be robust, wherever the evidence has few values, or nowhere.",
)
@click.option(
    "--static/--no-static",
    default=True,
    show_default=True,
    help="Look into the fuzz binaries for calls that they could make and were never seen to. Takes "
    "seconds the first time; what cannot be looked into is warned of.",
)
@click.option(
    "--binary",
    "binaries",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="PROGRAM",
    help="A Go program that will run under the profile: what was never seen is counted against "
    "what it can do, not against the fuzz tests. Repeatable.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Also print why each call is allowed, each rule on arguments with the values seen, and "
    "each call that is reachable and was never seen, with the way there.",
)
@build_options
def build(**arguments: Unpack[_Arguments]) -> None:
    """Write a seccomp profile that allows what was recorded.

    Allowed is what inputs, hand-written tests and captured integration runs made, what the Go
    runtime makes by itself, and what a container runtime needs to start the program; everything
    else is refused with EPERM.
    How many calls each of these accounts for, how much of what the code can do was seen, an
    estimate of what more fuzzing would show, and every doubt about the evidence are printed on
    standard error: read the warnings before you deploy (docs/profiles.md, docs/completeness.md).
    """
    form = arguments["form"]
    with read_store(arguments["campaign"]) as store:
        targets = captured(store, arguments["target"])
        evidence = _evidence(arguments, store, targets)
        built = _built(evidence)
        found = _completeness(arguments, store, targets, evidence, built)
        programs = [GoProgram.read(path) for path in arguments["binaries"]]
        provenance = provenance_of(store, targets, programs, found.sentence(), os.environ)
    ruling = _ruling(evidence, built, arguments["level"], form)
    steering = steered(built, evidence.rows, ruling.rules)
    built = without(built, steering)
    profile = answer(document(built, ruling.rules, provenance), steering)
    if form != "oci":
        profile = replace(profile, name=arguments["name"] or _name(targets))
    written = write_profile(profile, form)
    write_output(arguments["output"], written.text)
    if arguments["explain"]:
        reasons = argument_text(ruling.rules, ruling.unruled, built.names)
        for text in filter(None, (profile_reasons(built), reasons, unseen_text(found))):
            click.echo(text, err=True)
    click.echo(profile_summary(built, evidence.rows, evidence.baseline), err=True)
    told = (ruled_text(ruling.rules, built.names), steered_text(steering), completeness_text(found))
    for text in filter(None, told):
        click.echo(text, err=True)
    losses = [f"{form} has no place for: {loss}" for loss in written.losses]
    for warning in (*built.warnings, *evidence.warnings, *ruling.warnings, *losses):
        click.echo(f"warning: {clean(warning)}", err=True)


def _evidence(arguments: _Arguments, store: Store, targets: list[TargetRow]) -> CampaignEvidence:
    return campaign_evidence(
        store,
        targets,
        arch=arguments["arch"],
        machine=machine_arch(),
        observe_baseline=lambda: runtime_baseline(find_go(arguments["go"])),
    )


def _built(evidence: CampaignEvidence) -> BuiltProfile:
    return build_profile(
        evidence.rows,
        baseline=evidence.baseline,
        oci=OCI_RUNTIME_CALLS,
        arch=evidence.arch,
        unrecorded=evidence.unrecorded,
        incomplete=evidence.incomplete,
    )


def _completeness(
    arguments: _Arguments,
    store: Store,
    targets: list[TargetRow],
    evidence: CampaignEvidence,
    built: BuiltProfile,
) -> Completeness:
    choice = BuildChoice(arguments["tags"], arguments["race"], arguments["go"])
    return completeness_of(
        store,
        targets,
        evidence,
        allowed=built.names,
        look=(lambda target: reached(store, [target], choice)) if arguments["static"] else None,
        programs=arguments["binaries"],
    )


@dataclass(frozen=True, slots=True)
class _Ruling:
    """The rules on arguments, and by call why others have none."""

    rules: dict[str, ArgumentRule]
    unruled: dict[str, str]
    warnings: tuple[str, ...] = ()


def _ruling(evidence: CampaignEvidence, built: BuiltProfile, level: Level, form: str) -> _Ruling:
    told = {row.name for row in evidence.rows if row.source == "baseline"}
    untold = evidence.baseline - told
    rules = argument_rules(evidence.rows, built.arch, level, untold=untold)
    why = unruled(evidence.rows, built.arch, level, untold=untold)
    names = ", ".join(name for name in rules if name in built.names)
    if form not in _WITHOUT_ARGUMENTS or not names:
        return _Ruling(rules, why)
    # Refusing such a call altogether, as the writer of the format does, would break the program.
    lost = f"{form} has no rules on arguments: allowed with any are {names}"
    return _Ruling({}, why | dict.fromkeys(rules, f"{form} has no rules on arguments"), (lost,))


def _name(targets: list[TargetRow]) -> str:
    """The last part of an import path, made fit."""
    return fit_name(targets[0].import_path.rpartition("/")[2] if targets else "")
