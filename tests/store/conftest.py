"""A store with one target, open for writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.store import Store, TargetRow
from tests.store.making import add_target


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A campaign directory that does not exist yet."""
    return tmp_path / "campaign"


@pytest.fixture
def store(campaign: Path) -> Iterator[Store]:
    with Store.create(campaign) as opened:
        yield opened


@pytest.fixture
def target(store: Store) -> TargetRow:
    return add_target(store)
