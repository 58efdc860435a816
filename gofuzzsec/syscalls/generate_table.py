"""Writes ``numbers.json``: system call numbers and names of amd64 and arm64.

Run with the ``unix`` folder of an unpacked ``golang.org/x/sys`` module, whose
``zsysnum_linux_*.go`` files are generated from Linux's own headers::

    go mod download -json golang.org/x/sys@v0.49.0     # prints "Dir"
    python -m gofuzzsec.syscalls.generate_table "$DIR/unix" > gofuzzsec/syscalls/numbers.json

They reach further than the headers a distribution installs (linux-libc-dev of Debian 12 ends at
450), which matters because a kernel newer than the headers runs calls the headers do not name.
Only names and numbers are taken.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

_CONSTANT = re.compile(r"^\s*SYS_([A-Z0-9_]+)\s*=\s*(\d+)\s*$", re.MULTILINE)

# Not a call: the first number the generic table leaves to architectures.
_NOT_CALLS = frozenset({"arch_specific_syscall"})

ARCHITECTURES = ("amd64", "arm64")


def parse_constants(text: str) -> dict[str, int]:
    """The ``SYS_NAME = number`` lines of a Go file, names in lower case as the kernel has them."""
    found = {name.lower(): int(number) for name, number in _CONSTANT.findall(text)}
    return {name: number for name, number in found.items() if name not in _NOT_CALLS}


def build(folder: Path) -> dict[str, object]:
    """The content of numbers.json from the module's ``unix`` folder. Raises OSError."""
    version = folder.resolve().parent.name.partition("@")[2] or "unknown version"
    tables: dict[str, object] = {"source": f"golang.org/x/sys {version}, unix/zsysnum_linux_*.go"}
    for arch in ARCHITECTURES:
        calls = parse_constants((folder / f"zsysnum_linux_{arch}.go").read_text("utf-8"))
        tables[arch] = dict(sorted(calls.items(), key=lambda item: item[1]))
    return tables


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: generate_table FOLDER (the unix folder of golang.org/x/sys)", file=sys.stderr)
        return 2
    print(json.dumps(build(Path(arguments[0])), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
