"""The binary of a target that is in the store, for commands that run it again."""

from __future__ import annotations

from pathlib import Path

from gofuzzsec.store import TargetRow
from gofuzzsec.toolchain import build_fuzz_binary, find_go, list_packages, open_binary
from gofuzzsec.toolchain.model import FuzzBinary


def binary_of(target: TargetRow) -> FuzzBinary:
    """Open or build the fuzz binary of *target*, from the source as it is now.

    Raises ToolchainError, BuildError or UsageError when it is not to be had any more.
    """
    folder = Path(target.package_dir)
    if target.binary:
        return open_binary(Path(target.binary), folder)
    go = find_go(cwd=folder)
    (package,) = list_packages(go, ["."], folder)
    return build_fuzz_binary(go, package)
