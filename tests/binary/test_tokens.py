"""Constants of real binaries: with and without symbols, for both machines, and hostile files."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.binary import CodeTokens, code_tokens
from gofuzzsec.binary import tokens as tokens_module
from gofuzzsec.binary.memory import escaped
from gofuzzsec.toolchain.model import Go

CODE = """package q

import "math/bits"

var keys = map[string]int{MAP}

var list = []string{"list-one", "list-two"}

var single = "kept-in-a-variable"

//go:noinline
func Same(s, t string) bool { return s == t }

func Use(s string, f float64, g float32, n uint64) int {
	r := keys[s] + bits.Len64(n)
	if Same(s, "the-quick-onyx-goblin") || Same(s, single) {
		r++
	}
	switch s {
	case "subscribe-to-everything":
		r += 2
	case "unsubscribe-from-it-all":
		r += 3
	}
	if f == 1234.5625 || g == 81.0625 || n == 0x123456789abcdef1 || n == 70000 {
		r++
	}
	if int64(n) == -70001 {
		r++
	}
	for _, l := range list {
		if Same(l, s) {
			r++
		}
	}
	return r
}
"""
MAP = ", ".join(f'"map-key-{n}": {n}' for n in range(40))
MAIN = """package main

import q "example.org/m/q.v1"

func Other() bool { return q.Same("of-another-package", "x") }

func main() { println(q.Use("a", 1, 2, 3), Other()) }
"""
PATH = "example.org/m/q.v1"
EXPECTED = {
    b"the-quick-onyx-goblin",
    b"kept-in-a-variable",
    b"subscribe-to-everything",
    b"unsubscribe-from-it-all",
    b"list-one",
    b"list-two",
    *(b"map-key-%d" % n for n in range(40)),
    struct.pack("<d", 1234.5625),
    struct.pack("<f", 81.0625),
    struct.pack("<Q", 0x123456789ABCDEF1),
    struct.pack(">Q", 0x123456789ABCDEF1),
    struct.pack("<I", 70000),
    struct.pack(">I", 70000),
    struct.pack("<i", -70001),
}


@pytest.fixture(scope="module")
def module_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("code")
    (root / "q.v1").mkdir()
    (root / "go.mod").write_text("module example.org/m\n\ngo 1.21\n")
    (root / "q.v1" / "q.go").write_text(CODE.replace("MAP", MAP))
    (root / "q.v1" / "q_test.go").write_text(
        'package q\n\nimport "testing"\n\nfunc FuzzQ(f *testing.F) '
        "{ f.Fuzz(func(t *testing.T, s string) { Use(s, 1, 2, 3) }) }\n"
    )
    (root / "main.go").write_text(MAIN)
    return root


def _go(go: Go, root: Path, *args: str, **env: str) -> None:
    own = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", **env}
    subprocess.run([go.path, *args], cwd=root, env=own, check=True)


@pytest.fixture(scope="module")
def program(go: Go, module_dir: Path) -> Path:
    _go(go, module_dir, "build", "-o", "program", ".", GOARCH="amd64", CGO_ENABLED="0")
    return module_dir / "program"


def test_constants_of_one_package(program: Path) -> None:
    found = code_tokens(program, PATH)
    assert found.problem == ""
    assert set(found.tokens) >= EXPECTED
    assert b"of-another-package" not in found.tokens
    assert len(found.tokens) < 2 * len(EXPECTED), "mostly what is meant"
    assert code_tokens(program, "main").tokens[0] == b"of-another-package"


def test_a_stripped_program_says_the_same(go: Go, module_dir: Path, program: Path) -> None:
    stripped = module_dir / "stripped"
    args = ("build", "-ldflags=-s -w", "-o", "stripped", ".")
    _go(go, module_dir, *args, GOARCH="amd64", CGO_ENABLED="0")
    assert set(code_tokens(stripped, PATH).tokens) == set(code_tokens(program, PATH).tokens)


def test_arm64(go: Go, module_dir: Path) -> None:
    _go(go, module_dir, "build", "-o", "arm", ".", GOARCH="arm64", CGO_ENABLED="0")
    found = code_tokens(module_dir / "arm", PATH)
    assert found.problem == ""
    # Small negative numbers are compared by adding there: CMN.
    assert set(found.tokens) >= EXPECTED - {struct.pack("<i", -70001)}


def test_a_fuzz_binary_without_the_made_up_places_of_its_hooks(go: Go, module_dir: Path) -> None:
    _go(go, module_dir, "test", "-c", "-fuzz=.", "-o", "fuzz.test", "./q.v1", GOARCH="amd64")
    found = code_tokens(module_dir / "fuzz.test", PATH)
    assert set(found.tokens) >= EXPECTED
    assert len(found.tokens) < 2 * len(EXPECTED), "every comparison has a place of its own"


def test_bounds(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = code_tokens(program, PATH)
    assert code_tokens(program, PATH, 3).tokens == every.tokens[:3]
    late = code_tokens(program, PATH, seconds=-1)
    assert late.tokens == ()
    assert late.problem.startswith("read 0 of ")
    assert all(2 <= len(token) <= 128 for token in every.tokens)
    monkeypatch.setattr(tokens_module, "MAX_TOKEN", 20)
    assert b"the-quick-onyx-goblin" not in code_tokens(program, PATH).tokens


def test_what_cannot_be_read_is_a_problem(program: Path, tmp_path: Path) -> None:
    assert code_tokens(program, "example.org/none") == CodeTokens(
        (), "no function of example.org/none in the binary"
    )
    data = program.read_bytes()
    for name, content, words in (
        ("empty", b"", "no dictionary from the code of empty: "),
        ("text", b"#!/bin/sh\n", "no dictionary"),
        ("32-bit", data[:4] + b"\1" + data[5:], "no dictionary"),
        ("mips", data[:18] + b"\x08\0" + data[20:], "another machine (ELF machine 8)"),
        ("cut", data[: len(data) // 2], "no"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        found = code_tokens(path, PATH)
        assert found.tokens == ()
        assert words in found.problem
    assert "no such file" in code_tokens(tmp_path / "none", PATH).problem


@settings(max_examples=30)
@given(flips=st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 255)), max_size=8))
def test_damaged_headers_never_raise(program: Path, flips: list[tuple[int, int]]) -> None:
    data = bytearray(program.read_bytes())
    for at, value in flips:
        data[at] = value
    path = program.with_name("damaged")
    path.write_bytes(data)
    found = code_tokens(path, PATH, 1000, seconds=1)
    assert len(found.tokens) <= 1000


def test_paths_are_escaped_as_the_linker_does() -> None:
    assert escaped("gopkg.in/yaml.v3") == "gopkg.in/yaml%2ev3"
    assert escaped("example.org/m/v2") == "example.org/m/v2"
    assert escaped('a.b/c"d%ä') == "a.b/c%22d%25%c3%a4"
    assert escaped("main") == "main"
