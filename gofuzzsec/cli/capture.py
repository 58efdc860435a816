"""``gofuzzsec capture``: which system calls a program, a function or a package's tests make."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click

from gofuzzsec.cli.common import campaign_option, check_output, here, write_output
from gofuzzsec.cli.params import checked, parse_duration
from gofuzzsec.coordinator.capturing.command import capture_command
from gofuzzsec.coordinator.capturing.keep import check_store, keep_command, keep_tests
from gofuzzsec.coordinator.capturing.launch import exit_status
from gofuzzsec.coordinator.capturing.model import Captured, CommandOptions, SuiteOptions
from gofuzzsec.coordinator.capturing.suites import capture_tests
from gofuzzsec.errors import EXIT_OK, GofuzzsecError
from gofuzzsec.privilege import drop_to_invoker, require_writable
from gofuzzsec.report.capture import capture_objects, capture_text
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.text import clean_block

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


class _Arguments(TypedDict):
    """What click passes to `capture`, by parameter name."""

    words: tuple[str, ...]
    functions: tuple[str, ...]
    binary: Path | None
    tests: bool
    by_test: bool
    run: str | None
    tree: bool
    as_json: bool
    interval: float | None
    output: Path | None
    recorder: str
    campaign: Path | None
    no_store: bool
    as_root: bool
    tags: str
    go: str | None


class _CaptureCommand(click.Command):
    """Options behind the first word are the captured command's own; with --tests there is none."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_interspersed_args = False
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        ctx.allow_interspersed_args = bool(given.get("tests"))
        return super().parse_args(ctx, args)


@click.command(cls=_CaptureCommand)
@click.argument("words", nargs=-1, metavar="[--] COMMAND... | --tests PACKAGE...")
@click.option(
    "-f",
    "--function",
    "functions",
    multiple=True,
    metavar="SYMBOL",
    help="Only what is called while this function runs: its full name, the end of it where that is "
    "unambiguous, or a glob such as 'example.org/m.*'. May be given several times; at most 64 "
    "functions are watched at a time. Default: the whole process and all that it starts.",
)
@click.option(
    "--binary",
    type=_FILE,
    metavar="FILE",
    help="The Go program, when COMMAND is a script or another program that starts it.",
)
@click.option(
    "--tests", is_flag=True, help="Build and run the tests of each PACKAGE instead of a command."
)
@click.option(
    "--function-by-function",
    "by_test",
    is_flag=True,
    help="With --tests: tell apart what each test function does.",
)
@click.option(
    "--run",
    "-run",
    metavar="REGEX",
    help="With --tests: only tests and examples that match, as `go test -run`.",
)
@click.option("--tree", is_flag=True, help="Print the call paths that lead to the calls as a tree.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/capture.md).")
@click.option(
    "--interval",
    metavar="TIME",
    callback=checked(parse_duration),
    help="Also print what is known so far every so often, for programs that do not end.",
)
@click.option(
    "-o",
    "--output",
    type=_OUTPUT,
    metavar="FILE",
    help="Where to write the report; - is standard output. Default: standard error for a command, "
    "whose standard output stays its own, and standard output with --tests.",
)
@click.option(
    "--recorder",
    type=click.Choice(["auto", "bpf", "strace"]),
    default="auto",
    show_default=True,
    help="What sees the calls: bpf needs root; strace knows no functions and slows the program "
    "down; auto is bpf, or strace where that cannot be had and no function is asked for.",
)
@campaign_option
@click.option("--no-store", is_flag=True, help="Do not keep the capture in the campaign.")
@click.option(
    "--as-root",
    is_flag=True,
    help="Under sudo, run the command or the tests as root too, not as the user who called sudo.",
)
@click.option("--tags", metavar="LIST", default="", help="With --tests: build tags.")
@click.option("--go", metavar="PATH", help="The go command, as given to fuzz.")
def capture(**arguments: Unpack[_Arguments]) -> None:
    """Run a command, or the tests of packages, and report the system calls it makes.

    The command keeps its standard streams, environment, working directory and signals. The report
    comes when it has ended: which calls, with what arguments, how they ended, who made them and
    from where. What is captured goes into the campaign as evidence, so that `profile build` allows
    it. Any program will do; -f takes a Go program, with or without its symbol table. Functions that
    the compiler inlined elsewhere are named, with how to build without that.

    Exit status: that of the command, 128 + n when signal n ended it; 2 and 3 as always when it was
    not started. With --tests: 0, or 1 when tests failed.
    """
    _check(arguments)
    if not arguments["as_root"]:
        drop_to_invoker()
    output = arguments["output"]
    if output is not None and output != Path("-"):
        check_output(output)
    if not arguments["no_store"]:
        folder = here(arguments["campaign"])
        require_writable(folder)
        check_store(folder)
    click.get_current_context().exit(
        _tests(arguments) if arguments["tests"] else _command(arguments)
    )


