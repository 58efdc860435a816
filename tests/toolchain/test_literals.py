"""Constants of real packages: every kind, their order, broken sources, bounds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.toolchain import build_program, literals
from gofuzzsec.toolchain.literals import Constant, Literals, package_literals, tokens_of
from gofuzzsec.toolchain.model import Go, Package
from gofuzzsec.toolchain.packages import list_packages
from tests.conftest import MakeModule

FUZZ = """package m

import "testing"

func FuzzM(f *testing.F) { f.Fuzz(func(t *testing.T, data []byte) {}) }
"""

CODE = """package m

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
)

const magic = "GFZ" + "1"

const (
	kindA uint16 = iota + 0x1234
	kindB
)

type T struct {
	A int    `json:"alpha,omitempty" xml:"outer>inner"`
	B string `json:"-" other`
}

var (
	table  = map[string]int{"mapkey": 7, "other": 70000}
	header = http.Header{"X-Header": nil}
	mark   = []byte{0x89, 'P', 'N', 'G'}
	mixed  = []byte{0x89, 'P', byte(len(magic)), 'G'}
	sums   = [...]uint32{SUMS}
)

func use(b []byte, s string, x float64, y float32, r rune) error {
	if binary.BigEndian.Uint32(b) == 0xCAFEF00D || binary.BigEndian.Uint64(b) == 1<<40+5 {
		return nil
	}
	switch s {
	case "caseone", ("case" + "two"):
	}
	if x == 3.25 || y < 1.5e3 || x == 12 || x > -7 {
		return fmt.Errorf("bad thing %d at %s", 99999, s)
	}
	if strings.HasPrefix(s, "prefix") || string(b) == magic || r == 'ß' || b[0] == 'q' {
		return http.Unknown("argument", -50000)
	}
	if s == `raw
text` || s < "\\x00\\xff" {
		return nil
	}
	return nil
}
"""
SUMS = ", ".join(str(1_000_000 + 7 * n) for n in range(256))


def _literals(go: Go, root: Path, *, tags: str = "") -> Literals:
    (package,) = list_packages(go, ["."], root, tags=tags)
    return package_literals(go, package, tags=tags)


@pytest.fixture
def found(go: Go, module: MakeModule) -> Literals:
    files = {"m.go": CODE.replace("SUMS", SUMS), "m_test.go": FUZZ}
    found = _literals(go, module(files))
    assert found.problem == ""
    return found


@pytest.mark.parametrize(
    "token",
    [
        b"GFZ1",  # an expression, worked out
        b"\x34\x12",
        b"\x12\x34",
        b"\x35\x12",  # by iota
        b"4661",
        b"alpha",  # from struct tags
        b"inner",
        b"outer",
        b"mapkey",
        b"X-Header",  # of a map whose type is in another package
        b"\x89PNG",
        b"\x89P\x04G",
        b"\x0d\xf0\xfe\xca",
        b"\xca\xfe\xf0\x0d",
        b"3405705229",
        (2**40 + 5).to_bytes(8, "little"),
        (2**40 + 5).to_bytes(8, "big"),
        b"caseone",
        b"casetwo",
        b"\x00\x00\x00\x00\x00\x00\x0a\x40",  # 3.25
        b"\x00\x80\xbb\x44",  # 1500 as float32
        b"\x00\x00\x00\x00\x00\x00\x28\x40",  # 12, a float64 by its use
        b"3.25",
        b"prefix",
        "ß".encode(),
        b"argument",
        (-50000).to_bytes(8, "little", signed=True),
        b"-50000",
        b"raw\ntext",
        b"\x00\xff",
    ],
)
def test_tokens(found: Literals, token: bytes) -> None:
    assert token in found.tokens


def test_numbers_are_values_too(found: Literals) -> None:
    assert {0x1234, 0xCAFEF00D, 7, 70000, -50000, ord("ß")} <= set(found.integers)
    assert {3.25, 1500.0, 12.0, -7.0} == set(found.floats)


def test_what_is_compared_comes_first_and_what_people_read_last(found: Literals) -> None:
    at = found.tokens.index
    compared = [b"caseone", b"mapkey", b"prefix", b"GFZ1", b"X-Header", b"alpha", b"\x00\xff"]
    ordinary = [b"argument", b"\x12\x34", b"\x89PNG"]
    last = [b"bad thing %d at %s", b"99999", b"1000007"]
    assert max(map(at, compared)) < min(map(at, ordinary))
    assert max(map(at, ordinary)) < min(map(at, last))


def test_what_is_no_constant_of_the_input(found: Literals) -> None:
    assert not {b"encoding/binary", b"fmt", b"113", b"json", b"xml"} & set(found.tokens)
    assert all(2 <= len(token) <= 128 for token in found.tokens)
    assert len(set(found.tokens)) == len(found.tokens)


def test_direct_imports(go: Go, module: MakeModule, found: Literals) -> None:
    assert found.imports == ("encoding/binary", "fmt", "net/http", "strings")
    files = {"m.go": "package m\n", "m_test.go": FUZZ.replace("import", 'import _ "html"\nimport')}
    assert _literals(go, module(files)).imports == ("html", "testing")


def test_nearest_sources_first(go: Go, module: MakeModule) -> None:
    files = {
        "m.go": 'package m\nimport _ "example.org/m/near"\nvar a = "from-package"\n',
        "m_test.go": FUZZ + 'var b = "from-test"\n',
        "x_test.go": 'package m_test\nimport _ "html"\nvar c = "from-outside-test"\n',
        "near/near.go": 'package near\nimport _ "example.org/m/far"\nvar d = "from-near"\n',
        "near/near_test.go": 'package near\nvar e = "from-tests-of-near"\n',
        "far/far.go": 'package far\nimport _ "fmt"\nvar f = "from-far"\n',
        "away/away.go": 'package away\nvar g = "from-away"\n',
    }
    found = _literals(go, module(files))
    expected = [b"from-package", b"from-test", b"from-outside-test", b"from-near", b"from-far"]
    assert list(found.tokens) == expected
    assert found.imports == ("example.org/m/near",)


def test_broken_sources_give_what_can_be_read(go: Go, module: MakeModule) -> None:
    files = {
        "a.go": 'package m\nvar a = "before"\nfunc broken( {\n',
        "b.go": 'package m\nimport "not/there"\nvar b = there.F("beside")\nvar c int = "wrong"\n',
        "m_test.go": FUZZ,
    }
    root = module(files)
    (root / "c.go").symlink_to("/dev/zero")
    assert {b"before", b"beside", b"wrong"} <= set(_literals(go, root).tokens)


def test_a_bomb_of_constants_is_a_problem(go: Go, module: MakeModule) -> None:
    doubled = "".join(f"const c{n} = c{n - 1} + c{n - 1}\n" for n in range(1, 40))
    root = module({"m.go": f'package m\n\nconst c0 = "bomb"\n{doubled}', "m_test.go": FUZZ})
    found = _literals(go, root)
    assert found.tokens == ()
    assert "exit status 2" in found.problem
    assert len(found.problem) < 1000


def test_tags_choose_the_files(go: Go, module: MakeModule) -> None:
    files = {
        "m.go": "package m\n",
        "a.go": '//go:build special\n\npackage m\n\nvar a = "special"\n',
        "m_test.go": FUZZ,
    }
    root = module(files)
    assert b"special" not in _literals(go, root).tokens
    assert b"special" in _literals(go, root, tags="special").tokens


def test_names_with_blanks_and_cgo(go: Go, module: MakeModule) -> None:
    files: Mapping[str, str] = {
        "go.mod": "module example.org/m\n\ngo 1.21\n",
        "m_test.go": FUZZ,
        "c.go": 'package m\n\n// int f(void);\nimport "C"\n\nvar a = C.f() == 4711\n',
    }
    root = module(files).rename(module({}).parent / "a b")
    found = _literals(go, root)
    assert found.problem == ""
    assert 4711 in found.integers


def test_a_package_of_the_standard_library(go: Go, tmp_path: Path) -> None:
    (package,) = list_packages(go, ["image/png"], tmp_path)
    found = package_literals(go, package)
    assert {b"IHDR", b"tRNS", b"\x89PNG\r\n\x1a\n"} <= set(found.tokens)
    assert "compress/zlib" in found.imports


@pytest.fixture
def any_package(go: Go, module: MakeModule) -> Package:
    (package,) = list_packages(go, ["."], module({"m.go": "package m\n", "m_test.go": FUZZ}))
    return package


def test_no_source_is_a_problem_not_an_error(go: Go, any_package: Package) -> None:
    for path in any_package.dir.iterdir():
        path.unlink()
    found = package_literals(go, any_package)
    assert found.tokens == ()
    assert found.problem.startswith("no dictionary from the source of example.org/m: go list: ")
    assert "\n" not in found.problem


def test_a_tool_that_fails_is_a_problem(
    go: Go, any_package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(literals, "build_program", lambda *_: Path("/bin/false"))
    assert "found exit status 1" in package_literals(go, any_package).problem


def test_files_and_findings_are_bounded(
    go: Go, module: MakeModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "a.go": 'package m\nvar a, b = "first", "second"\n',
        "b.go": 'package m\nvar c = "third"\n' + "//" * 1000,
        "m_test.go": FUZZ,
    }
    root = module(files)
    for bounds, expected in (
        ({"MaxFound": 1}, {b"first"}),
        ({"MaxFile": 1000}, {b"first", b"second"}),
        ({"MaxTotal": 50}, {b"first", b"second"}),
        ({}, {b"first", b"second", b"third"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(literals, "_BOUNDS", {**literals._BOUNDS, **bounds})
            assert set(_literals(go, root).tokens) == expected


@given(st.integers(-(2**63), 2**64 - 1), st.sampled_from([0, 2, 4, 8]))
def test_binary_forms_hold_the_number(value: int, width: int) -> None:
    (number,) = (Constant("int", b"%d" % value, width, ()),)
    tokens = tokens_of([number])
    binary = [token for token in tokens if token != b"%d" % value]
    assert {len(token) for token in binary} <= ({width} if width else {2, 4, 8})
    for token in binary:
        wanted = value % (1 << (8 * len(token)))
        assert wanted in (int.from_bytes(token, "little"), int.from_bytes(token, "big"))
    assert bool(binary) == (abs(value) > (16 if width == 2 else 255))


def test_tokens_are_bounded() -> None:
    many = (Constant("string", b"%06d" % n, 0, ()) for n in range(10_000))
    assert tokens_of(many) == tuple(b"%06d" % n for n in range(literals.MAX_TOKENS))
    lengths = [Constant("string", b"a" * n, 0, ()) for n in (0, 1, 2, 128, 129)]
    assert tokens_of(lengths) == (b"aa", b"a" * 128)


def test_the_tool_refuses_what_it_was_not_asked(go: Go, tmp_path: Path) -> None:
    tool = build_program(go, literals._sources(), "literals")
    (tmp_path / "request").write_text("no JSON")
    for args, words in (([], "found 0 arguments"), ([tmp_path / "request"], "as JSON in")):
        done = subprocess.run(
            [tool, *args], capture_output=True, text=True, env={"PATH": os.defpath}, check=False
        )
        assert done.returncode == 1
        assert words in done.stderr
