"""Where a campaign's first inputs come from: `f.Add`, `testdata/fuzz` and Go's own cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.coordinator.jobs import Seed
from gofuzzsec.corpus.directory import read_corpus, types_of
from gofuzzsec.corpus.format import marshal, unmarshal
from gofuzzsec.corpus.values import GoType
from gofuzzsec.worker.harvest import harvest_seeds


@dataclass(frozen=True, slots=True)
class SeedSet:
    """Seeds in the order to run them, the target's argument types, and files that do not fit."""

    seeds: tuple[Seed, ...]
    types: tuple[GoType, ...]
    problems: tuple[str, ...]


def gather(binary: Path, target: str, cwd: Path, folders: Sequence[tuple[Path, str]]) -> SeedSet:
    """All seeds of *target*, each once.

    *folders* are further corpora with their source names, `testdata` first; files that are broken
    or of other types are reported, not used. Raises WorkerStartError when the target fails before
    `f.Fuzz`.
    """
    harvest = harvest_seeds(binary, target, cwd)
    first = [*harvest.seeds, *([harvest.zero] if harvest.zero is not None else [])]
    types = types_of(unmarshal(first[0])) if first else ()
    files: dict[bytes, str] = {}
    problems: list[str] = []
    for folder, source in folders:
        found, broken = read_corpus(folder, types or None)
        problems += [f"{problem.path}: {problem.text}" for problem in broken]
        for file in found:
            files.setdefault(marshal(file.values), source)
    seeds: dict[bytes, Seed] = {}
    for data in first:
        # Go hands over files of testdata as it does f.Add's values; only the files tell them apart.
        source = files.get(data, "seed-add")
        seeds[data] = Seed(data, source, always=True)
    for data, source in files.items():
        seeds.setdefault(data, Seed(data, source, always=source != "seed-cache"))
    return SeedSet(tuple(seeds.values()), types, tuple(problems))
