"""Handing the corpus to Go's own fuzzer, in the layout of its cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gofuzzsec.coordinator.campaign import Campaign
from gofuzzsec.coordinator.events import Event, Note
from gofuzzsec.corpus.directory import write_entry
from gofuzzsec.store import Store
from gofuzzsec.toolchain import go_fuzz_cache
from gofuzzsec.toolchain.model import Go


def share_with_go(
    store: Store, go: Go, campaigns: Sequence[Campaign], emit: Callable[[Event], None]
) -> None:
    """Write every input that fuzzing found into `go test -fuzz`'s cache of its target."""
    for campaign in campaigns:
        target = campaign.state.target
        folder = go_fuzz_cache(go, target.import_path, target.name)
        written = 0
        for row in store.inputs(target.id):
            if row.source == "fuzz":
                write_entry(folder, row.data)
                written += 1
        emit(Note("info", f"{campaign.state.label}: {written} inputs shared in {folder}"))
