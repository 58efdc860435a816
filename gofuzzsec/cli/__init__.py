"""The command line: one file a command, and nothing in them but the handling of arguments.

`main` is the click group behind both ``gofuzzsec`` and ``python -m gofuzzsec``.
"""

from __future__ import annotations

from gofuzzsec.cli.main import main

__all__ = ["main"]
