"""``gofuzzsec profile check``: does a profile allow all that the evidence needs?"""

from __future__ import annotations

from pathlib import Path

import click

from gofuzzsec.cli.common import here
from gofuzzsec.cli.profiles.machine import machine_options, read_resolved
from gofuzzsec.errors import EXIT_CRASHES, EXIT_OK
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.check import check_github, check_text, trouble_fields
from gofuzzsec.report.text import clean
from gofuzzsec.seccomp.check import Finding
from gofuzzsec.seccomp.check import check as check_profile
from gofuzzsec.seccomp.gathered import gather
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.table import ARCHITECTURES, machine_arch
from gofuzzsec.toolchain import find_go

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("profile", type=_FILE)
@click.option(
    "-c",
    "--campaign",
    "campaigns",
    type=_FOLDER,
    multiple=True,
    metavar="DIR",
    help="Campaign directory; repeatable. Default: as everywhere.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github", "json"]),
    default="text",
    show_default=True,
    help="text for people, github for annotations in a workflow, json for programs.",
)
@click.option(
    "--arch", type=click.Choice(ARCHITECTURES), help="Default: what the evidence was recorded on."
)
@machine_options
def check(
    profile: Path,
    campaigns: tuple[Path, ...],
    form: str,
    arch: str | None,
    caps: tuple[str, ...],
    kernel: str | None,
) -> None:
    """Say what PROFILE refuses of all that the campaign saw the program need, and for whom.

    PROFILE is in any format that `profile convert` reads. For each refused call: who needs it, by
    which input or test, and the line of the program's code that led there. Where the profile has
    conditions on arguments, those that the evidence knows are tried; a call whose arguments are
    not known well enough brings a warning.

    Exit status: 0 nothing needed is refused, 1 something is, 2 usage, 3 environment.
    """
    evidence = gather(
        campaigns or (here(None),),
        arch=arch,
        machine=machine_arch(),
        observe_baseline=lambda: runtime_baseline(find_go()),
    )
    resolved, assumed = read_resolved(profile, evidence.arch, caps, kernel)
    troubles = check_profile(resolved, evidence.pairs, evidence.arch, baseline=evidence.baseline)
    root, name = _repository(Path.cwd()), clean(str(profile))
    if form == "json":
        text = "\n".join(dumps(trouble_fields(each, evidence.arch, root)) for each in troubles)
    elif form == "github":
        text = check_github(troubles, name, evidence.arch, root)
    else:
        text = check_text(troubles, name, evidence.arch, root)
    if text:
        click.echo(text)
    for warning in filter(None, (assumed, *evidence.warnings)):
        click.echo(f"warning: {clean(warning)}", err=True)
    refused = any(each.finding is Finding.REFUSED for each in troubles)
    click.get_current_context().exit(EXIT_CRASHES if refused else EXIT_OK)


def _repository(folder: Path) -> Path:
    """The root of the work tree that *folder* is in, itself where it is in none."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
