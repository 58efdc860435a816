"""``gofuzzsec profile tighten``: an existing profile with what nobody needs taken out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

import click

from gofuzzsec import __version__
from gofuzzsec.binary import GoProgram
from gofuzzsec.cli.common import check_output, json_option, write_output
from gofuzzsec.cli.profiles.machine import machine_options, read_resolved
from gofuzzsec.cli.profiles.options import fit_name, output_option
from gofuzzsec.cli.profiles.programs import children_known, program_options
from gofuzzsec.coordinator.reached import bounds_of
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.tighten import sentence, tightened_fields, tightened_text
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.arguments import LEVELS, Level
from gofuzzsec.seccomp.check import check
from gofuzzsec.seccomp.formats import FORMS, guess_form, parse_profile, write_profile
from gofuzzsec.seccomp.gathered import Gathered, gather
from gofuzzsec.seccomp.model import Profile, Provenance
from gofuzzsec.seccomp.provenance import provenance_of
from gofuzzsec.seccomp.tighten import Tightened, Unseen, Wish
from gofuzzsec.seccomp.tighten import tighten as tighten_profile
from gofuzzsec.store import Store
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch
from gofuzzsec.toolchain import find_go

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)

_NO_ARGUMENTS = "systemd knows no conditions on arguments: none were narrowed (--args none)"


class _Arguments(TypedDict):
    """What click passes to `tighten`, by parameter name."""

    existing: Path
    campaigns: tuple[Path, ...]
    binaries: tuple[Path, ...]
    children: tuple[Path, ...]
    no_children: bool
    unseen: str
    args: Level
    add_missing: bool
    output: Path
    form: str | None
    arch: str | None
    caps: tuple[str, ...]
    kernel: str | None
    as_json: bool


@click.command()
@click.argument("existing", type=_FILE)
@click.option(
    "--evidence",
    "campaigns",
    type=_FOLDER,
    multiple=True,
    required=True,
    metavar="CAMPAIGN",
    help="Campaign directory; repeatable.",
)
@program_options
@click.option(
    "--unseen",
    type=click.Choice([each.value for each in Unseen]),
    default=Unseen.KEEP.value,
    show_default=True,
    help="What becomes of calls that are possible and were never seen.",
)
@click.option(
    "--args",
    type=click.Choice(LEVELS),
    default="safe",
    show_default=True,
    help="Narrow arguments to what was seen: where that is known to be robust, wherever the "
    "evidence allows it, or nowhere.",
)
@click.option(
    "--add-missing",
    is_flag=True,
    help="Allow what the evidence needs and EXISTING refuses, with the values that were seen.",
)
@output_option
@click.option(
    "--to",
    "form",
    type=click.Choice(FORMS),
    help="Format of the new profile. Default: that of EXISTING.",
)
@click.option(
    "--arch", type=click.Choice(ARCHITECTURES), help="Default: what the evidence was recorded on."
)
@machine_options
@json_option
def tighten(**arguments: Unpack[_Arguments]) -> None:
    """Take out of the EXISTING profile what neither evidence nor code needs, and say why.

    Every call that it lets through is needed (the evidence, the Go runtime, the container runtime
    or the kernel shows it), possible (code of the programs given by --binary can make it, or nobody
    can tell), or impossible. Impossible ones go; --unseen says what becomes of possible ones; of
    needed ones only the arguments that were seen stay. Without --binary, with one whose static
    bound is open, or that can start others (--child, --no-children), nothing is impossible.

    The result never allows what EXISTING refuses, but for --add-missing; its default action stays.
    The table of changes goes to standard output, or to standard error with -o -.
    """
    existing, output = arguments["existing"], arguments["output"]
    known = children_known(arguments["children"], no_children=arguments["no_children"])
    if output != Path("-"):
        check_output(output)
    evidence = gather(
        arguments["campaigns"],
        arch=arguments["arch"],
        machine=machine_arch(),
        observe_baseline=lambda: runtime_baseline(find_go()),
    )
    arch = evidence.arch
    profile, assumed = read_resolved(existing, arch, arguments["caps"], arguments["kernel"])
    content = existing.read_bytes()
    form = arguments["form"] or guess_form(content.decode("utf-8", "replace"))
    plain = form == "systemd" and arguments["args"] != "none"
    wish = Wish(
        bounds=tuple(bounds_of([*arguments["binaries"], *arguments["children"]])),
        children_known=known,
        unseen=Unseen(arguments["unseen"]),
        args="none" if plain else arguments["args"],
        add_missing=arguments["add_missing"],
    )
    result = tighten_profile(profile, evidence.pairs, arch, wish, baseline=evidence.baseline)
    told = sentence(result, [str(each) for each in evidence.campaigns])
    provenance = _provenance(existing, content, evidence.campaigns, arguments["binaries"], told)
    tightened = replace(result.profile, provenance=provenance)
    if form != "oci":
        tightened = replace(tightened, name=tightened.name or fit_name(existing.stem))
    written = write_profile(tightened, form)
    write_output(output, written.text)
    if arguments["as_json"]:
        text = "\n".join(dumps(fields) for fields in tightened_fields(result, arch))
    else:
        text = tightened_text(result, str(existing), arch)
    click.echo(text, err=output == Path("-"))
    warnings = [assumed, *evidence.warnings]
    warnings += dict.fromkeys(
        f"the static bound is right if this is: {text}"
        for bound in wish.bounds
        for text in bound.assumes
    )
    warnings += [_NO_ARGUMENTS] if plain else []
    warnings += [f"{form} has no place for: {loss}" for loss in written.losses]
    warnings += _lost(parse_profile(written.text, form, str(output)), result, evidence)
    for warning in filter(None, warnings):
        click.echo(f"warning: {clean(warning)}", err=True)


def _lost(written: Profile, result: Tightened, evidence: Gathered) -> list[str]:
    """What the file refuses although it is needed, because its format cannot say better."""
    known = {each.name for each in result.missing}
    found = check(written, evidence.pairs, evidence.arch, baseline=evidence.baseline)
    names = {each.name for each in found} - known
    told = ", ".join(sorted(names))
    return [f"THE RESULT REFUSES WHAT IS NEEDED, for want of words: {told}"] if names else []


def _provenance(
    existing: Path,
    content: bytes,
    campaigns: Sequence[Path],
    programs: Sequence[Path],
    told: str,
) -> Provenance:
    """Where the result comes from: the profile, by content, and all evidence."""
    digest = hashlib.sha256(content).hexdigest()[:16]
    found = {
        ("tool", f"gofuzzsec {__version__}"): None,
        ("tightened-from", clean(f"{existing.name} (SHA-256 {digest})")): None,
    }
    opened = [GoProgram.read(path) for path in programs]
    for folder in campaigns:
        with Store.open_readonly(folder) as store:
            targets = store.targets(programs=True)
            found |= dict.fromkeys(provenance_of(store, targets, opened, told, os.environ).entries)
    return Provenance(tuple(found))
