"""Making the stored corpus of a target as small as it can be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gofuzzsec.coordinator.jobs.batch import MOST_INPUTS
from gofuzzsec.coordinator.planner import wire_of
from gofuzzsec.coordinator.rebuild import DEFAULT_BUILD, BuildChoice, binary_of
from gofuzzsec.corpus.minset import smallest_set
from gofuzzsec.corpus.values import GoType
from gofuzzsec.coverage import Features, as_array, features, pack, unpack
from gofuzzsec.store import InputRow, Store, TargetRow
from gofuzzsec.worker import Batch, Run, Verdict, Worker, WorkerSpec
from gofuzzsec.worker.agent_dialect import AgentDialect


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
    """Run every input in a worker. One that fails keeps no features, so it is left alone."""
    binary = binary_of(target, choice, boosted=True)
    found: dict[int, Features] = {}
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        types = tuple(GoType(name) for name in target.types)
        spec = WorkerSpec(
            binary=binary.path,
            target=target.name,
            cwd=binary.cwd,
            agent=types if binary.boosted and types else None,
        )
        worker = Worker(spec, Path(scratch) / "worker")
        measure = _one_by_one if spec.agent is None else _in_batches
        try:
            for row, features_of, exec_ns, counters in measure(worker, rows):
                if not found:
                    store.add_build(target.id, binary.key, binary.go_version, counters)
                found[row.id] = features_of
                store.update_coverage(row.id, binary.key, pack(features_of), exec_ns)
        finally:
            worker.close()
    return found


_Measured = tuple[InputRow, Features, int, int]
"""An input, its features, nanoseconds of one execution, bytes of a snapshot."""


def _one_by_one(worker: Worker, rows: list[InputRow]) -> Iterator[_Measured]:
    for row in rows:
        if not worker.running:
            worker.start()
        outcome = worker.call(Run(), row.data)
        if outcome.verdict is Verdict.OK and outcome.coverage:
            snapshot = as_array(outcome.coverage)
            yield row, features(snapshot), outcome.duration_ns, len(snapshot)


def _in_batches(worker: Worker, rows: list[InputRow]) -> Iterator[_Measured]:
    """As `_one_by_one`, many at a time, in a boosted worker."""
    left = rows
    while left:
        if not worker.running:
            worker.start()
        some = left[:MOST_INPUTS]
        batch = Batch(tuple(wire_of(row.data) for row in some), twice=True)
        outcome = worker.call(batch, b"")
        results = outcome.report.results if outcome.report is not None else []
        assert isinstance(worker.dialect, AgentDialect)
        size = worker.dialect.snapshot_size
        for row, result in zip(some, results, strict=False):
            if not result.failed:
                yield row, result.features, result.exec_ns, size
        # The one it ended over, or that left no room for its result, is passed over.
        done = len(results) + (not results or outcome.verdict is not Verdict.OK)
        left = left[done:]
