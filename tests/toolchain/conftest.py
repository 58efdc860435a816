"""Modules to build: many at once, a folder compared before and after, a module proxy on disk."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

WriteTree = Callable[[str, Mapping[str, str]], Path]
Snapshot = Callable[[Path], dict[str, str]]

FUZZ = """package {name}

import "testing"

func Fuzz{title}(f *testing.F) {{
	f.Add([]byte("seed"))
	f.Fuzz(func(t *testing.T, data []byte) {{ Use(data) }})
}}
"""
CODE = "package {name}\n\nfunc Use(data []byte) int {{ return len(data) }}\n"


def package(name: str) -> dict[str, str]:
    """A package with one fuzz target, FuzzName."""
    return {
        f"{name}.go": CODE.format(name=name),
        f"{name}_test.go": FUZZ.format(name=name, title=name.title()),
    }


@pytest.fixture
def tree(tmp_path: Path) -> WriteTree:
    """Write files below a new folder of *tmp_path*."""

    def write(folder: str, files: Mapping[str, str]) -> Path:
        root = tmp_path / folder
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    return write


@pytest.fixture
def snapshot() -> Snapshot:
    """Names, sizes, contents and times of everything in a folder."""

    def take(root: Path) -> dict[str, str]:
        return {
            str(path.relative_to(root)): f"{path.stat().st_mtime_ns} "
            + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder")
            for path in [root, *root.rglob("*")]
        }

    return take


@pytest.fixture
def downloaded(
    tmp_path: Path, tree: WriteTree, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, Mapping[str, str]], Path]:
    """Publish module example.net/NAME v1.0.0 on a proxy of our own and give a module that
    requires it, so that go keeps it in a module cache of its own."""
    proxy = tmp_path / "proxy"
    monkeypatch.setenv("GOPROXY", f"file://{proxy}")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modcache"))
    monkeypatch.setenv("GONOSUMDB", "*")
    monkeypatch.setenv("GOFLAGS", "-modcacherw")  # so that pytest can remove it

    def publish(name: str, files: Mapping[str, str]) -> Path:
        path = f"example.net/{name}"
        folder = proxy / path / "@v"
        folder.mkdir(parents=True)
        modfile = files.get("go.mod", f"module {path}\n")
        (folder / "v1.0.0.info").write_text(json.dumps({"Version": "v1.0.0"}))
        (folder / "v1.0.0.mod").write_text(modfile)
        with zipfile.ZipFile(folder / "v1.0.0.zip", "w") as archive:
            for file, content in files.items():
                archive.writestr(f"{path}@v1.0.0/{file}", content)
        (folder / "list").write_text("v1.0.0\n")
        hashes = _sums(path, files, modfile)
        return tree(
            f"uses-{name}",
            {
                "go.mod": f"module example.org/uses\n\ngo 1.21\n\nrequire {path} v1.0.0\n",
                "go.sum": hashes,
                "uses.go": f'package uses\n\nimport _ "{path}"\n',
            },
        )

    return publish


def _sums(path: str, files: Mapping[str, str], modfile: str) -> str:
    """go.sum lines: golang.org/x/mod/sumdb/dirhash's Hash1 of the files and of go.mod."""
    import base64

    def hash1(entries: Mapping[str, str]) -> str:
        listing = "".join(
            f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
            for name, text in sorted(entries.items())
        )
        return "h1:" + base64.b64encode(hashlib.sha256(listing.encode()).digest()).decode()

    tree_sum = hash1({f"{path}@v1.0.0/{name}": text for name, text in files.items()})
    return f"{path} v1.0.0 {tree_sum}\n{path} v1.0.0/go.mod {hash1({'go.mod': modfile})}\n"
