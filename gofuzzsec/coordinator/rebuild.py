"""The binary of a target that is in the store, for commands that run it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.store import TargetRow
from gofuzzsec.toolchain import (
    build_boosted,
    build_fuzz_binary,
    find_go,
    list_packages,
    open_binary,
)
from gofuzzsec.toolchain.model import FuzzBinary


@dataclass(frozen=True, slots=True)
class BuildChoice:
    """How to build, as the campaign was told: ``go`` is the command's path, None to look for it."""

    tags: str = ""
    race: bool = False
    go: str | None = None


DEFAULT_BUILD = BuildChoice()


def binary_of(target: TargetRow, choice: BuildChoice, *, boosted: bool = False) -> FuzzBinary:
    """Open or build the fuzz binary of *target*, from the source as it is now.

    A *boosted* one is a stock one where it cannot be had. Raises ToolchainError, BuildError or
    UsageError when there is none any more.
    """
    folder = Path(target.package_dir)
    if target.binary:
        return open_binary(Path(target.binary), folder)
    go = find_go(choice.go, folder)
    pattern = target.import_path if target.external else "."
    (package,) = list_packages(go, [pattern], folder, tags=choice.tags)
    if boosted:
        return build_boosted(go, package, tags=choice.tags, race=choice.race)[0]
    return build_fuzz_binary(go, package, tags=choice.tags, race=choice.race)
