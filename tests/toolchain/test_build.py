"""Building with the machine's Go: what comes out, what errors look like, what is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gofuzzsec.errors import BuildError, ToolchainError
from gofuzzsec.toolchain import build as build_module
from gofuzzsec.toolchain import (
    build_fuzz_binary,
    build_program,
    build_test_binary,
    cache_dir,
    list_packages,
)
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.toolchain.process import run
from tests.toolchain.conftest import Snapshot, WriteTree, package

MOD = {"go.mod": "module example.org/m\n\ngo 1.21\n"}


def build(go: Go, root: Path, tags: str = "") -> FuzzBinary:
    (found,) = list_packages(go, ["."], root, tags=tags)
    return build_fuzz_binary(go, found, tags=tags)


def refusal(go: Go, root: Path) -> BuildError:
    with pytest.raises(BuildError) as caught:
        build(go, root)
    return caught.value


def test_a_fuzz_binary_and_its_record(go: Go, tree: WriteTree, snapshot: Snapshot) -> None:
    more = 'package m_test\n\nimport "testing"\n\nfunc FuzzExternal(f *testing.F) { f.Skip() }\n'
    root = tree("a module", MOD | package("m") | {"a_external_test.go": more})
    before = snapshot(root)
    binary = build(go, root)
    assert binary.targets == ("FuzzM", "FuzzExternal")
    assert binary.path == cache_dir() / "binaries" / binary.key / "m.test"
    assert build_module._short_name("example.org/m/v2") == "m"
    assert (binary.import_path, binary.cwd, binary.go_version) == ("example.org/m", root, go.text)
    assert binary.package is not None
    record = json.loads((binary.path.parent / "record.json").read_text())
    assert record["import_path"] == "example.org/m"
    assert record["go_version"] == go.text
    assert record["targets"] == ["FuzzM", "FuzzExternal"]
    assert record["command"] == ["go", "test", "-c", "-vet=off", "-fuzz=."]
    assert record["created"].endswith("Z")
    assert build(go, root) == binary
    plain = build_test_binary(go, binary.package)
    assert plain != binary.path
    assert plain.is_file()
    assert build_test_binary(go, binary.package) == plain
    assert snapshot(root) == before


def test_a_change_is_built(go: Go, tree: WriteTree) -> None:
    root = tree("m", MOD | package("m"))
    first = build(go, root)
    tree("m", {"m.go": "package m\n"})
    refusal(go, root)
    two = package("m")["m_test.go"] + "\nfunc FuzzTwo(f *testing.F) { f.Skip() }\n"
    tree("m", {"m.go": package("m")["m.go"], "m_test.go": two})
    second = build(go, root)
    assert second.key != first.key
    assert second.targets == ("FuzzM", "FuzzTwo")
    tree("m", package("m"))
    assert build(go, root) == first


def test_tags(go: Go, tree: WriteTree) -> None:
    slow = "//go:build slow\n\n" + package("m")["m_test.go"].replace("FuzzM", "FuzzSlow")
    root = tree("m", MOD | package("m") | {"slow_test.go": slow})
    assert build(go, root, tags="slow").targets == ("FuzzM", "FuzzSlow")


def test_standard_library_leaves_goroot_alone(go: Go, snapshot: Snapshot) -> None:
    (found,) = list_packages(go, ["encoding/pem"], Path("/"))
    before = snapshot(found.dir)
    binary = build_fuzz_binary(go, found)
    assert binary.targets == ("FuzzIssue58061",) or all(
        t.startswith("Fuzz") for t in binary.targets
    )
    assert binary.cwd == go.goroot / "src" / "encoding" / "pem"
    assert snapshot(found.dir) == before


def test_downloaded_module(
    go: Go, downloaded: Callable[[str, Mapping[str, str]], Path], snapshot: Snapshot
) -> None:
    """Fuzzed in the module cache, although its go.mod names a neighbour of its author's."""
    replaced = (
        "module example.net/dep\n\ngo 1.21\n\nreplace example.net/unused => ../unused\n"
        "replace example.net/old v1.0.0 => ./old\n"
    )
    root = downloaded("dep", {"go.mod": replaced} | package("dep"))
    (found,) = list_packages(go, ["example.net/dep"], root)
    before = snapshot(found.dir)
    binary = build_fuzz_binary(go, found)
    assert binary.targets == ("FuzzDep",)
    assert build_fuzz_binary(go, found) == binary
    assert snapshot(found.dir) == before


def test_downloaded_module_without_go_mod(
    go: Go, downloaded: Callable[[str, Mapping[str, str]], Path]
) -> None:
    root = downloaded("legacy", package("legacy"))
    (found,) = list_packages(go, ["example.net/legacy"], root)
    with pytest.raises(ToolchainError, match="older than Go modules; copy the folder"):
        build_fuzz_binary(go, found)


