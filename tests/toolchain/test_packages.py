"""What the user means by a package pattern, in every kind of surroundings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import ToolchainError, UsageError
from gofuzzsec.toolchain import list_packages
from gofuzzsec.toolchain.model import Go
from gofuzzsec.toolchain.packages import (
    fuzz_functions,
    fuzz_functions_of,
    is_fuzz_name,
    read_listing,
)
from tests.toolchain.conftest import WriteTree, package

MOD = {"go.mod": "module example.org/m\n\ngo 1.21\n"}


def under(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


def names(go: Go, patterns: list[str], cwd: Path, tags: str = "") -> list[str]:
    return [found.import_path for found in list_packages(go, patterns, cwd, tags=tags)]


# Fuzz functions in source text


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("func FuzzA(f *testing.F) {}\nfunc FuzzB(f *testing.F) {}", ("FuzzA", "FuzzB")),
        ("\tfunc  Fuzz (f *testing.F) {}", ("Fuzz",)),
        ("func Fuzz_x(f *testing.F) {}\nfunc FuzzÄ(f *testing.F) {}", ("Fuzz_x", "FuzzÄ")),
        ("func Fuzzy(f *testing.F) {}\nfunc Fuzzä(f *testing.F) {}", ()),
        ("func (s Suite) FuzzA(f *testing.F) {}", ()),
        ("func FuzzGeneric[T any](f *testing.F) {}", ()),
        ("// func FuzzA(f *testing.F) {}", ()),
        ("/* func FuzzA(f *testing.F) {}\n*/ func FuzzB(f *testing.F) {}", ("FuzzB",)),
        ("var s = `\nfunc FuzzA(f *testing.F) {}\n`", ()),
        ('var s = "\\" // `"\nfunc FuzzA(f *testing.F) {}', ("FuzzA",)),
        ("var r = '\"'\nfunc FuzzA(f *testing.F) {}", ("FuzzA",)),
        ("var r = '\\''\nfunc FuzzA(f *testing.F) {} // '", ("FuzzA",)),
        ("myfunc FuzzA(f)", ()),
        ("func\nFuzzA(f *testing.F) {}", ("FuzzA",)),
        ("/* never closed func FuzzA(f *testing.F) {}", ()),
    ],
)
def test_fuzz_functions(source: str, found: tuple[str, ...]) -> None:
    assert fuzz_functions(source) == found


@given(st.text(alphabet="/*`\"'\\\n func FuzzA(", max_size=200))
def test_any_text_can_be_searched(text: str) -> None:
    assert all(is_fuzz_name(name) for name in fuzz_functions(text))


@pytest.mark.parametrize("piece", ["/*", "`", '"', "'", "//", "'\\", "func Fuzz", "/* `"])
def test_search_time_is_linear(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    begun = time.process_time()
    fuzz_functions(text)
    assert time.process_time() - begun < 20  # quadratic would take hours


def test_unreadable_source_declares_nothing(tmp_path: Path) -> None:
    assert fuzz_functions_of(tmp_path, ["missing_test.go"]) == ()


def test_listing_of_something_else() -> None:
    assert list(read_listing(' {"a": 1}\n{"b": 2}\n')) == [{"a": 1}, {"b": 2}]
    for text in ("[1]", "{", "go: warning"):
        with pytest.raises(ValueError):
            list(read_listing(text))


# Patterns


def test_module_patterns(go: Go, tree: WriteTree) -> None:
    root = tree(
        "module with a space",
        MOD
        | package("m")
        | under("sub/one", package("one"))
        | under("bare", {"b.go": "package b\n"}),
    )
    assert names(go, ["."], root) == ["example.org/m"]
    assert names(go, ["./..."], root) == ["example.org/m", "example.org/m/sub/one"]
    assert names(go, ["./sub/..."], root) == ["example.org/m/sub/one"]
    assert names(go, ["./sub/o..."], root) == ["example.org/m/sub/one"]
    assert names(go, [".."], root / "sub" / "one" / "..") == ["example.org/m"]
    assert names(go, ["../.."], root / "sub" / "one") == ["example.org/m"]
    assert names(go, ["example.org/m/..."], root) == ["example.org/m", "example.org/m/sub/one"]
    assert names(go, [str(root / "sub" / "one"), "."], root) == [
        "example.org/m/sub/one",
        "example.org/m",
    ]
    assert names(go, [".", "./...", "example.org/m"], root)[0] == "example.org/m"
    assert len(names(go, [".", "./...", "example.org/m"], root)) == 2
    (one,) = list_packages(go, ["./sub/one"], root)
    assert (one.dir, one.module_dir) == (root / "sub" / "one", root)
    assert not one.standard
    assert not one.external


def test_directory_of_another_module(go: Go, tree: WriteTree) -> None:
    here = tree("here", MOD | package("m"))
    there = tree("there", {"go.mod": "module example.org/there\n\ngo 1.21\n"} | package("there"))
    (found,) = list_packages(go, [str(there)], here)
    assert (found.import_path, found.module_dir) == ("example.org/there", there)
    assert not found.external  # named by its folder: as if the command had been started in it
    assert names(go, ["../there", "."], here) == ["example.org/there", "example.org/m"]
    assert names(go, [str(there)], Path("/")) == ["example.org/there"]


def test_standard_library(go: Go, tree: WriteTree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree("module", MOD)
    for cwd in (root, Path("/")):
        (pem,) = list_packages(go, ["encoding/pem"], cwd)
        assert pem.dir == go.goroot / "src" / "encoding" / "pem"
        assert pem.module_dir == go.goroot / "src"
        assert pem.standard
        assert pem.external
    workspace = tree("workspace", {"go.work": "go 1.21\n"})
    monkeypatch.setenv("GOWORK", str(workspace / "go.work"))
    (again,) = list_packages(go, ["."], pem.dir)
    assert again == pem


def test_workspace(go: Go, tree: WriteTree) -> None:
    root = tree(
        "workspace",
        {"go.work": "go 1.21\n\nuse ./a\nuse ../outside\n"} | under("a", MOD | package("m")),
    )
    tree("outside", {"go.mod": "module example.org/outside\n\ngo 1.21\n"} | package("outside"))
    found = list_packages(go, ["./a", "example.org/outside"], root)
    assert [one.import_path for one in found] == ["example.org/m", "example.org/outside"]
    assert not any(one.external for one in found)
    assert {one.gowork for one in found} == {str(root / "go.work")}


def test_replaced_and_downloaded_modules_are_foreign(
    go: Go, tree: WriteTree, downloaded: Callable[[str, Mapping[str, str]], Path]
) -> None:
    dep = {"go.mod": "module example.net/dep\n\ngo 1.21\n"} | package("dep")
    root = downloaded("dep", dep)
    (found,) = list_packages(go, ["example.net/dep"], root)
    assert found.external
    assert found.gowork == "off"
    assert "modcache" in str(found.dir)
    (by_folder,) = list_packages(go, ["."], found.dir)
    assert by_folder.external
    fork = tree("fork", dep)
    with (root / "go.mod").open("a") as handle:
        handle.write(f"replace example.net/dep => {fork}\n")
    (replaced,) = list_packages(go, ["example.net/dep"], root)
    assert (replaced.dir, replaced.external) == (fork, True)


# Refusals


def test_nothing_to_fuzz(go: Go, tree: WriteTree) -> None:
    root = tree("module", MOD | {"m.go": "package m\n", "m_test.go": "package m\n"})
    with pytest.raises(UsageError, match=r"found none in example\.org/m; write one"):
        list_packages(go, ["."], root)
    many = {f"p{n}/p.go": "package p\n" for n in range(9)}
    with pytest.raises(UsageError, match=r"example\.org/m/p3 and 5 more"):
        list_packages(go, ["./..."], tree("module", many))


def test_targets_behind_build_constraints(go: Go, tree: WriteTree) -> None:
    test = "//go:build slow && linux\n\n" + package("m")["m_test.go"]
    root = tree("module", MOD | package("m") | {"m_test.go": test})
    with pytest.raises(UsageError, match=r"leave these out:\n  FuzzM in .*/m_test\.go"):
        list_packages(go, ["."], root)
    with pytest.raises(UsageError, match="leave these out with --tags fast"):
        list_packages(go, ["."], root, tags="fast")
    assert names(go, ["."], root, tags="slow") == ["example.org/m"]


def test_no_module(go: Go, tree: WriteTree) -> None:
    root = tree("nothing", package("m"))
    for pattern in (".", "./...", "example.com/none"):
        with pytest.raises(ToolchainError, match=r"(?s)go says:.*Run `go mod init NAME`"):
            list_packages(go, [pattern], root)


def test_patterns_that_name_nothing(go: Go, tree: WriteTree) -> None:
    root = tree("module", MOD | package("m") | under("sub", package("sub")))
    with pytest.raises(ToolchainError, match="no required module provides package"):
        list_packages(go, ["example.com/none"], root)
    with pytest.raises(ToolchainError, match=r"To name the directory write \./sub"):
        list_packages(go, ["sub"], root)
    with pytest.raises(ToolchainError, match="matched no packages"):
        list_packages(go, ["std/none/..."], root)
    with pytest.raises(UsageError, match="found nothing; check the path"):
        list_packages(go, ["./nothing"], root)
    with pytest.raises(UsageError, match="found a file"):
        list_packages(go, ["./go.mod"], root)
    with pytest.raises(UsageError, match="name its directory instead"):
        list_packages(go, ["m.go"], root)
    with pytest.raises(UsageError, match="expected a package pattern"):
        list_packages(go, [""], root)
    with pytest.raises(UsageError, match="at least one package"):
        list_packages(go, [], root)
    with pytest.raises(ToolchainError, match="go says"):
        list_packages(go, ["-json"], root)


def test_go_too_old_for_the_module(go: Go, tree: WriteTree) -> None:
    root = tree("module", {"go.mod": "module example.org/m\n\ngo 1.99\n"} | package("m"))
    with pytest.raises(ToolchainError, match=r"go says:\ngo: go.mod requires go >= 1.99"):
        list_packages(go, ["."], root)


def test_a_package_that_does_not_parse_is_left_to_the_build(go: Go, tree: WriteTree) -> None:
    root = tree("module", MOD | package("m") | {"m.go": "package m\n\nfunc {\n"})
    assert names(go, ["./..."], root) == ["example.org/m"]
