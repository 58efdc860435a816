"""Overlays from real, changed and hostile GOROOTs, and from GOFLAGS that name one already."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import gofuzzsec
from gofuzzsec.errors import OverlayError, ToolchainError
from gofuzzsec.toolchain import Overlay, cache_dir, overlay, prepare_overlay
from gofuzzsec.toolchain.model import Go
from gofuzzsec.toolchain.patch import Patch
from gofuzzsec.toolchain.patches import PATCHES
from tests.toolchain.conftest import Snapshot

PATCH = Patch("answer", "answer/answer.go", "return 41", "return 42")
SOURCE = "package answer\n\nfunc Answer() int { return 41 }\n"
ADDED = {"answer/gofuzzsec_x.go": "package answer\n"}

Prepare = Callable[..., Overlay]


@pytest.fixture
def goroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GOROOT with one package; go says that it is its own."""
    root = tmp_path / "go root"
    (root / "src" / "answer").mkdir(parents=True)
    (root / "src" / "answer" / "answer.go").write_text(SOURCE)
    monkeypatch.setenv("GOROOT", str(root))
    monkeypatch.chdir(tmp_path)
    return root


@pytest.fixture
def prepare(go: Go) -> Prepare:
    def call(*patches: Patch, added: Mapping[str, str] = ADDED) -> Overlay:
        return prepare_overlay(go, patches=patches or (PATCH,), added=added)

    return call


def replacements(made: Overlay) -> dict[str, str]:
    found: dict[str, str] = json.loads(made.path.read_text())["Replace"]
    return found


def refused(prepare: Prepare, *patches: Patch) -> str:
    with pytest.raises(OverlayError) as caught:
        prepare(*patches)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_an_overlay_holds(prepare: Prepare, goroot: Path, snapshot: Snapshot) -> None:
    before = snapshot(goroot)
    made = prepare()
    assert made.path == cache_dir() / "overlays" / made.key / "overlay.json"
    replaced = replacements(made)
    folder = goroot / "src" / "answer"
    assert set(replaced) == {str(folder / "answer.go"), str(folder / "gofuzzsec_x.go")}
    patched = Path(replaced[str(folder / "answer.go")])
    assert patched.read_text() == SOURCE.replace("41", "42")
    assert Path(replaced[str(folder / "gofuzzsec_x.go")]).read_text() == "package answer\n"
    assert snapshot(goroot) == before


def test_key_follows_the_contents(prepare: Prepare, goroot: Path) -> None:
    first = prepare()
    assert prepare() == first
    others = [prepare(added={}), prepare(added={"answer/gofuzzsec_x.go": "package answer \n"})]
    (goroot / "src" / "answer" / "answer.go").write_text(SOURCE + "\n// changed\n")
    others.append(prepare())
    keys = [first.key, *(each.key for each in others)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 32 for key in keys)


def test_patches_of_other_versions_do_not_count(prepare: Prepare, goroot: Path) -> None:
    never = Patch("never", "absent.go", "x", "y", before=(1, 21))
    assert prepare(PATCH, never) == prepare(PATCH)


def test_files_stay_untouched_and_damage_heals(prepare: Prepare, goroot: Path) -> None:
    made = prepare()
    patched, added = (Path(path) for path in sorted(replacements(made).values()))
    times = [path.stat().st_mtime_ns for path in (patched, added, made.path)]
    prepare()
    assert [path.stat().st_mtime_ns for path in (patched, added, made.path)] == times
    patched.write_text("package")
    added.unlink()
    made.path.write_text("{")
    prepare()
    assert patched.read_text() == SOURCE.replace("41", "42")
    assert added.is_file()
    assert len(replacements(made)) == 2