def test_workspace_member_outside_the_workspace_folder(go: Go, tree: WriteTree) -> None:
    root = tree("work", {"go.work": "go 1.21\n\nuse ../a\nuse ../b\n"})
    tree("a", {"go.mod": "module example.org/a\n\ngo 1.21\n"} | package("a"))
    uses = (
        'package b\n\nimport "example.org/a"\n\nfunc Use(data []byte) int { return a.Use(data) }\n'
    )
    tree("b", {"go.mod": "module example.org/b\n\ngo 1.21\n"} | package("b") | {"b.go": uses})
    (found,) = list_packages(go, ["example.org/b"], root)
    assert build_fuzz_binary(go, found).targets == ("FuzzB",)


# Refusals: one line of ours, then go's


def test_compile_error(go: Go, tree: WriteTree) -> None:
    root = tree(
        "m", MOD | package("m") | {"m.go": "package m\n\nfunc Use(b []byte) { return 1 }\n"}
    )
    error = refusal(go, root)
    ours, *gos = str(error).split("\n")
    assert ours == "expected example.org/m to build; go says:"
    direct = subprocess.run(
        [go.path, "test", "-c", "-o", os.devnull, "."],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "\n".join(gos) == direct.stderr.strip()
    assert "too many return values" in error.output


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"m.go": "package m\n\nfunc {\n"}, "syntax error|expected"),
        ({"m.go": 'package m\n\nimport _ "example.com/none"\n'}, "no required module provides"),
        (
            {
                "m.go": 'package m\n\nimport _ "example.org/m/x"\n',
                "x/x.go": 'package x\n\nimport _ "example.org/m"\n',
            },
            "import cycle not allowed",
        ),
        (
            {"w_test.go": 'package m\n\nimport "testing"\n\nfunc FuzzW(t *testing.T) {}\n'},
            "wrong signature for FuzzW",
        ),
    ],
    ids=["syntax", "import", "cycle", "signature"],
)
def test_gos_own_words(go: Go, tree: WriteTree, files: dict[str, str], words: str) -> None:
    error = refusal(go, tree("m", MOD | package("m") | files))
    assert str(error).startswith("expected example.org/m to build; go says:\n")
    assert any(word in error.output for word in words.split("|")), error.output


def test_noisy_test_main(go: Go, tree: WriteTree) -> None:
    main = (
        'package m\n\nimport (\n\t"fmt"\n\t"os"\n\t"testing"\n)\n\nfunc TestMain(m *testing.M) {\n'
        '\tfmt.Println("FuzzLie")\n\tfmt.Print("FuzzLie, no newline: ")\n\tos.Exit(m.Run())\n}\n'
    )
    root = tree("m", MOD | package("m") | {"main_test.go": main})
    assert build(go, root).targets == ("FuzzM",)


def test_test_main_that_never_runs_the_tests(go: Go, tree: WriteTree) -> None:
    main = (
        'package m\n\nimport (\n\t"fmt"\n\t"os"\n\t"testing"\n)\n\nfunc TestMain(m *testing.M) {\n'
        '\tfmt.Println("database is down")\n\tos.Exit(4)\n}\n'
    )
    error = refusal(go, tree("m", MOD | package("m") | {"main_test.go": main}))
    assert "to list FuzzM, found exit status 4" in str(error)
    assert "database is down" in error.output


def test_build_that_never_ends(go: Go, tree: WriteTree, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = list_packages(go, ["."], tree("m", MOD | package("m")))
    plan = build_module._plan(go, found, "", [])

    def stuck(path: Path, args: list[str], **options: object) -> object:
        return run(["/bin/sleep", "1000"], cwd=Path("/"), env={}, timeout=0.2)

    monkeypatch.setattr(build_module, "run_go", stuck)
    with pytest.raises(BuildError, match="nothing more within"):
        build_module._compile(go, found, plan, Path("/nonexistent/m.test"))


# Programs of our own


def test_build_program(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")  # the user's, of no use here
    main = 'package main\n\nimport "hello/say"\n\nfunc main() { println(say.What) }\n'
    sources = {"main.go": main, "say/say.go": 'package say\n\nconst What = "hello"\n'}
    program = build_program(go, sources, "hello")
    done = subprocess.run([program], capture_output=True, check=True)
    assert done.stderr == b"hello\n"
    assert build_program(go, sources, "hello") == program
    assert sorted(path.name for path in program.parent.iterdir()) == ["hello", "record.json"]
    other = build_program(go, sources | {"main.go": main + "\n"}, "hello")
    assert other != program
    with pytest.raises(BuildError, match="expected our own program broken to build; go says"):
        build_program(go, {"main.go": "package main\n"}, "broken")


def test_two_processes_at_once(go: Go, tree: WriteTree) -> None:
    root = tree("m", MOD | package("m"))
    code = (
        "import sys; from pathlib import Path; from gofuzzsec import toolchain as t\n"
        "go = t.find_go()\n(p,) = t.list_packages(go, ['.'], Path(sys.argv[1]))\n"
        "print(t.build_fuzz_binary(go, p).path)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, root], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    (path,) = paths
    assert Path(path.strip()).is_file()
