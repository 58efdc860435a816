"""``gofuzzsec static`` as users meet it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from gofuzzsec.toolchain.model import Go
from tests.cli.conftest import Run

SOURCE = """\
package main

import (
	"os"
	"syscall"
)

//go:noinline
func quiet() int { return len(os.Args) }

//go:noinline
func loud() { syscall.Sync() }

//go:noinline
func blind(nr uintptr) { syscall.Syscall(nr, 0, 0, 0) }

func main() {
	if quiet() > 1 {
		loud()
	}
	blind(uintptr(quiet()))
}
"""


@pytest.fixture(scope="module")
def binary(go: Go, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("static")
    (folder / "main.go").write_text(SOURCE)
    (folder / "go.mod").write_text("module example.org/static\n\ngo 1.21\n")
    subprocess.run(
        [str(go.path), "build", "-o", "program", "."],
        cwd=folder, check=True, env={**os.environ, "CGO_ENABLED": "0"},
    )  # fmt: skip
    return str(folder / "program")


def test_the_list_says_first_what_it_cannot_know(run: Run, binary: str) -> None:
    result = run("static", binary)

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert ": at least " in lines[0]
    assert "possible from main (go1." in lines[0]
    assert lines[2].startswith("OPEN: any system call is possible: 1 place")
    assert "  main.main " in lines[3]  # which chooses the number that main.blind is given
    assert any(line.startswith("sync ") and "syscall.Sync" in line for line in lines)


def test_a_root_narrows_it(run: Run, binary: str) -> None:
    quiet, loud = run("static", binary, "--root", "quiet"), run("static", binary, "--root", "loud")

    assert "\nsync " not in quiet.output
    assert "OPEN" not in quiet.output
    assert "assumed: " in quiet.output
    assert "\nsync " in loud.output
    both = run("static", binary, "--root", "quiet", "--root", "main.loud")
    assert "from main.quiet, main.loud" in both.output


def test_why_prints_the_shortest_way(run: Run, binary: str) -> None:
    result = run("static", binary, "--root", "main.main", "--why", "sync")

    assert result.exit_code == 0
    assert result.output.splitlines()[:4] == [
        "sync (number 162), by the shortest way:",
        "  main.main",
        "    main.loud",
        "",
    ]
    missing = run("static", binary, "--root", "quiet", "--why", "sync")
    assert missing.exit_code == 2
    assert "one that nothing reachable makes" in missing.output


def test_json_has_every_place(run: Run, binary: str) -> None:
    result = run("static", binary, "--json")
    rows = [json.loads(line) for line in result.output.splitlines()]

    assert rows[0]["event"] == "bound"
    assert rows[0]["open"] is True
    (sync,) = [row for row in rows if row.get("name") == "sync"]
    assert sync["event"] == "possible"
    assert sync["number"] == 162
    assert sync["path"][-1] in ("main.loud", "syscall.Sync")
    assert sync["sites"][0]["line"] > 0
    (unknown,) = [row for row in rows if row["event"] == "unknown"]
    assert unknown["place"]["function"] == "main.main"
    one = run("static", binary, "--json", "--why", "sync")
    assert json.loads(one.output) == sync


def test_output_goes_to_a_file(run: Run, binary: str, tmp_path: Path) -> None:
    result = run("static", binary, "--json", "-o", str(tmp_path / "bound"))

    assert result.output == ""
    assert json.loads((tmp_path / "bound").read_text().splitlines()[0])["event"] == "bound"


def test_mistakes_are_usage_errors(run: Run, binary: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\n")
    for arguments, words in (
        ([binary, "--root", "lout"], "loud"),
        ([str(tmp_path / "text")], "a script"),
        ([str(tmp_path / "none")], "no such file"),
    ):
        result = run("static", *arguments)
        assert result.exit_code == 2
        assert words in result.output
