"""What a corpus covers, by one stock worker, however the corpus came to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gofuzzsec import coverage
from gofuzzsec.worker import Run, Verdict, Worker, WorkerSpec


@dataclass(frozen=True, slots=True)
class Covered:
    """``edges``: counters above zero in any input. ``features``: (counter, bucket) pairs.

    ``inputs`` were run, of which ``failed`` gave no coverage because they failed or crashed.
    """

    edges: int = 0
    features: int = 0
    inputs: int = 0
    failed: int = 0


def replay(
    binary: Path, target: str, cwd: Path, corpus: Iterable[bytes], scratch: Path
) -> tuple[Covered, ...]:
    """Run each marshalled input of *corpus* once and unite what they cover.

    The result's element k is what the first k inputs cover together.
    """
    worker = Worker(WorkerSpec(binary, target, cwd), scratch)
    known: coverage.bitmap.Bytes = np.zeros(0, dtype=np.uint8)
    course = [Covered()]
    try:
        for data in corpus:
            if not worker.running:
                worker.start()
            outcome = worker.call(Run(), data)
            last = course[-1]
            if outcome.verdict is not Verdict.OK or outcome.coverage is None:
                failed = last.failed + 1
                course.append(Covered(last.edges, last.features, last.inputs + 1, failed))
                continue
            snapshot = coverage.as_array(outcome.coverage)
            known = snapshot | known if known.size else snapshot
            features = int(np.unpackbits(known).sum())
            course.append(Covered(coverage.edges(known), features, last.inputs + 1, last.failed))
    finally:
        worker.close()
    return tuple(course)
