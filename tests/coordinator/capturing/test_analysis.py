"""Functions worth capturing: reached by tests, seeds or kept inputs, and able to make calls."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gofuzzsec.cli import main
from gofuzzsec.coordinator.capturing.analysis import Analysis, ReachedFunction, analyze
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.coverage import pack
from gofuzzsec.errors import UsageError
from gofuzzsec.report.analysis import analysis_objects, analysis_text
from gofuzzsec.store import Store

PATH = "example.org/fuzzed"
SOURCES = {
    "go.mod": f"module {PATH}\n\ngo 1.21\n",
    "m.go": """package fuzzed

import (
	"os"
	"strings"
)

type box[T any] struct{ value T }

func (b *box[T]) load(path string) { os.ReadFile(path) }

func Upper(text string) string { return strings.ToUpper(text) }

func Never() { os.Remove("/no/such/file") }

func Parse(text string) {
	if text == "kept" {
		deep(text)
	}
	if text == "seed" {
		new(box[int]).load(text)
		new(box[string]).load(text)
	}
}

func deep(path string) { os.Truncate(path, 0) }
""",
    "m_test.go": """package fuzzed

import "testing"

func TestUpper(t *testing.T) {
	if Upper("a") != "A" {
		t.Fatal("wrong")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("seed")
	f.Fuzz(func(t *testing.T, text string) { Parse(text) })
}
""",
}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fuzzed") / "fuzzed"
    root.mkdir()
    for name, text in SOURCES.items():
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def seeds_only(fuzzed: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    (found,) = analyze(["."], fuzzed, tmp_path_factory.mktemp("none"))
    return found


def names(analysis: Analysis) -> dict[str, ReachedFunction]:
    return {each.name.removeprefix(f"{PATH}."): each for each in analysis.reached}


def test_reached_functions_that_lead_to_calls(seeds_only: Analysis) -> None:
    found = names(seeds_only)
    assert set(found) == {"Parse", "(*box[...]).load"}  # not Upper, Never and deep
    assert seeds_only.functions == 5
    assert not seeds_only.warnings
    load = found["(*box[...]).load"]
    assert "openat" in load.calls and "truncate" not in load.calls
    assert (load.file, load.line) == (f"{PATH}/m.go", 10)
    assert (load.coverage.statements, load.coverage.covered) == (1, 1)
    assert {"openat", "truncate"} <= set(found["Parse"].calls)


def test_the_campaigns_inputs_count(fuzzed: Path, tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        row = store.add_target(PATH, "FuzzParse", str(fuzzed), str(fuzzed), "", False)
        store.add_input(
            row.id,
            data=marshal([Value(GoType.STRING, b"kept")]),
            source="fuzz",
            why="coverage",
            parent=None,
            exec_ns=1,
            build_key="abc",
            coverage=pack(np.array([8], dtype=np.uint32)),
            found_at=1700000000.0,
        )
    (found,) = analyze(["."], fuzzed, tmp_path)
    assert set(names(found)) == {"Parse", "(*box[...]).load", "deep"}
    assert names(found)["deep"].calls == ("truncate",)
    assert not (fuzzed / "testdata").exists()


def test_it_is_told_with_how_to_go_on(seeds_only: Analysis) -> None:
    text = analysis_text([seeds_only], ["."])
    assert f"{PATH}: 2 functions of 5 that tests" in text
    assert re.search(r"\(\*box\[\.\.\.\]\)\.load +m\.go:10 +100\.0 % +.*openat", text)
    hint = text.splitlines()[-1]
    assert hint.startswith("to capture them: gofuzzsec capture --tests -f '")
    doubtful = dataclasses.replace(seeds_only, warnings=("the tests\x1b[2J",), reached=())
    assert analysis_text([doubtful], ["."]).endswith("warning: the tests\\x1b[2J")


def test_every_field_is_documented(seeds_only: Analysis) -> None:
    docs = (Path(__file__).parents[3] / "docs" / "capture.md").read_text()
    section = docs.split("### `reached_function`")[1].split("###")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert documented == set(analysis_objects(seeds_only)[0]) - {"event"}


def test_the_command(fuzzed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fuzzed)
    monkeypatch.delenv("SUDO_UID", raising=False)  # it would end this process's privileges
    done = CliRunner().invoke(main, ["analyze", "--campaign", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    functions = [json.loads(line)["function"] for line in done.stdout.splitlines()]
    assert functions == [f"{PATH}.(*box[...]).load", f"{PATH}.Parse"]


def test_packages_without_tests(program_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a package with tests"):
        list(analyze(["./other"], program_dir, tmp_path))
