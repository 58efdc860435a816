"""docs/commands.md, written from the commands themselves.

``python -m gofuzzsec.cli.reference`` prints it; the text depends on nothing but the commands (not
on the width of a terminal, nor on how some version of click lays out its help), so that a test can
compare it with the file byte for byte.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from gofuzzsec.cli.main import main

_HEAD = """\
# Commands

<!-- Written by `python -m gofuzzsec.cli.reference > docs/commands.md`; edit the commands. -->
"""

_COMPLETION = """\
## Shell completion

click provides it. For bash, put this line into `~/.bashrc`:

```sh
eval "$(_GOFUZZSEC_COMPLETE=bash_source gofuzzsec)"
```

For zsh, in `~/.zshrc`: `eval "$(_GOFUZZSEC_COMPLETE=zsh_source gofuzzsec)"`. For fish:
`_GOFUZZSEC_COMPLETE=fish_source gofuzzsec > ~/.config/fish/completions/gofuzzsec.fish`.

## Exit status

| status | meaning |
| --- | --- |
| 0 | nothing found; the command did what it was asked for |
| 1 | crashes found: by this run of `fuzz`, or again by `crashes replay` |
| 2 | usage: the command line, or a file it names, asks for something that cannot be |
| 3 | environment or build: Go, the build, a worker, the campaign database, the disk |
| any | `capture -- COMMAND` ends as the command does; 128 + n when signal n ended it |
| 130 | interrupted by Ctrl-C (a campaign that has begun ends with 0 or 1 instead) |
| 141 | the reader of the output went away |

A bug in gofuzzsec ends with status 3, too, and with a traceback, which nothing else prints: 1 must
not mean anything but crashes to a script.
"""


def reference() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, *(_section(path, command) for path, command in _walk("gofuzzsec", main))]
    return "\n".join([*parts, _COMPLETION])


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _walk(f"{path} {name}", inner)


def _section(path: str, command: click.Command) -> str:
    usage = [path, *_usage(command)]
    lines = [f"## {path}", "", "```", " ".join(usage), "```", ""]
    lines += [inspect.cleandoc(command.help or ""), ""]
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        lines += ["| option | meaning |", "| --- | --- |", *map(_row, options), ""]
    if isinstance(command, click.Group):
        lines += [
            f"- `{path} {name}`: {_first_sentence(inner)}"
            for name, inner in command.commands.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _first_sentence(command: click.Command) -> str:
    paragraph = inspect.cleandoc(command.help or "").partition("\n\n")[0].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."


def _usage(command: click.Command) -> Iterator[str]:
    if any(isinstance(param, click.Option) for param in command.params):
        yield "[OPTIONS]"
    for param in command.params:
        if isinstance(param, click.Argument):
            yield param.metavar or (param.name or "").upper()
    if isinstance(command, click.Group):
        yield "COMMAND"


def _row(option: click.Option) -> str:
    names = ", ".join(option.opts)
    value = "" if option.is_flag else f" {_metavar(option)}"
    needed = " Required." if option.required else ""
    default = f" Default: {option.default}." if option.show_default else ""
    cells = f"`{names}{value}`", f"{option.help or ''}{needed}{default}"
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return option.type.name.upper()


if __name__ == "__main__":
    click.echo(reference(), nl=False)
