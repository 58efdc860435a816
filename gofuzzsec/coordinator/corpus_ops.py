"""Making the stored corpus of a target as small as it can be."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gofuzzsec.coordinator.rebuild import DEFAULT_BUILD, BuildChoice, binary_of
from gofuzzsec.corpus.minset import smallest_set
from gofuzzsec.coverage import Features, as_array, features, pack, unpack
from gofuzzsec.store import InputRow, Store, TargetRow
from gofuzzsec.worker import Run, Verdict, Worker, WorkerSpec


@dataclass(frozen=True, slots=True)
class MinimiseResult:
    """Inputs of the target before and after."""

    before: int
    after: int


def minimise(
    store: Store, target: TargetRow, choice: BuildChoice = DEFAULT_BUILD
) -> MinimiseResult:
    """Drop inputs of *target* until the rest just keeps all coverage and all system calls.

    Inputs measured with an older build are measured again first. An input whose system calls are
    not recorded, in a campaign that records them, stays: nobody knows what it stands for.
    Raises what `binary_of` raises when inputs have to be measured again.
    """
    rows = list(store.inputs(target.id))
    found = _coverage(store, target, rows, choice)
    rows = [row for row in rows if row.id in found]
    names: dict[str, int] = {}
    recorded_any = any(row.recorded for row in rows)
    sets = []
    for row in rows:
        calls = {use.name for use in store.input_syscalls(row.id)}
        if recorded_any and not row.recorded:
            calls = {f"not recorded: {row.hash}"}
        numbers = [names.setdefault(name, len(names)) for name in sorted(calls)]
        sets.append((found[row.id], numbers))
    offset = max((int(f[-1]) + 1 for f, _ in sets if len(f)), default=0)
    wanted = [
        np.concatenate([f.astype(np.int64), np.array(sorted(n), dtype=np.int64) + offset])
        for f, n in sets
    ]
    keep = set(smallest_set(wanted, [len(row.data) for row in rows]))
    for index, row in enumerate(rows):
        if index not in keep:
            store.remove_input(row.id)
    return MinimiseResult(before=len(rows), after=len(keep))


def _coverage(
    store: Store, target: TargetRow, rows: list[InputRow], choice: BuildChoice
) -> dict[int, Features]:
    """Features of every input, all of one build: the one most recently used."""
    builds = store.builds(target.id)
    newest = max(builds, key=lambda build: build.used_at).key if builds else ""
    stale = [row for row in rows if row.build_key != newest]
    found = {row.id: unpack(row.coverage) for row in rows if row.build_key == newest}
    if stale:
        found = _measure_all(store, target, rows, choice)
    return found


def _measure_all(
    store: Store, target: TargetRow, rows: list[InputRow], choice: BuildChoice
) -> dict[int, Features]:
    """Run every input once in a worker. One that fails keeps no features, so it is left alone."""
    binary = binary_of(target, choice)
    spec = WorkerSpec(binary=binary.path, target=target.name, cwd=binary.cwd)
    found: dict[int, Features] = {}
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        worker = Worker(spec, Path(scratch) / "worker")
        try:
            for row in rows:
                if not worker.running:
                    worker.start()
                outcome = worker.call(Run(), row.data)
                if outcome.verdict is Verdict.OK and outcome.coverage:
                    if not found:
                        counters = len(outcome.coverage)
                        store.add_build(target.id, binary.key, binary.go_version, counters)
                    found[row.id] = features(as_array(outcome.coverage))
                    packed = pack(found[row.id])
                    store.update_coverage(row.id, binary.key, packed, outcome.duration_ns)
        finally:
            worker.close()
    return found
