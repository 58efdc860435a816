"""The overlay that boosts a fuzz build: our agent's files and a few patches of the user's GOROOT.

GOROOT is read, never written: patched copies and an overlay description (`go help build`,
-overlay) are kept in ``overlays/<key>`` of the cache, named by the contents of all of it. Files are
written only where they differ, each as a whole, so that builders may share the folder without a
lock and a damaged one heals. Go's own build cache keeps the patched packages as long as paths and
contents here stay the same.

An overlay that the user's GOFLAGS already name goes on working: its entries are taken over, and
where it replaces a file that is patched here, its replacement is what gets patched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from gofuzzsec.errors import OverlayError, ToolchainError
from gofuzzsec.files import write_atomic
from gofuzzsec.toolchain.cache import RECORD, UNUSED_DAYS, made_cache_dir, prune
from gofuzzsec.toolchain.find import go_env, parse_version
from gofuzzsec.toolchain.fingerprint import flag_words
from gofuzzsec.toolchain.model import Go, Package
from gofuzzsec.toolchain.patch import Patch, apply_patches, refusal
from gofuzzsec.toolchain.patches import PATCHES

SOURCE_LIMIT = 8 << 20  # bytes of one file that is patched; the largest has 100 KiB
OVERLAY_LIMIT = 64 << 20  # bytes of the user's own overlay description
AGENT = {
    "fuzz": "internal/fuzz/gofuzzsec_",
    "glue/fuzz": "internal/fuzz/gofuzzsec_glue_",
    "glue/syscall": "syscall/gofuzzsec_glue_",
    "glue/testing": "testing/gofuzzsec_glue_",
    "syscall": "syscall/gofuzzsec_",
}
"""Folder below gofuzzsec/agent -> the package its files are added to, and how their names begin."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """``path`` is the file for -overlay; ``key`` (32 hex digits) names all that it brings in.

    ``go`` is the command to build with: the one asked for, except that a toolchain in the module
    cache, where go takes no overlay, is reached by another path.
    """

    path: Path
    key: str
    go: Path


def agent_files() -> dict[str, str]:
    """What is added: path below GOROOT/src -> content."""
    root = resources.files("gofuzzsec").joinpath("agent")
    return {
        begin + source.name: source.read_text("utf-8")
        for folder, begin in AGENT.items()
        for source in _sources(root.joinpath(folder))
    }


def _sources(folder: Traversable) -> list[Traversable]:
    files = folder.iterdir() if folder.is_dir() else ()
    kept = [f for f in files if f.name.endswith((".go", ".s")) and not f.name.endswith("_test.go")]
    return sorted(kept, key=lambda file: file.name)


def prepare_overlay(
    go: Go,
    package: Package | None = None,
    *,
    patches: Sequence[Patch] = PATCHES,
    added: Mapping[str, str] | None = None,
) -> Overlay:
    """The overlay for builds of *package* (for those in the current folder without one).

    The Go that is patched is the one that builds there, which a `toolchain` line in go.mod may make
    another than *go*. *added* maps paths below GOROOT/src to contents, `agent_files` by default.
    Raises OverlayError when its standard library cannot be patched, and ToolchainError when go or
    the cache cannot be used.
    """
    names = ("GOROOT", "GOVERSION", "GOFLAGS", "GOMOD", "GOMODCACHE")
    cwd = package.dir if package else Path.cwd()
    gowork = package.gowork if package else ""
    env = go_env(go.path, names, cwd=cwd, gowork=gowork)
    command = go.path
    if env["GOMODCACHE"] and Path(env["GOROOT"]).is_relative_to(env["GOMODCACHE"]):
        command = _outside_module_cache(Path(env["GOROOT"]))
        env = go_env(command, names, cwd=cwd, gowork=gowork)
    roots = _source_roots(env)
    theirs = _users_overlay(env["GOFLAGS"], cwd)
    new = dict(agent_files() if added is None else added)
    version = parse_version(env["GOVERSION"]) or go.version
    for file, wanted in _by_file([patch for patch in patches if patch.fits(version)]).items():
        new[file] = apply_patches(_original(roots, file, theirs, wanted[0]), wanted)
    return _write(roots, new, theirs, command)


def _outside_module_cache(goroot: Path) -> Path:
    """A command that runs the go of *goroot* under a path where go takes overlays.

    That is where `toolchain` lines in go.mod get their Go from, and from 1.25 on go refuses to
    overlay anything below GOMODCACHE. GOROOT may be a symbolic link, but go follows the one to
    itself, so it needs GOROOT told; and it must not switch to another toolchain again.
    """
    name = hashlib.sha256(os.fsencode(goroot)).hexdigest()[:32]
    folder = made_cache_dir("toolchains") / name
    link = folder / "go"
    script = (
        f"#!/bin/sh\nGOROOT={shlex.quote(str(link))} GOTOOLCHAIN=local "
        f'exec {shlex.quote(str(goroot / "bin" / "go"))} "$@"\n'
    )
    with _disk_errors(folder):
        folder.mkdir(exist_ok=True)
        if not link.is_symlink() or link.readlink() != goroot:
            with contextlib.suppress(FileExistsError):  # another builder is making it
                link.unlink(missing_ok=True)
                link.symlink_to(goroot)
        _settle(folder / "gocmd", script.encode(), 0o755)
    return folder / "gocmd"


def _source_roots(env: Mapping[str, str]) -> list[Path]:
    """GOROOT/src, under each of the names by which go may call it.

    In a package of the standard library that was reached through a symbolic link, go calls its
    folder by the link, and everything in the standard library alike.
    """
    source = Path(env["GOROOT"]) / "src"
    module = Path(env["GOMOD"]).parent if env["GOMOD"] else source
    with contextlib.suppress(OSError):
        if module != source and module.samefile(source):
            return [source, module]
    return [source]


def _users_overlay(goflags: str, cwd: Path) -> dict[str, str]:
    """The replacements that GOFLAGS ask for, with absolute paths; "" stands for a removed file."""
    named = ""
    for flag in flag_words(goflags):
        name, _, value = flag.lstrip("-").partition("=")
        named = value if name == "overlay" else named
    if not named:
        return {}
    path = cwd / named
    try:
        replace = json.loads(_read(path, OVERLAY_LIMIT)).get("Replace") or {}
        # Both sides are relative to the folder that go runs in, not to the description's.
        return {
            os.path.normpath(cwd / _text(old)): os.path.normpath(cwd / new) if _text(new) else ""
            for old, new in replace.items()
        }
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise OverlayError(
            f"expected the overlay {path} that GOFLAGS name to be one, found: {reason}"
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where a path should be")
    return value


def _by_file(patches: Sequence[Patch]) -> dict[str, list[Patch]]:
    files: dict[str, list[Patch]] = {}
    for patch in patches:
        files.setdefault(patch.file, []).append(patch)
    return files


def _original(roots: list[Path], file: str, theirs: Mapping[str, str], patch: Patch) -> str:
    """The file as a build without us would see it."""
    path: str | None = str(roots[0] / file)
    for root in roots:
        path = theirs.get(str(root / file), path)
    if not path:
        raise refusal(patch, "found that an overlay in GOFLAGS removes the file")
    try:
        return _read(Path(path), SOURCE_LIMIT).decode("utf-8")
    except OSError as error:
        raise refusal(patch, f"found no such file to read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise refusal(patch, "found a file that is not UTF-8") from error
    except ValueError as error:  # a NUL in a path of theirs
        raise refusal(patch, f"found no path: {error}") from error


def _read(path: Path, limit: int) -> bytes:
    """A regular file of at most *limit* bytes. Raises OSError for anything else."""
    if path.exists() and not path.is_file():  # reading a pipe or a terminal would never end
        raise OSError("not a regular file")
    with path.open("rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"more than {limit >> 20} MiB")
    return data


def _write(
    roots: list[Path], new: Mapping[str, str], theirs: Mapping[str, str], command: Path
) -> Overlay:
    """Put the files of one overlay into the cache, unless they are there."""
    identity = [list(map(str, roots)), sorted(new.items()), sorted(theirs.items())]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    folder = made_cache_dir("overlays") / key
    ours = {str(root / file): str(folder / "src" / file) for root in roots for file in new}
    files = {f"src/{file}": text for file, text in new.items()}
    files["overlay.json"] = json.dumps({"Replace": {**theirs, **ours}}, indent=1, sort_keys=True)
    files[RECORD] = json.dumps({"src": str(roots[0]), "files": sorted(new)}, indent=1)
    with _disk_errors(folder):
        known = (folder / RECORD).exists()
        if known:
            os.utime(folder / RECORD)  # the last use: another builder's `prune` keeps it now
        for file, text in files.items():
            _settle(folder / file, text.encode())
        if not known:
            prune(folder.parent, UNUSED_DAYS)
    return Overlay(folder / "overlay.json", key, command)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ToolchainError(
            f"expected to write to the cache {folder}, found: {error}; "
            "make room or set GOFUZZSEC_CACHE to another folder"
        ) from error


def _settle(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Make *path* hold *data*; leaves it alone, with its times, when it does."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    write_atomic(path, data, mode)
