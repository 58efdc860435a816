"""Tables as aligned text: the same on a terminal, in a pipe and in a log, never cut or wrapped.

A rich table is as wide as the terminal and shortens cells to fit; a hash or a path that was
shortened cannot be copied. So lists are plain columns, as `kubectl` and `docker` print them.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from gofuzzsec.report.text import clean


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Columns two spaces apart under upper-case *headers*, lines ending without spaces.

    Cells are cleaned for a terminal and aligned by the columns they take up (an ideogram takes
    two). *right* holds the headers, separated by commas, of columns that align to the right; the
    last column is never padded. Every row must have as many cells as there are headers.
    """
    flush = {header.strip() for header in right.split(",")}
    lines = [[header.upper() for header in headers]]
    lines += [[clean(cell) for cell in row] for row in rows]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "  ".join(
            _pad(cell, width, header in flush)
            for cell, width, header in zip(line, widths, headers, strict=True)
        ).rstrip()
        for line in lines
    )


def fields(pairs: Sequence[tuple[str, str]]) -> str:
    """``name:  value`` lines with the values aligned and cleaned."""
    width = max((cell_len(name) for name, _ in pairs), default=0) + 1
    return "\n".join(f"{name + ':':<{width}} {clean(value)}".rstrip() for name, value in pairs)


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space
