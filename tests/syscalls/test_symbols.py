"""Function names of real Go binaries, with and without a symbol table, and of broken ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.symbols import Symbols, read_symbols
from gofuzzsec.toolchain.model import FuzzBinary, Go

SOURCE = """package main

//go:noinline
func marker() { println("here") }

func main() { marker() }
"""


def build(go: Go, folder: Path, *flags: str) -> Path:
    (folder / "go.mod").write_text("module example.org/plain\n\ngo 1.21\n")
    (folder / "main.go").write_text(SOURCE)
    out = folder / "-".join(["program", *(flag.strip("-=") for flag in flags)]).replace(" ", "")
    subprocess.run([go.path, "build", *flags, "-o", out, "."], cwd=folder, check=True)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plain")


def addresses(go: Go, binary: Path) -> dict[str, int]:
    """Functions as Go's own tool lists them."""
    listed = subprocess.run(
        [go.path, "tool", "nm", binary], capture_output=True, text=True, check=True
    ).stdout
    rows = (row.split(maxsplit=2) for row in listed.splitlines())
    return {row[2]: int(row[0], 16) for row in rows if len(row) == 3 and row[1] in "Tt"}


@pytest.mark.parametrize("mode", ["-buildmode=exe", "-buildmode=pie"])
def test_stripped_and_not_name_the_same_functions(go: Go, folder: Path, mode: str) -> None:
    whole, stripped = build(go, folder, mode), build(go, folder, mode, "-ldflags=-s -w")
    known, found = addresses(go, whole), read_symbols(whole)
    table = read_symbols(stripped)
    assert found.position_independent is table.position_independent is (mode.endswith("pie"))
    for name in ("main.marker", "main.main", "runtime.mallocgc", "runtime.main"):
        assert found.function_at(known[name] + 5) == name
    # The stripped program is laid out anew: find the functions by name, then the address back.
    assert "main.marker" in table.names_ending(".marker")
    assert len(table) > 1000
    assert table.function_at(0) == ""
    assert table.function_at(1 << 60) == ""


def test_offsets_are_where_the_file_says(go: Go, folder: Path, callers: FuzzBinary) -> None:
    symbols = read_symbols(callers.path)
    for name, address in addresses(go, callers.path).items():
        if name in ("main.main", "example.org/callers.Mkdir"):
            assert symbols.function_at(address) == name
            # The text segment of a Go executable starts where the file does.
            assert symbols.address_of(address - 0x400000) == address
    assert symbols.address_of(1 << 50) is None


def test_a_binary_that_is_not_gos_has_none(tmp_path: Path) -> None:
    assert read_symbols(Path("/bin/true")).names_ending("main") == []
    (tmp_path / "text").write_text("#!/bin/sh\n")
    for bad in (tmp_path / "text", tmp_path / "missing", tmp_path):
        with pytest.raises(RecorderError, match="expected the symbols"):
            read_symbols(bad)


@given(cut=st.floats(0, 1), at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=64))
def test_damage_is_an_error_or_no_matter(
    go: Go, folder: Path, cut: float, at: float, junk: bytes
) -> None:
    path = folder / "program-ldflags=-s-w"
    if not path.exists():
        path = build(go, folder, "-ldflags=-s -w")
    data = bytearray(path.read_bytes())
    # Headers, and the tables they point to, are where damage can hurt: most of it lands there.
    position = int(at * 8192) if at < 0.8 else int(at * len(data))
    data[position : position + len(junk)] = junk
    broken = folder / "broken"
    broken.write_bytes(data[: int(cut * len(data)) if cut < 0.5 else len(data)])
    try:
        found = read_symbols(broken)
    except RecorderError:
        return
    assert isinstance(found, Symbols)
