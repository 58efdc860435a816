"""What a corpus covers, judged by one stock worker whoever grew the corpus."""

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

    edges: int
    features: int
    inputs: int
    failed: int


def replay(binary: Path, target: str, cwd: Path, corpus: Iterable[bytes], scratch: Path) -> Covered:
    """Run each marshalled input of *corpus* once and unite what they cover."""
    worker = Worker(WorkerSpec(binary, target, cwd), scratch)
    known: coverage.bitmap.Bytes = np.zeros(0, dtype=np.uint8)
    inputs = failed = 0
    try:
        for data in corpus:
            if not worker.running:
                worker.start()
            outcome = worker.call(Run(), data)
            inputs += 1
            if outcome.verdict is not Verdict.OK or outcome.coverage is None:
                failed += 1
                continue
            snapshot = coverage.as_array(outcome.coverage)
            known = snapshot | known if known.size else snapshot
    finally:
        worker.close()
    features = int(np.unpackbits(known).sum())
    return Covered(coverage.edges(known), features, inputs, failed)
