"""``python -m gofuzzsec`` is ``gofuzzsec``."""

from __future__ import annotations

from gofuzzsec.cli import main

if __name__ == "__main__":
    main(prog_name="gofuzzsec")
