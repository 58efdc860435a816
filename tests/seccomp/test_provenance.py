"""What a profile says of where it comes from: always the same for the same campaign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gofuzzsec import __version__
from gofuzzsec.errors import UsageError
from gofuzzsec.seccomp.provenance import provenance_of
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.syscalls.model import Recording


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "campaign") as made:
        yield made


@pytest.fixture
def target(store: Store) -> TargetRow:
    made = store.add_target("example.org/m", "FuzzX", "", "", "", external=False)
    store.add_build(made.id, "old", "go1.25", 9)
    store.add_build(made.id, "new", "go1.26", 9)
    store.add_process_recording(made.id, "tests", Recording(()), arch="amd64")
    return made


def program(path: str, build_id: str) -> Any:
    return SimpleNamespace(path=Path(path), build_id=build_id)


def test_everything_is_in_it_in_order(store: Store, target: TargetRow) -> None:
    programs = [program("/somewhere/server", "abc/def"), program("/x/stripped", "")]
    environment = {"SOURCE_DATE_EPOCH": "1700000000"}
    found = provenance_of(store, [target], programs, "2 calls\x1b\nseen", environment)
    assert found.entries == (
        ("tool", f"gofuzzsec {__version__}"),
        ("program", "example.org/m.FuzzX"),
        ("build-id", "new"),
        ("program", "server"),
        ("build-id", "abc/def"),
        ("program", "stripped"),
        ("campaign", "0 executions, 0 inputs, 1 recordings"),
        ("date", "2023-11-14T22:13:20Z"),
        ("completeness", "2 calls??seen"),
    )


def test_the_date_is_that_of_the_evidence(store: Store, target: TargetRow) -> None:
    first = provenance_of(store, [target], [], "", {})
    assert first == provenance_of(store, [target], [], "", {})
    (date,) = first.all("date")
    (recording,) = store.recordings(target.id)
    assert date.endswith("Z") and date[:4] >= "2024" and recording.at > 0
    assert provenance_of(store, [], [], "", {}).all("date") == ()


def test_a_long_sentence_is_cut(store: Store) -> None:
    (sentence,) = provenance_of(store, [], [], "x" * 9000, {}).all("completeness")
    assert len(sentence) == 2000 and sentence.endswith("…")


@pytest.mark.parametrize("epoch", ["today", "-1", "1e9", "9" * 30, "٣"])
def test_an_epoch_that_is_none_is_refused(store: Store, epoch: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        provenance_of(store, [], [], "", {"SOURCE_DATE_EPOCH": epoch})
