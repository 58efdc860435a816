"""Where a campaign directory is."""

from __future__ import annotations

from pathlib import Path

from gofuzzsec.store.location import campaign_dir


def test_beside_the_nearest_go_mod_from_any_folder_below(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module outer\n")
    inner = tmp_path / "inner"
    deep = inner / "pkg" / "sub"
    deep.mkdir(parents=True)
    (inner / "go.mod").write_text("module inner\n")
    assert campaign_dir(None, deep) == inner / ".gofuzzsec"
    assert campaign_dir(None, inner) == inner / ".gofuzzsec"
    assert campaign_dir(None, tmp_path) == tmp_path / ".gofuzzsec"


def test_in_the_current_folder_without_a_module(tmp_path: Path) -> None:
    (tmp_path / "go.mod").mkdir()  # a folder of that name is no module
    assert campaign_dir(None, tmp_path) == tmp_path / ".gofuzzsec"


def test_explicit_wins_and_is_relative_to_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module m\n")
    below = tmp_path / "below"
    below.mkdir()
    assert campaign_dir(Path("state"), below) == below / "state"
    assert campaign_dir(tmp_path / "state", below) == tmp_path / "state"


def test_makes_nothing(tmp_path: Path) -> None:
    campaign_dir(None, tmp_path)
    assert list(tmp_path.iterdir()) == []
