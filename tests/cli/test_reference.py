"""The command reference in docs is the one the commands give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from gofuzzsec.cli import main
from gofuzzsec.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"

OF_FILES = {
    "gofuzzsec static",
    *(f"gofuzzsec profile {name}" for name in ("convert", "diff", "inspect", "lint", "merge")),
}
"""They look at the files they are given and nothing else."""


def commands(path: str, command: click.Command) -> dict[str, click.Command]:
    found = {path: command}
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            found |= commands(f"{path} {name}", inner)
    return found


def test_docs_commands_md_is_current() -> None:
    assert PAGE.read_text() == reference(), (
        "docs/commands.md is not what the commands say: "
        "run `python -m gofuzzsec.cli.reference > docs/commands.md`"
    )


def test_it_is_what_the_module_prints_at_any_width() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gofuzzsec.cli.reference"],
        env={"COLUMNS": "40"},
        cwd=PAGE.parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == reference()


def test_every_command_and_option_is_in_it_with_words() -> None:
    page = reference()
    for path, command in commands("gofuzzsec", main).items():
        assert f"## {path}\n" in page
        assert command.help
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, f"{path} {param.name}"
                assert f"`{param.opts[0]}" in page


def test_every_command_that_does_something_takes_a_campaign() -> None:
    for path, command in commands("gofuzzsec", main).items():
        if not isinstance(command, click.Group) and path not in OF_FILES:
            options = {name for param in command.params for name in param.opts}
            assert options & {"--campaign", "--evidence"}, path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_that_it_describes_works(shell: str) -> None:
    """Runs the program as a shell's completion does; the sourced script would call it so."""
    environment = {
        "_GOFUZZSEC_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "gofuzzsec corpus mi",
        "COMP_CWORD": "mi" if shell == "fish" else "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "gofuzzsec"],
        env=environment,
        cwd=PAGE.parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "minimize" in done.stdout