def test_many_builders_at_once(go: Go, goroot: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from gofuzzsec import toolchain as t\n"
        "from gofuzzsec.toolchain.patch import Patch\n"
        "patch = Patch('answer', 'answer/answer.go', 'return 41', sys.argv[1])\n"
        "print(t.prepare_overlay(t.find_go(), patches=[patch], added={}).path)"
    )
    command = [sys.executable, "-c", code, f"return {tmp_path.name!r}"]
    env = {**os.environ, "PYTHONPATH": str(Path(gofuzzsec.__file__).parent.parent)}
    builders = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(3)
    ]
    paths = {builder.communicate()[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    (path,) = paths
    (patched,) = json.loads(Path(path).read_text())["Replace"].values()
    assert tmp_path.name in Path(patched).read_text()


def test_unused_overlays_are_pruned(prepare: Prepare, goroot: Path) -> None:
    old = prepare()
    os.utime(old.path.parent / "record.json", (0, 0))
    kept = prepare(added={"answer/gofuzzsec_y.go": "package answer\n"})
    assert not old.path.exists()
    assert kept.path.exists()
    assert prepare() == old
    assert old.path.exists()


def test_unwritable_cache(
    prepare: Prepare, goroot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "full"
    cache.mkdir()
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(cache))
    (cache / "overlays").mkdir()
    made = prepare()
    shutil.rmtree(made.path.parent)
    made.path.parent.write_text("a file where a folder should be")
    with pytest.raises(ToolchainError, match=r"expected to write to the cache .* make room"):
        prepare()


# What may be wrong with a GOROOT


def test_anchor_gone_or_twice(prepare: Prepare, goroot: Path) -> None:
    source = goroot / "src" / "answer" / "answer.go"
    source.write_text(SOURCE.replace("41", "43"))
    expected = "expected `return 41` once in answer/answer.go (patch answer), found no such text"
    assert refused(prepare) == expected
    source.write_text(SOURCE + SOURCE)
    assert refused(prepare).endswith("found it 2 times")


def test_no_such_file(prepare: Prepare, goroot: Path) -> None:
    shutil.rmtree(goroot / "src" / "answer")
    message = refused(prepare)
    assert "answer/answer.go (patch answer)" in message
    assert "No such file" in message


def test_files_that_are_none(prepare: Prepare, goroot: Path) -> None:
    source = goroot / "src" / "answer" / "answer.go"
    source.unlink()
    os.mkfifo(source)
    assert "not a regular file" in refused(prepare)
    source.unlink()
    source.mkdir()
    assert "not a regular file" in refused(prepare)
    source.rmdir()
    source.symlink_to("/dev/zero")
    assert "not a regular file" in refused(prepare)
    source.unlink()
    source.symlink_to(source)
    assert "levels of symbolic links" in refused(prepare)
    source.unlink()
    source.write_bytes(b"return 41 \xff")
    assert "not UTF-8" in refused(prepare)
    with source.open("wb") as handle:
        handle.truncate(1 << 40)
    assert "more than 8 MiB" in refused(prepare)


def test_symbolic_links_serve(prepare: Prepare, goroot: Path, tmp_path: Path) -> None:
    """Debian's GOROOT/src is a link to another tree."""
    (goroot / "src").rename(tmp_path / "share")
    (goroot / "src").symlink_to(tmp_path / "share")
    assert str(goroot / "src" / "answer" / "answer.go") in replacements(prepare())


# GOFLAGS with an overlay of the user's


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    def write(replace: object) -> None:
        path = tmp_path / "their overlay.json"
        path.write_text(json.dumps({"Replace": replace}))
        monkeypatch.setenv("GOFLAGS", "-mod=mod '-overlay=their overlay.json'")

    return write


def test_their_files_are_taken_over(
    prepare: Prepare, goroot: Path, tmp_path: Path, theirs: Callable[[object], None]
) -> None:
    plain = prepare()
    theirs({"m/./m.go": "other/m.go", "/abs/gone.go": ""})
    made = prepare()
    assert made.key != plain.key
    assert replacements(made) == {
        **{old: new.replace(plain.key, made.key) for old, new in replacements(plain).items()},
        str(tmp_path / "m" / "m.go"): str(tmp_path / "other" / "m.go"),
        "/abs/gone.go": "",
    }


def test_their_version_of_a_file_is_patched(
    prepare: Prepare, goroot: Path, tmp_path: Path, theirs: Callable[[object], None]
) -> None:
    original = str(goroot / "src" / "answer" / "answer.go")
    (tmp_path / "mine.go").write_text(SOURCE + "// mine\n")
    theirs({original: "mine.go"})
    patched = Path(replacements(prepare())[original])
    assert patched.read_text() == SOURCE.replace("41", "42") + "// mine\n"
    theirs({original: ""})
    assert "an overlay in GOFLAGS removes the file" in refused(prepare)
    theirs({original: "absent.go"})
    assert "No such file" in refused(prepare)
    theirs({original: "nul\0"})
    assert "found no path" in refused(prepare)


@pytest.mark.parametrize("replace", [[], "x", {"a": 1}, {"a": None}, 7], ids=str)
def test_their_overlay_is_none(
    prepare: Prepare, goroot: Path, theirs: Callable[[object], None], replace: object
) -> None:
    theirs(replace)
    if replace == []:  # nothing replaced
        assert len(replacements(prepare())) == 2
    else:
        assert "that GOFLAGS name" in refused(prepare)


def test_their_overlay_is_absent_or_no_json(
    prepare: Prepare, goroot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-overlay=absent.json")
    assert "absent.json" in refused(prepare)
    (tmp_path / "absent.json").write_text("{\n\n")
    assert "that GOFLAGS name" in refused(prepare)
    (tmp_path / "absent.json").write_text("[" * 100_000)
    assert "that GOFLAGS name" in refused(prepare)


# The real thing


def test_every_patch_fits(any_go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And, but for the hooks, keeps the line numbers of the files it changes."""
    monkeypatch.chdir(tmp_path)
    made = prepare_overlay(any_go)
    source = any_go.goroot / "src"
    replaced = replacements(made)
    for file in {patch.file for patch in PATCHES if patch.fits(any_go.version)}:
        before, after = (source / file).read_text(), Path(replaced[str(source / file)]).read_text()
        assert before != after
        if file != "internal/fuzz/trace.go":
            assert before.count("\n") == after.count("\n"), file


def test_our_files() -> None:
    files = overlay.agent_files()
    packages = {"internal/fuzz": "fuzz", "testing": "testing", "syscall": "syscall"}
    for path, text in files.items():
        folder, _, name = path.rpartition("/")
        assert name.startswith("gofuzzsec_")
        assert not name.endswith("_test.go")
        assert f"\npackage {packages[folder]}\n" in f"\n{text}" or name.endswith(".s"), path
    assert {path.rpartition("/")[0] for path in files} == set(packages)


def test_our_files_are_installed() -> None:
    """The patterns of package data in pyproject.toml cover all that builds read."""
    root = Path(gofuzzsec.__file__).parent
    project = tomllib.loads((root.parent / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["gofuzzsec"]
    shipped = {path for pattern in patterns for path in root.glob(pattern)}
    wanted = {path for path in (root / "agent").rglob("*") if path.is_file()}
    assert {path for path in wanted if path.suffix in (".go", ".s", ".mod")} <= shipped
