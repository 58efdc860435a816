"""Boosted builds with real toolchains, of awkward packages too, and what they fall back to.

A boosted binary is known by the agent's functions in its symbol table, and goes on being a worker
of Go's own protocol.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from gofuzzsec import toolchain
from gofuzzsec.errors import BuildError, OverlayError
from gofuzzsec.toolchain import build_boosted, build_fuzz_binary, cache_dir, list_packages
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Worker, WorkerSpec
from tests.go_versions import OLDEST, release
from tests.toolchain.conftest import Snapshot, WriteTree, package

MOD = {"go.mod": "module example.org/m\n\ngo 1.21\n"}

AWKWARD = {
    "go.mod": "module example.org/m\n\ngo 1.21\n\nrequire example.net/dep v1.0.0\n",
    "vendor/modules.txt": "# example.net/dep v1.0.0\n## explicit; go 1.21\nexample.net/dep\n",
    "vendor/example.net/dep/dep.go": "package dep\n\nfunc Vendored(n int) int { return n + 1 }\n",
    "c.go": "package m\n\n// static int twice(int n) { return 2 * n; }\n"
    'import "C"\n\nfunc twice(n int) int { return int(C.twice(C.int(n))) }\n',
    "m.go": 'package m\n\nimport "example.net/dep"\n\n'
    "func Use(b []byte) int { return twice(dep.Vendored(len(b))) }\n",
    "m_test.go": "//go:build special\n\n" + package("m")["m_test.go"],
}
"""cgo, a vendored module, a build tag and, where it is put, spaces in its path."""


def symbols(binary: FuzzBinary) -> set[str]:
    with binary.path.open("rb") as handle:
        table = ELFFile(handle).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return {symbol.name for symbol in table.iter_symbols()}


def has_agent(binary: FuzzBinary) -> bool:
    return "internal/fuzz.agServe" in symbols(binary)


def serves(binary: FuzzBinary, folder: Path) -> bool:
    """Whether it answers as Go's own workers do."""
    worker = Worker(WorkerSpec(binary.path, binary.targets[0], binary.cwd), folder / "worker")
    try:
        worker.start()
    finally:
        worker.close()
    return True


def only(go: Go, root: Path, pattern: str = ".", tags: str = "") -> toolchain.Package:
    (found,) = list_packages(go, [pattern], root, tags=tags)
    return found


def replace_in_goroot(
    monkeypatch: pytest.MonkeyPatch, folder: Path, files: Mapping[Path, str]
) -> None:
    """An overlay of the user's, by GOFLAGS."""
    replaced = {}
    for number, (path, text) in enumerate(files.items()):
        ours = folder / f"{number}-{path.name}"
        ours.write_text(text)
        replaced[str(path)] = str(ours)
    (folder / "theirs.json").write_text(json.dumps({"Replace": replaced}))
    monkeypatch.setenv("GOFLAGS", f"-overlay={folder}/theirs.json")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="cgo needs a C compiler")
def test_awkward_package(any_go: Go, tree: WriteTree, snapshot: Snapshot, tmp_path: Path) -> None:
    root = tree("my module/of mine", AWKWARD)
    found = only(any_go, root, tags="special")
    patched = any_go.goroot / "src" / "internal" / "fuzz"
    before = snapshot(root), snapshot(patched)
    binary, reason = build_boosted(any_go, found, tags="special")
    assert (reason, binary.boosted, binary.targets) == ("", True, ("FuzzM",))
    assert has_agent(binary)
    assert binary.go_version == any_go.text
    assert serves(binary, tmp_path)
    stock = build_fuzz_binary(any_go, found, tags="special")
    assert not stock.boosted
    assert stock.key != binary.key
    assert not has_agent(stock)
    assert (snapshot(root), snapshot(patched)) == before
    built = binary.path.stat().st_mtime_ns
    assert build_boosted(any_go, found, tags="special") == (binary, "")
    assert binary.path.stat().st_mtime_ns == built


def test_workspace_and_race(go: Go, tree: WriteTree, tmp_path: Path) -> None:
    root = tree("work", {"go.work": "go 1.21\n\nuse ../a\nuse ../b\n"})
    tree("a", {"go.mod": "module example.org/a\n\ngo 1.21\n"} | package("a"))
    uses = (
        'package b\n\nimport "example.org/a"\n\nfunc Use(data []byte) int { return a.Use(data) }\n'
    )
    tree("b", {"go.mod": "module example.org/b\n\ngo 1.21\n"} | package("b") | {"b.go": uses})
    found = only(go, root, "example.org/b")
    binary = build_fuzz_binary(go, found, race=True, boosted=True)
    assert binary.boosted
    assert {"internal/fuzz.agServe", "runtime.racefuncenter"} <= symbols(binary)
    assert serves(binary, tmp_path)


