"""Made-up corpora, and what a process says of its memory."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from bench.memory import fill, peak_memory, synthetic
from gofuzzsec.corpus.format import marshal, unmarshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.coverage import pack, unpack
from gofuzzsec.store import Store

DATA = marshal((Value(GoType.BYTES, b"[1, 2]"), Value(GoType.INT, 7)))
FEATURES = np.arange(0, 4000, 8, dtype=np.uint32)


def campaign(folder: Path) -> int:
    with Store.create(folder) as store:
        target = store.add_target("example.org/m", "FuzzX", "/m", "/m", "", False)
        store.add_build(target.id, "abc", "go1.26", 600)
        row = store.add_input(
            target.id, data=DATA, source="seed-add", why="seed", parent=None, exec_ns=1000,
            build_key="abc", coverage=pack(FEATURES), found_at=1.0,
        )  # fmt: skip
        return row.id


def test_a_corpus_is_filled_up_with_varied_inputs(tmp_path: Path) -> None:
    parent = campaign(tmp_path / "campaign")
    size, features = fill(tmp_path / "campaign", 500)
    with Store.open_readonly(tmp_path / "campaign") as store:
        (target,) = store.targets()
        rows = list(store.inputs(target.id))
    made = rows[1:]
    assert len(rows) == 500
    assert len({row.hash for row in rows}) == 500
    assert all(row.parent == parent and row.build_key == "abc" for row in made)
    assert size == sum(len(row.data) for row in made)
    assert features == np.mean([len(unpack(row.coverage)) for row in made])
    assert 0.9 * len(FEATURES) < features < len(FEATURES)


def test_a_made_up_input_keeps_types_and_real_features(tmp_path: Path) -> None:
    campaign(tmp_path / "campaign")
    with Store.open_readonly(tmp_path / "campaign") as store:
        row = store.input(1)
    data, found = synthetic(row, 12, random.Random(1))
    first, second = unmarshal(data)
    assert (first.raw, second) == (b"[1, 2]0000012", Value(GoType.INT, 7))
    assert set(found) < set(FEATURES)
    assert list(found) == sorted(found)


def test_the_peak_is_read_from_proc() -> None:
    assert peak_memory("Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t  12 kB\n") == 12 << 10
    assert peak_memory("Name:\tzombie\n") == 0
    assert peak_memory(Path("/proc/self/status").read_text()) > 1 << 20
