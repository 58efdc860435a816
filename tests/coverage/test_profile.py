"""Go's cover profiles, ours and Go's own reading of them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coverage.covdata import counter_files, read_covdata
from gofuzzsec.coverage.profile import (
    Coverage,
    added_up,
    between,
    by_package,
    parse_profile,
    read_profile,
    total,
)
from gofuzzsec.errors import CoverageError
from gofuzzsec.toolchain.model import Go
from tests.conftest import MakeModule

PROFILE = """mode: set
example.org/m/a.go:3.10,5.2 2 1
example.org/m/a.go:7.10,9.2 3 0
example.org/m/sub/b.go:1.1,2.2 1 1
"""

PROGRAM = """package main

import "os"

func odd(n int) string {
	if n%2 == 1 {
		return "odd"
	}
	return "even"
}

func main() {
	println(odd(len(os.Args)))
	if len(os.Args) > 2 {
		os.Exit(9)
	}
}
"""


def test_statements_are_counted_by_package_and_by_lines() -> None:
    blocks = parse_profile(PROFILE)
    assert total(blocks) == Coverage(6, 3)
    assert total(blocks).percent == 50
    assert by_package(blocks) == {
        "example.org/m": Coverage(5, 2),
        "example.org/m/sub": Coverage(1, 1),
    }
    assert between(blocks, "example.org/m/a.go", 7, 9) == Coverage(3, 0)
    assert between(blocks, "example.org/m/a.go", 1, 99) == Coverage(5, 2)


def test_blocks_of_several_runs_are_one_block() -> None:
    again = PROFILE.replace(" 3 0", " 3 5")
    blocks = parse_profile(PROFILE + again)
    assert len(blocks) == 3
    assert total(blocks) == Coverage(6, 6)
    assert added_up([*parse_profile(PROFILE), *parse_profile(again)]) == blocks


def test_nothing_ran_of_nothing() -> None:
    assert parse_profile("") == ()
    assert total(()).percent == 0


@pytest.mark.parametrize(
    "text",
    [
        "example.org/m/a.go:3.10,5.2 2 1",
        "mode: set\nexample.org/m/a.go:3.10,5.2 2",
        "mode: set\nexample.org/m/a.go:3,5 2 1",
        "mode: often\n",
        "mode: set\nexample.org/m/a.go:3.10,5.2 2 99999999999999999999999999",
        "\0\0\0",
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(CoverageError, match="expected a cover profile, found"):
        parse_profile(text)


@given(st.text())
def test_any_text_is_a_profile_or_an_error(text: str) -> None:
    try:
        blocks = parse_profile(text)
    except CoverageError:
        return
    assert all(block.statements >= 0 and block.count >= 0 for block in blocks)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match="did the program end"):
        read_profile(tmp_path / "none")


def test_counters_of_programs_built_with_cover(go: Go, module: MakeModule, tmp_path: Path) -> None:
    root = module({"main.go": PROGRAM})
    binary = tmp_path / "program"
    subprocess.run([go.path, "build", "-cover", "-o", binary, "."], cwd=root, check=True)
    folder = tmp_path / "counters"
    folder.mkdir()
    env = {**os.environ, "GOCOVERDIR": str(folder)}

    def run(*arguments: str) -> int:
        return subprocess.run([binary, *arguments], env=env, check=False).returncode

    assert read_covdata(go, folder) == ()
    assert run() == 0
    first = total(read_covdata(go, folder))
    assert 0 < first.covered < first.statements
    before = counter_files(folder)
    assert run("x", "y") == 9
    assert total(read_covdata(go, folder)) == Coverage(first.statements, first.statements - 1)
    second = read_covdata(go, folder, before)
    assert total(second).covered == first.covered + 1  # the exit; "odd" in both
    done = subprocess.run(
        [go.path, "tool", "covdata", "percent", f"-i={folder}"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = re.search(r"example.org/m\s+coverage: ([0-9.]+)%", done.stdout)
    assert said is not None
    assert float(said[1]) == pytest.approx(total(read_covdata(go, folder)).percent, abs=0.05)


def test_counters_that_go_cannot_read(go: Go, tmp_path: Path) -> None:
    (tmp_path / "covmeta.00").write_bytes(b"nonsense")
    (tmp_path / "covcounters.00.1.1").write_bytes(b"nonsense")
    with pytest.raises(CoverageError, match="the Go that built the program"):
        read_covdata(go, tmp_path)
    assert counter_files(tmp_path / "none") == frozenset()
