"""How commands end: statuses, messages, and nothing hostile on the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from gofuzzsec.cli.group import MainGroup
from gofuzzsec.errors import BuildError, StoreError, UsageError


def run(raised: BaseException | None, *args: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command that raises *raised*."""

    @click.group(cls=MainGroup)
    def group() -> None:
        pass

    @group.command()
    def work() -> None:
        click.echo("working")
        if raised is not None:
            raise raised

    result = CliRunner().invoke(group, args or ("work",), prog_name="gofuzzsec")
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (UsageError("expected a, found b"), 2, "gofuzzsec: error: expected a, found b\n"),
        (StoreError("busy"), 3, "gofuzzsec: error: busy\n"),
        (
            BuildError("m does not build", "./m.go:3: \x1b[31mundefined: x"),
            3,
            "gofuzzsec: error: m does not build\n./m.go:3: \\x1b[31mundefined: x\n",
        ),
        (
            OSError(28, "No space left on device", "/x\x07y"),
            3,
            "gofuzzsec: error: No space left on device: /x\\x07y\n",
        ),
        (OSError("odd"), 3, "gofuzzsec: error: odd\n"),
        (click.ClickException("no"), 2, "gofuzzsec: error: no\n"),
        (KeyboardInterrupt(), 130, "\ngofuzzsec: error: interrupted\n"),
    ],
)
def test_known_errors_are_one_message_with_their_status(
    error: BaseException, status: int, text: str
) -> None:
    assert run(error) == (status, "working\n", text)


def test_a_bug_keeps_its_traceback_and_is_not_taken_for_a_crash_found() -> None:
    status, _, text = run(ZeroDivisionError("a \x1b bug"))
    assert status == 3
    assert "Traceback" in text and "ZeroDivisionError: a \\x1b bug" in text
    assert text.endswith("please report it with the lines above\n")


def test_a_command_line_that_is_wrong_shows_the_usage() -> None:
    status, _, text = run(None, "nothing")
    assert status == 2
    assert text.startswith("Usage: gofuzzsec")
    assert "No such command" in text


def test_success_and_the_status_a_command_chooses() -> None:
    assert run(None) == (0, "working\n", "")
    assert run(click.exceptions.Exit(1)) == (1, "working\n", "")


def test_a_caller_in_python_gets_exceptions() -> None:
    @click.group(cls=MainGroup)
    def group() -> None:
        pass

    @group.command()
    def work() -> None:
        raise StoreError("busy")

    with pytest.raises(StoreError):
        group.main(["work"], standalone_mode=False)


def test_a_reader_that_goes_away_ends_the_command_in_silence() -> None:
    program = (
        "import click\n"
        "from gofuzzsec.cli.group import MainGroup\n"
        "@click.group(cls=MainGroup)\n"
        "def group(): pass\n"
        "@group.command()\n"
        "def work():\n"
        "    for _ in range(100000): click.echo('x' * 100)\n"
        "group()\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, "work"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_output_that_the_encoding_lacks_is_escaped() -> None:
    program = (
        "import click\n"
        "from gofuzzsec.cli.group import MainGroup\n"
        "@click.group(cls=MainGroup)\n"
        "def group(): pass\n"
        "@group.command()\n"
        "def work(): click.echo('\\xe4 \\u4e16 \\udc80')\n"
        "group()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "work"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xe4 \\u4e16 \\udc80\n", b"")