def test_standard_library_through_a_link(
    go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the standard library is itself its main module, under the name it was given."""
    link = tmp_path / "go link"
    link.symlink_to(go.goroot)
    monkeypatch.setenv("GOROOT", str(link))
    through = toolchain.find_go(str(go.path))
    assert through.goroot == link
    for folder in (link, go.goroot.resolve()):
        found = toolchain.Package(
            "encoding/pem", folder / "src/encoding/pem", folder / "src", True, True, "off"
        )
        binary = build_fuzz_binary(through, found, boosted=True)
        assert has_agent(binary), folder


def test_toolchain_line(
    go: Go, tree: WriteTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Go that go.mod asks for is the one that gets patched, and builds."""
    older = release(OLDEST)
    if older.version >= go.version:
        pytest.skip(f"needs a machine whose Go is newer than {OLDEST}")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / go.text).symlink_to(go.goroot / "bin" / "go")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GOTOOLCHAIN", "path")
    modfile = f"module example.org/m\n\ngo 1.21\n\ntoolchain {go.text}\n"
    root = tree("m", package("m") | {"go.mod": modfile})
    binary = build_fuzz_binary(older, only(older, root), boosted=True)
    assert binary.go_version == go.text
    assert has_agent(binary)


def test_toolchain_in_the_module_cache(
    go: Go, tree: WriteTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is where a `toolchain` line in go.mod gets it from, and go takes no overlay there."""
    cache = tmp_path / "modcache"
    goroot = cache / "golang.org" / f"toolchain@v0.0.1-{go.text}.linux-{go.goarch}"
    (goroot / "bin").mkdir(parents=True)
    for entry in go.goroot.iterdir():
        if entry.name != "bin":
            (goroot / entry.name).symlink_to(entry)
    shutil.copy(go.goroot / "bin" / "go", goroot / "bin" / "go")
    monkeypatch.setenv("GOMODCACHE", str(cache))
    monkeypatch.delenv("GOROOT", raising=False)
    cached = toolchain.find_go(str(goroot / "bin" / "go"))
    monkeypatch.setenv("GOFLAGS", "-trimpath")
    assert cached.goroot == goroot
    binary = build_fuzz_binary(cached, only(cached, tree("m", MOD | package("m"))), boosted=True)
    assert has_agent(binary)
    assert (cache_dir() / "toolchains").is_dir()


def test_downloaded_module(go: Go, downloaded: Callable[[str, Mapping[str, str]], Path]) -> None:
    """Built with a copy of its go.mod, which is one more flag beside -overlay."""
    root = downloaded("dep", {"go.mod": "module example.net/dep\n\ngo 1.21\n"} | package("dep"))
    assert has_agent(build_fuzz_binary(go, only(go, root, "example.net/dep"), boosted=True))


def test_overlay_of_the_users(
    go: Go, tree: WriteTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs and ours in one build, also where both change the same file."""
    root = tree("m", MOD | package("m"))
    hooks = go.goroot / "src" / "internal" / "fuzz" / "trace.go"
    theirs = "\nfunc OfTheUsers() {}\n"
    files = {root / "m.go": package("m")["m.go"] + theirs, hooks: hooks.read_text() + theirs}
    replace_in_goroot(monkeypatch, tmp_path, files)
    binary = build_fuzz_binary(go, only(go, root), boosted=True)
    record = json.loads((binary.path.parent / "record.json").read_text())
    (overlay,) = [flag for flag in record["command"] if flag.startswith("-overlay=")]
    replaced = json.loads(Path(overlay.partition("=")[2]).read_text())["Replace"]
    assert Path(replaced[str(root / "m.go")]).read_text().endswith(theirs)
    assert Path(replaced[str(hooks)]).read_text().endswith(theirs)
    assert has_agent(binary)


# Falling back


def test_missing_anchor(
    go: Go, tree: WriteTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = only(go, tree("m", MOD | package("m")))
    hooks = go.goroot / "src" / "internal" / "fuzz" / "trace.go"
    changed = hooks.read_text().replace("(arg0, arg1 uint32, fakePC uint)", "(_, _ uint32, _ uint)")
    replace_in_goroot(monkeypatch, tmp_path, {hooks: changed})
    binary, reason = build_boosted(go, found)
    assert not binary.boosted
    assert not has_agent(binary)
    assert reason.startswith("expected `func libfuzzerTraceCmp4(arg0, arg1 uint32, fakePC uint)")
    assert "internal/fuzz/trace.go" in reason
    assert "\n" not in reason
    with pytest.raises(OverlayError, match="libfuzzerTraceCmp4"):
        build_fuzz_binary(go, found, boosted=True)


def test_overlay_does_not_build(
    go: Go, tree: WriteTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GOROOT whose internal/fuzz has grown a function with a name of ours."""
    found = only(go, tree("m", MOD | package("m")))
    grown = go.goroot / "src" / "internal" / "fuzz" / "grown.go"
    replace_in_goroot(monkeypatch, tmp_path, {grown: "package fuzz\n\nfunc agServe() {}\n"})
    binary, reason = build_boosted(go, found)
    assert not binary.boosted
    assert reason.startswith("expected the build with our overlay to work as the stock build does")
    assert "agServe redeclared" in reason
    assert "\n" not in reason


def test_what_does_not_build_at_all(go: Go, tree: WriteTree) -> None:
    found = only(go, tree("m", MOD | package("m") | {"m.go": "package m\n\nfunc Use() int {}\n"}))
    with pytest.raises(BuildError, match=r"expected example\.org/m to build; go says:") as caught:
        build_boosted(go, found)
    assert "overlay" not in str(caught.value)


def test_other_systems(go: Go, tree: WriteTree) -> None:
    found = only(go, tree("m", MOD | package("m")))
    binary, reason = build_boosted(replace(go, goarch="loong64"), found)
    assert not binary.boosted
    assert reason == "expected linux on amd64 or arm64 for the boosted engine, found linux/loong64"
    assert binary.path.is_file()