def _check(arguments: _Arguments) -> None:
    """Refuse what does not go together, as click would."""
    tests = arguments["tests"]
    if not arguments["words"] and not tests:
        raise click.UsageError("expected a command, or --tests and packages; found neither")
    by_test, functions = arguments["by_test"], arguments["functions"]
    interval = arguments["interval"]
    for wrong, text in (
        (arguments["tree"] and arguments["as_json"], "--tree and --json exclude each other"),
        (tests and arguments["binary"] is not None, "--binary is for a command, not for --tests"),
        (tests and interval is not None, "--interval is for a command, not for --tests"),
        (not tests and by_test, "--function-by-function needs --tests"),
        (not tests and arguments["run"] is not None, "--run needs --tests"),
        (by_test and functions, "-f and --function-by-function exclude each other"),
        (interval is not None and interval <= 0, "--interval has to be above zero"),
    ):
        if wrong:
            raise click.UsageError(text)


def _command(arguments: _Arguments) -> int:
    folder = here(arguments["campaign"])
    options = CommandOptions(
        command=arguments["words"],
        functions=arguments["functions"],
        binary=arguments["binary"],
        recorder=arguments["recorder"],
        interval=arguments["interval"],
        go=arguments["go"],
    )
    captured = capture_command(options, lambda so_far: _show(arguments, [so_far]))
    assert captured.status is not None  # it has ended
    status = exit_status(captured.status)
    if not arguments["no_store"]:
        try:
            keep_command(folder, captured)
        except GofuzzsecError as error:
            # The command has run: its own status matters more, unless that would hide this.
            click.echo(f"gofuzzsec: error: {clean_block(str(error))}", err=True)
            status = status or error.exit_status
    _show(arguments, [captured])
    return status


def _tests(arguments: _Arguments) -> int:
    folder = here(arguments["campaign"])
    options = SuiteOptions(
        packages=arguments["words"] or (".",),
        functions=arguments["functions"],
        by_test=arguments["by_test"],
        run=arguments["run"],
        recorder=arguments["recorder"],
        tags=arguments["tags"],
        go=arguments["go"],
    )
    done: list[Captured] = []
    try:
        for package, label, captured in capture_tests(options, Path.cwd()):
            done.append(captured)
            if captured.status != 0:
                click.echo(clean_block(captured.output), err=True)
            if not arguments["no_store"]:
                keep_tests(folder, package, label, captured)
    finally:  # one package that does not build takes nothing away from those before it
        if done:
            _show(arguments, done)
    return 1 if any(captured.status != 0 for captured in done) else EXIT_OK


def _show(arguments: _Arguments, captures: list[Captured]) -> None:
    """Print the report, or replace the file with it."""
    if arguments["as_json"]:
        lines = [dumps(each) for captured in captures for each in capture_objects(captured)]
        text = "\n".join(lines) + "\n"
    else:
        shown = [capture_text(captured, tree=arguments["tree"]) for captured in captures]
        text = "\n\n".join(shown) + "\n"
    output = arguments["output"]
    if output is None:
        click.echo(text, nl=False, err=not arguments["tests"])
    else:
        write_output(output, text)
