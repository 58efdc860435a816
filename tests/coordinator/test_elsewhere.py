"""Targets that are not in the user's module: standard library, ready-made binaries, Go's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.coordinator.events import CrashFound, Started
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.session import run
from gofuzzsec.corpus import read_corpus
from gofuzzsec.store import Store
from gofuzzsec.toolchain.model import FuzzBinary, Go
from tests.conftest import MakeModule
from tests.coordinator.conftest import RunSession, add_seed


def snapshot(folder: Path) -> set[tuple[str, int]]:
    """Names and modification times of everything below *folder*."""
    return {(str(p), p.lstat().st_mtime_ns) for p in folder.rglob("*")}


def test_a_standard_library_package_is_fuzzed_and_never_written_to(go: Go, tmp_path: Path) -> None:
    folder = go.goroot / "src/encoding/pem"
    before = snapshot(folder)
    heard: list[object] = []
    options = SessionOptions(
        packages=("encoding/pem",), cwd=tmp_path, executions=2_000, capture="off", workers=1
    )
    finished = run(options, heard.append)
    assert snapshot(folder) == before
    with Store.open_readonly(tmp_path / ".gofuzzsec") as store:
        (target,) = store.targets()
        assert target.import_path == "encoding/pem" and target.external
        assert store.input_count(target.id) == finished.stats[0].corpus > 0


def test_a_ready_made_binary_needs_no_source(
    targets: FuzzBinary, project: Path, tmp_path: Path
) -> None:
    add_seed(project, "FuzzTrouble", "bad", 'string("panic")')
    heard: list[object] = []
    options = SessionOptions(
        binary=targets.path,
        package_dir=project,
        target_regex="FuzzTrouble",
        campaign=tmp_path / "campaign",
        cwd=tmp_path,
        executions=200,
        capture="off",
        workers=1,
    )
    run(options, heard.append)
    (found,) = [event for event in heard if isinstance(event, CrashFound)]
    assert Path(found.path).is_file()
    with Store.open_readonly(tmp_path / "campaign") as store:
        assert store.targets()[0].binary == str(targets.path)


def test_every_package_of_a_module_gets_its_turn(module: MakeModule) -> None:
    test = (
        'package {name}\n\nimport "testing"\n\nfunc Fuzz{title}(f *testing.F) {{\n'
        '\tf.Fuzz(func(t *testing.T, s string) {{\n\t\tif s == "x" {{\n\t\t\tt.Log(s)\n'
        "\t\t}}\n\t}})\n}}\n"
    )
    root = module(
        {
            "a/a.go": "package a\n",
            "a/a_test.go": test.format(name="a", title="A"),
            "b/b.go": "package b\n",
            "b/b_test.go": test.format(name="b", title="B"),
            "c/c.go": "package c\n",
        }
    )
    heard: list[object] = []
    options = SessionOptions(
        packages=("./...",), cwd=root, executions=400, capture="off", workers=1
    )
    finished = run(options, heard.append)
    labels = [stats.target for stats in finished.stats]
    assert labels == ["example.org/m/a.FuzzA", "example.org/m/b.FuzzB"]
    assert [event.target for event in heard if isinstance(event, Started)] == labels
    assert (root / ".gofuzzsec/campaign.db").is_file()


def test_shared_inputs_are_where_go_looks_for_them(
    fuzz: RunSession,
    targets: FuzzBinary,
    project: Path,
    go: Go,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A cache of its own, with a ready-made binary so that nothing has to be built into it.
    monkeypatch.setenv("GOCACHE", str(tmp_path / "cache"))
    heard = fuzz(
        "FuzzNested",
        binary=targets.path,
        package_dir=project,
        executions=20_000,
        share_cache=True,
    )
    with heard.store() as store:
        (target,) = store.targets()
        found = {row.hash for row in store.inputs(target.id) if row.source == "fuzz"}
    here = toolchain.find_go(cwd=project)
    shared, problems = read_corpus(
        toolchain.go_fuzz_cache(here, target.import_path, "FuzzNested"), None
    )
    assert not problems
    assert {file.path.name for file in shared} == found != set()


def test_go_test_accepts_every_input_written_to_testdata(
    fuzz: RunSession, project: Path, go: Go
) -> None:
    heard = fuzz("FuzzAllTypes", executions=5_000)
    command = ["-m", "gofuzzsec", "corpus", "export", "--to", "testdata"]
    subprocess.run(
        [sys.executable, *command, "--campaign", heard.campaign], cwd=project, check=True
    )
    env = {**os.environ, "PATH": f"{go.path.parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        ["go", "test", "-v", "-run=FuzzAllTypes"],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    (stats,) = heard.finished.stats
    assert result.stdout.count("--- PASS: FuzzAllTypes/") >= stats.corpus
