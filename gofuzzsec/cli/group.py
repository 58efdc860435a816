"""How a command ends: messages instead of tracebacks, and the exit statuses that are documented.

click alone would not do: it ends with status 1 on Ctrl-C, on a closed pipe and on its own general
errors, and Python does on a bug, while here 1 means that crashes were found.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from gofuzzsec.errors import EXIT_ENVIRONMENT, EXIT_OK, EXIT_USAGE, GofuzzsecError
from gofuzzsec.report.text import clean, clean_block

EXIT_INTERRUPTED = 130
EXIT_PIPE = 141
"""128 plus the number of SIGINT and of SIGPIPE, as shells report them."""


class MainGroup(click.Group):
    """The top group; sub-groups are ordinary ones, because only this one's `main` is called."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, print what went wrong and exit the interpreter; return only if not standalone."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            status = super().main(args, prog_name, complete_var, False, **extra)
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001  every way to end has its own status
            sys.exit(_explain(error))
        sys.exit(status if isinstance(status, int) else EXIT_OK)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader of our output that went away ends it in silence."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _forget_output()
            ctx.exit(EXIT_PIPE)


def _explain(error: Exception) -> int:
    """Print *error* on standard error in the form it deserves; the exit status."""
    match error:
        case click.UsageError():
            error.show()
            return EXIT_USAGE
        case click.ClickException():
            _print(error.format_message())
            return EXIT_USAGE
        case click.Abort():
            _print("interrupted")
            return EXIT_INTERRUPTED
        case GofuzzsecError():
            _print(str(error))
            return error.exit_status
        case BrokenPipeError():
            _forget_output()
            return EXIT_PIPE
        case OSError():
            where = f": {clean(str(error.filename))}" if error.filename is not None else ""
            _print(f"{error.strerror or error}{where}")
            return EXIT_ENVIRONMENT
        case _:
            click.echo(clean_block("".join(traceback.format_exception(error))), err=True)
            _print("this is a bug in gofuzzsec; please report it with the lines above")
            return EXIT_ENVIRONMENT


def _print(message: str) -> None:
    click.echo(f"gofuzzsec: error: {clean_block(message)}", err=True)


def _forget_output() -> None:
    """Point standard output at nothing, so that Python's last flush has nowhere to fail."""
    with contextlib.suppress(OSError, ValueError):  # no real file descriptor: nothing to flush to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
