"""Our tables of printable characters against each Go's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gofuzzsec.corpus import make_printable, unicode_of_go
from gofuzzsec.corpus.printable import CODE_POINTS, printable
from gofuzzsec.toolchain.model import Go


def test_tables_are_what_go_says(any_go: Go) -> None:
    unicode, lengths = make_printable.ask(str(any_go.path))
    assert unicode == unicode_of_go(any_go.text)
    table = printable(unicode)
    assert len(table) == CODE_POINTS
    position = 0
    for index, length in enumerate(lengths):
        assert table[position : position + length] == bytes([index % 2]) * length
        position += length
    assert not any(table[position:])


def test_newer_unicode_only_adds() -> None:
    old, new = printable("15.0.0"), printable("17.0.0")
    assert all(map(int.__le__, old, new))
    assert sum(new) - sum(old) == 10_615


def test_unknown_unicode_is_an_error() -> None:
    with pytest.raises(KeyError):
        printable("1.0.0")


def test_the_data_file_can_be_made_again(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = Path(make_printable.__file__).with_name("printable.json")
    monkeypatch.setattr(make_printable, "__file__", str(tmp_path / "make_printable.py"))
    make_printable.main([str(go.path)])
    made = json.loads((tmp_path / "printable.json").read_text())
    here = json.loads(committed.read_text())
    version = unicode_of_go(go.text)
    assert made["runs"] == {version: here["runs"][version]}
    assert made["source"] == here["source"]
