"""A build's key changes with everything that goes into the binary, and with nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gofuzzsec.toolchain import list_packages
from gofuzzsec.toolchain.fingerprint import fingerprint
from gofuzzsec.toolchain.model import Go, Package
from tests.toolchain.conftest import WriteTree, package

FILES: dict[str, str] = {
    "go.mod": "module example.org/m\n\ngo 1.21\n\n"
    "require example.org/dep v0.0.0\n\nreplace example.org/dep => ../dep\n",
    "m.go": 'package m\n\nimport (\n\t_ "embed"\n\n\t"example.org/dep"\n)\n\n'
    "//go:embed data.txt\nvar text string\n\nfunc Use(b []byte) int { return dep.Use(b) }\n",
    "m_test.go": package("m")["m_test.go"],
    "data.txt": "embedded",
    "c/c.go": 'package c\n\n// #include "c.h"\nimport "C"\n\nvar N = C.N\n',
    "c/c.h": "#define N 1\n",
    "uses_c.go": 'package m\n\nimport _ "example.org/m/c"\n',
    "README.md": "# m",
    "testdata/fuzz/FuzzM/seed": 'go test fuzz v1\n[]byte("")\n',
    "other/other.go": "package other\n",
}
DEP = {"go.mod": "module example.org/dep\n\ngo 1.21\n"} | package("dep")


@pytest.fixture
def key(go: Go, tree: WriteTree) -> Callable[..., str]:
    """Write the module anew, with some files changed or added, and take its key."""

    root = tree("m", {})
    found = Package("example.org/m", root, root, standard=False, external=False, gowork="off")

    def take(changes: Mapping[str, str] | None = None, *flags: str) -> str:
        for folder in ("m", "dep"):
            shutil.rmtree(tree(folder, {}), ignore_errors=True)
        tree("dep", DEP)
        tree("m", FILES)
        tree("m", changes or {})
        seen = fingerprint(go, found, list(flags), ["test", *flags])
        assert seen.problem == ""
        assert [path.name for path in seen.tests] == ["m_test.go"]
        return seen.key

    return take


def test_only_what_goes_into_the_binary_counts(key: Callable[..., str]) -> None:
    first = key()
    assert len(first) == 32
    assert key() == first  # other modification times
    for name in ("README.md", "testdata/fuzz/FuzzM/seed", "other/other.go", "other/n.go"):
        assert key({name: "package other\n\nvar X = 1\n"}) == first, name
    assert key({"../dep/dep_test.go": "package dep\n"}) == first  # tests of a dependency
    changed = {
        name: key({name: text})
        for name, text in {
            "m.go": FILES["m.go"] + "// comment\n",
            "m_test.go": FILES["m_test.go"] + "\n",
            "new.go": "package m\n",
            "data.txt": "embedded!",
            "c/c.h": "#define N 2\n",
            "../dep/dep.go": DEP["dep.go"] + "\n",
            "go.mod": FILES["go.mod"].replace("go 1.21", "go 1.22"),
            "go.sum": "\n",
            "default.pgo": "",
        }.items()
    }
    keys = [first, *changed.values()]
    assert len(set(keys)) == len(keys), changed


def test_flags_and_environment_count(
    key: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = [key(), key({}, "-race"), key({}, "-tags=x")]
    level = {"x86_64": ("GOAMD64", "v2")}.get(os.uname().machine, ("GOARM64", "v8.1"))
    for name, value in (("CGO_CFLAGS", "-O1"), level, ("GOFLAGS", "-trimpath")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            keys.append(key())
    compiler = tmp_path / "cc"
    for version in (1, 2):
        compiler.write_text(f'#!/bin/sh\n# {"v" * version}\nexec gcc "$@"\n')
        compiler.chmod(0o755)
        monkeypatch.setenv("CC", str(compiler))
        keys.append(key())
    assert len(set(keys)) == len(keys)


def test_overlay_counts(
    key: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.go"
    overlay = tmp_path / "overlay.json"
    overlay.write_text(f'{{"Replace": {{"{tmp_path}/m/c/c.go": "{other}"}}}}')
    other.write_text("package c\n")
    monkeypatch.setenv("GOFLAGS", f"-overlay={overlay}")
    first = key()
    other.write_text("package c\n\nvar X = 1\n")
    second = key()
    assert second != first
    # Relative paths begin at the folder go runs in, not at the description's.
    overlay.write_text(f'{{"Replace": {{"{tmp_path}/m/c/c.go": "../other.go", "x": "\\u0000"}}}}')
    third = key()
    other.write_text("package c\n")
    assert len({first, second, third, key()}) == 4


def test_folder_counts(go: Go, tree: WriteTree) -> None:
    """Paths of the sources are in the binary: two clones are two builds."""
    files = {"go.mod": "module example.org/m\n\ngo 1.21\n"} | package("m")
    keys = set()
    for folder in ("one", "two"):
        (found,) = list_packages(go, ["."], tree(folder, files))
        keys.add(fingerprint(go, found, [], []).key)
    assert len(keys) == 2


def test_what_go_cannot_list_has_no_key(go: Go, tree: WriteTree) -> None:
    files = {"go.mod": "module example.org/m\n\ngo 1.21\n"} | package("m")
    root = tree("m", files | {"m.go": 'package m\n\nimport _ "example.com/none"\n'})
    (found,) = list_packages(go, ["."], root)
    seen = fingerprint(go, found, [], [])
    assert seen.key == ""
    assert "example.com/none" in seen.problem
