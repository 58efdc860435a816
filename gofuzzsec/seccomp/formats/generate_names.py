"""Writes ``names.json``: the names of system calls of all of Linux's architectures.

Profiles in use name calls of many architectures at once (``socketcall``, ``chown32``,
``s390_pci_mmio_read``), and runtimes pass over names that the running one does not have. To tell
such a name from a typing error takes all of them. Run as `syscalls.generate_table`, with the
``unix`` folder of an unpacked ``golang.org/x/sys`` module::

    go mod download -json golang.org/x/sys@v0.49.0     # prints "Dir"
    python -m gofuzzsec.seccomp.formats.generate_names "$DIR/unix" \\
        > gofuzzsec/seccomp/formats/names.json
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.syscalls.generate_table import parse_constants

ARM_PRIVATE = ("breakpoint", "cacheflush", "get_tls", "set_tls", "usr26", "usr32")
"""32-bit ARM's own calls, which stand in arch/arm's headers as ``__ARM_NR_*`` and are no ``SYS_``
constants; libseccomp knows them by these names."""

_NO_CALL = re.compile(r"(reserved|unused)\d+|arch_specific_syscall")


def build(folder: Path) -> dict[str, object]:
    """The content of names.json from the module's ``unix`` folder. Raises OSError."""
    version = folder.resolve().parent.name.partition("@")[2] or "unknown version"
    names = set(ARM_PRIVATE)
    for path in folder.glob("zsysnum_linux_*.go"):
        names |= parse_constants(path.read_text("utf-8")).keys()
    return {
        "source": f"golang.org/x/sys {version}, unix/zsysnum_linux_*.go; ARM's private calls",
        "names": sorted(name for name in names if not _NO_CALL.fullmatch(name)),
    }


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: generate_names FOLDER (the unix folder of golang.org/x/sys)", file=sys.stderr)
        return 2
    print(json.dumps(build(Path(arguments[0])), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
