"""Values that describe Go, its packages and the fuzz binaries built from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Go:
    """One Go toolchain. ``version`` is (major, minor, patch); ``text`` is e.g. "go1.26.8"."""

    path: Path
    version: tuple[int, int, int]
    text: str
    goroot: Path
    goos: str
    goarch: str
    gocache: Path


@dataclass(frozen=True, slots=True)
class Package:
    """One Go package as `go list` describes it.

    ``external`` is True when the package is not in the user's own module (standard library or
    module cache): nothing may then be written beside it. ``gowork`` is what GOWORK has to be when
    go runs in ``dir``: the user's workspace file, "off", or "" for whatever Go finds there.
    """

    import_path: str
    dir: Path
    module_dir: Path | None
    standard: bool
    external: bool
    gowork: str = ""


@dataclass(frozen=True, slots=True)
class FuzzBinary:
    """A test binary that can be a fuzz worker.

    ``key`` names what it was built from (hex digits); for a ready-made binary it is the file's
    SHA-256. ``package`` is None for a ready-made binary. ``targets`` are FuzzX names in source
    order. ``cwd`` is where workers run. ``boosted`` tells that our agent is in it.
    """

    path: Path
    key: str
    import_path: str
    package: Package | None
    targets: tuple[str, ...]
    cwd: Path
    go_version: str
    boosted: bool = False
