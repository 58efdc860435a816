"""The bench of estimates: what it cuts where, what it prints, on campaigns made by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import estimate, populations
from gofuzzsec.store import Store


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """Two new ones in each doubling up to 32,000 executions."""
    folder = tmp_path / "campaign"
    with Store.create(folder) as store:
        target = store.add_target("example.org/m", "FuzzX", "", "", "", external=False)
        for doubling in range(6):
            counts = {f"call{n}": 50 + n for n in range(2 * doubling + 2)}
            counts |= {f"call{n}: ok": 50 + n for n in range(2 * doubling + 2)}
            store.add_incidence(target.id, 1000 << max(doubling - 1, 0), counts)
    return folder


def test_a_campaign_is_cut_where_its_executions_had_doubled(campaign: Path) -> None:
    cuts = [cut for cut in estimate.stored(campaign) if cut.what == "calls"]
    assert [(cut.before, cut.after) for cut in cuts] == [
        (16_000, 16_000), (8_000, 8_000), (4_000, 4_000), (2_000, 2_000), (1_000, 1_000),
    ]  # fmt: skip
    assert [cut.came for cut in cuts] == [2] * 5 and [cut.seen for cut in cuts] == [10, 8, 6, 4, 2]
    assert all(cut.held for cut in cuts[:-1])
    assert cuts[0].expected == pytest.approx(2.0) and cuts[0].rate == 2 / 16_000 < cuts[0].next_high


def test_the_table_has_all_of_them(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cuts.json"
    assert estimate.main(["--campaign", str(campaign), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("| example.org/m.FuzzX |") == len(json.loads(out.read_text())) == 10
    assert re.search(r"held by the interval: \d+ of 10; not more new ones", printed)


def test_simulations_are_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimate, "SIZES", (20,))
    monkeypatch.setattr(estimate, "SHAPES", dict(list(populations.SHAPES.items())[4:6]))
    assert estimate.main(["--simulate", "--runs", "5"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("| 20 |") == 2 and "% seen)" in printed
    assert "where all is in reach (7 cells)" in printed and "everywhere (10 cells)" in printed
