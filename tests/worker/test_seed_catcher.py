"""The catcher's own parts, without a coordinator."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from gofuzzsec.worker import seed_catcher


def test_catcher_keeps_warm_ups_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seeds").mkdir()
    memory = os.memfd_create("memory")
    os.write(memory, bytes(8) + (5).to_bytes(8, "little") + bytes(24) + b"value beyond")
    replies, events = os.pipe(), os.pipe()
    monkeypatch.setattr(seed_catcher, "MEMORY", memory)
    monkeypatch.setattr(seed_catcher, "REPLIES", replies[1])
    calls = [
        {"Ping": {}, "Fuzz": None},
        {"Fuzz": {"Warmup": True, "CoverageData": "AA=="}},
        {"Fuzz": {"Warmup": False}},
        {"Ping": {}},
    ]
    lines = b"".join(json.dumps(call).encode() + b"\n" for call in calls)
    seed_catcher.serve(io.BytesIO(lines), events[1], tmp_path)
    os.close(replies[1])
    answers = os.fdopen(replies[0], "rb").read().splitlines()
    assert [json.loads(answer).get("Count") for answer in answers] == [None, 1]
    assert os.read(events[0], 100) == b"seed\ndone\n"
    assert (tmp_path / "seeds" / "00000001").read_bytes() == b"value"
    assert not (tmp_path / "zero").exists()
    seed_catcher.serve(io.BytesIO(b'{"Fuzz": {"Warmup": false}}\n'), events[1], tmp_path)
    assert os.read(events[0], 100) == b"zero\n"
    assert (tmp_path / "zero").read_bytes() == b"value"
    for fd in (memory, *events):
        os.close(fd)


@pytest.mark.parametrize("length", [-1, 13, 1 << 40])
def test_catcher_distrusts_the_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    memory = os.memfd_create("memory")
    os.write(
        memory, bytes(8) + length.to_bytes(8, "little", signed=True) + bytes(24) + b"12 bytes...."
    )
    monkeypatch.setattr(seed_catcher, "MEMORY", memory)
    with pytest.raises(ValueError, match=f"a value of {length} bytes"):
        seed_catcher.save(tmp_path / "value")
    os.close(memory)
