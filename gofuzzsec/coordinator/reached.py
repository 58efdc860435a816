"""What the code of a campaign's targets can do, and how much of it the kept inputs ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.counters import counters_of
from gofuzzsec.coordinator.rebuild import DEFAULT_BUILD, BuildChoice, binary_of
from gofuzzsec.coverage import unpack
from gofuzzsec.errors import BinaryError, GofuzzsecError
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.syscalls.attribution import package_of
from gofuzzsec.syscalls.bound import Bound, static_bound
from gofuzzsec.toolchain.cache import lookup


@dataclass(frozen=True, slots=True)
class Reached:
    """``bounds`` are the static bounds from the fuzz tests. ``cover`` says of each function with
    edge counters how many of them some kept input reached, and how many it has (of the fuzz binary
    where most were). ``problems`` say what is missing, and why, each one line."""

    bounds: tuple[Bound, ...]
    cover: dict[str, tuple[int, int]]
    problems: tuple[str, ...]


def reached(
    store: Store, targets: Sequence[TargetRow], choice: BuildChoice = DEFAULT_BUILD
) -> Reached:
    """Of the fuzz tests among *targets*, in the binaries that the campaign last ran; one that is
    not kept any more is opened or built from the source as it is now. A target that this cannot be
    done for becomes a problem. Raises StoreError."""
    bounds: list[Bound] = []
    cover: dict[str, tuple[int, int]] = {}
    problems: list[str] = []
    for target in targets:
        if not target.name:
            continue
        try:
            path, key = _binary(store, target, choice)
            program = GoProgram.read(path)
            bounds.append(static_bound(program, roots_of(program, target)))
            seen, problem = _covered(store, target, key)
            if seen is not None:
                _add(cover, program, seen)
        except (GofuzzsecError, OSError) as error:
            problem = str(error).partition("\n")[0]
        if problem:
            problems.append(f"{target.full_name}: {problem}")
    return Reached(tuple(bounds), cover, tuple(problems))


def _binary(store: Store, target: TargetRow, choice: BuildChoice) -> tuple[Path, str]:
    """A fuzz binary of *target* and its key. Raises what `binary_of` raises."""
    for build in reversed(store.builds(target.id)):
        if kept := lookup(build.key):
            return kept[0], build.key
    built = binary_of(target, choice, boosted=True)
    return built.path, built.key


def bounds_of(programs: Sequence[Path]) -> list[Bound]:
    """The static bound of each of *programs*, from its start. Raises BinaryError."""
    return [static_bound(path) for path in programs]


def roots_of(program: GoProgram, target: TargetRow) -> list[str]:
    """The fuzz test's function, which may be of the external test package. Raises BinaryError."""
    packages = (target.import_path, f"{target.import_path}_test")
    found = [
        function.name
        for function in program.functions.matching(f"*.{target.name}")
        if package_of(function.name) in packages
    ]
    if not found:
        raise BinaryError(
            f"expected {target.name} in {program.path}, found no such function: does the package "
            "still have it?"
        )
    return found


def _covered(store: Store, target: TargetRow, key: str) -> tuple[set[int] | None, str]:
    """The counters that any kept input reached in the build *key*, None when none was run with it;
    what is not known."""
    seen: set[int] = set()
    current = other = 0
    for row in store.inputs(target.id):
        if row.build_key == key:
            current += 1
            seen.update(np.unique(unpack(row.coverage) >> 3).tolist())
        else:
            other += 1
    if not current:
        return None, (
            "no kept input was run in the binary as it is built now, so nothing tells which "
            "functions ran; fuzz again (or say --tags, --race and --go as then)"
        )
    stale = f"{other} of {current + other} kept inputs were run in another build only"
    return seen, stale if other else ""


def _add(cover: dict[str, tuple[int, int]], program: GoProgram, seen: set[int]) -> None:
    counters = counters_of(program)
    found: dict[str, list[int]] = {}
    for index, function in enumerate(counters.functions):
        entry = found.setdefault(function, [0, 0])
        entry[0] += index in seen
        entry[1] += 1
    for function, (covered, total) in found.items():
        if function and covered >= cover.get(function, (0, 0))[0]:
            cover[function] = (covered, total)
