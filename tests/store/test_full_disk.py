"""No room: a clear error, what was kept is kept, and with room again everything goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.errors import StoreError
from gofuzzsec.store import InputRow, Store
from tests.store.children import Report, outcome
from tests.store.making import add_input, add_target, calls, check_sums

TEXT = "0123456789abcdef" * 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root; the file size limit is tested")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _fill_up(store: Store, target_id: int) -> tuple[list[InputRow], str]:
    """Inputs kept until there was no room, and what the error said."""
    kept: list[InputRow] = []
    for number in range(10_000):
        try:
            row = add_input(store, target_id, f"{number}{TEXT}")
            kept.append(row)
            store.add_recording(target_id, row.id, calls("read", f"c{number}"), "fuzz")
        except StoreError as error:
            return kept, str(error)
    raise AssertionError("the disk never filled")


def test_full_disk(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"b" * (1 << 20))
    campaign = small_disk / "campaign"
    with Store.create(campaign) as store:
        target = add_target(store)
        kept, message = _fill_up(store, target.id)
        assert "no room left" in message
        assert str(campaign / "campaign.db") in message
        assert len(kept) > 20
        with pytest.raises(StoreError, match="no room left"):
            add_input(store, target.id, f"again{TEXT}")
        assert [row.hash for row in store.inputs(target.id)] == [row.hash for row in kept]
        check_sums(store, target.id)
        ballast.unlink()
        kept.append(add_input(store, target.id, "room again"))
    with Store.create(campaign) as store:
        assert [row.hash for row in store.inputs(target.id)] == [row.hash for row in kept]


def test_no_room_to_begin(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as handle:
        with pytest.raises(OSError, match="No space left"):
            while True:
                handle.write(b"b" * 4096)
        (small_disk / "campaign").mkdir()
    with pytest.raises(StoreError, match=r"No space left|no room left|reading or writing failed"):
        Store.create(small_disk / "campaign")
    assert not (small_disk / "campaign" / "campaign.db").exists()
    ballast.unlink()
    with Store.create(small_disk / "campaign") as store:
        add_target(store)


def test_file_size_limit(campaign: Path) -> None:
    """The same without root: no file of the child may pass 1 MB for a while."""

    def work(report: Report) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        with Store.create(campaign) as store:
            target = add_target(store)
            kept, message = _fill_up(store, target.id)
            report(message)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            kept.append(add_input(store, target.id, "room again"))
            report([row.hash for row in kept])
            report([row.hash for row in store.inputs(target.id)])

    message, kept, held = outcome(work)
    assert "reading or writing failed" in message or "no room left" in message
    assert "file size limit" in message or "free some space" in message
    assert held == kept
    assert len(kept) > 5
    with Store.create(campaign) as store:
        (target,) = store.targets()
        assert [row.hash for row in store.inputs(target.id)] == kept
        check_sums(store, target.id)
