"""Which packages the user means, and which of them have fuzz targets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gofuzzsec.errors import ToolchainError, UsageError
from gofuzzsec.toolchain.find import go_env, run_go
from gofuzzsec.toolchain.model import Go, Package

LISTING_LIMIT = 256 << 20  # bytes of `go list` output; `std` needs 2 MiB
SOURCE_LIMIT = 16 << 20  # bytes of one source file that are searched

# Every alternative consumes in linear time and is closed by the end of the text, so that a hostile
# source file cannot make the search quadratic.
_NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|`[^`]*(?:`|\Z)"
    r'|"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?',
    re.DOTALL,
)
_FUZZ_FUNC = re.compile(r"\bfunc\s+(Fuzz\w*)\s*\(")


def is_fuzz_name(name: str) -> bool:
    """Whether `go test` takes a function of this name for a fuzz target: an identifier that is
    ``Fuzz`` or goes on with anything but a lower-case letter."""
    return name.isidentifier() and name.startswith("Fuzz") and not name[4:5].islower()


def fuzz_functions(source: str) -> tuple[str, ...]:
    """Names of the fuzz targets one Go source file declares, in order."""
    code = _NOT_CODE.sub(" ", source)
    return tuple(name for name in _FUZZ_FUNC.findall(code) if is_fuzz_name(name))


def fuzz_functions_of(folder: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Names of the fuzz targets in some files of a folder; unreadable files declare none."""
    names: list[str] = []
    for file in files:
        try:
            with (folder / file).open("rb") as handle:
                data = handle.read(SOURCE_LIMIT)
            if b"Fuzz" in data:
                names += fuzz_functions(data.decode("utf-8", "replace"))
        except OSError:
            continue  # `go test` will say what is wrong with it
    return tuple(names)


def read_listing(text: str) -> Iterator[dict[str, Any]]:
    """The objects of `go list -json` output. Raises ValueError when it is something else."""
    decoder = json.JSONDecoder()
    at = 0
    while match := re.compile(r"\s*").match(text, at):
        at = match.end()
        if at == len(text):
            return
        value, at = decoder.raw_decode(text, at)
        if not isinstance(value, dict):
            raise ValueError("expected JSON objects")
        yield value


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one or more patterns are to be looked up, and what surrounds it. ``gowork`` is the
    workspace file there, "" for none, "off" for Go's own or a downloaded module."""

    cwd: Path
    patterns: tuple[str, ...]
    gowork: str
    module_cache: Path | None


def list_packages(go: Go, patterns: Sequence[str], cwd: Path, *, tags: str = "") -> list[Package]:
    """Packages with fuzz targets that *patterns* name, in `go list`'s order, each once.

    Patterns are Go's: ``.``, ``./...``, directories (relative to *cwd* or absolute, also of another
    module than the one *cwd* is in), import paths with or without ``...``, ``std``. Raises
    UsageError when they name no fuzz target and ToolchainError when Go cannot make sense of them.
    """
    if not patterns:
        raise UsageError("expected at least one package, found none; `.` is the one you stand in")
    found: dict[Path, Package] = {}
    without: list[str] = []
    hidden: list[str] = []
    for place in _places(go, patterns, cwd.absolute()):
        for entry in _list(go, place, tags):
            if package := _with_targets(go, entry, place):
                found.setdefault(package.dir, package)
            else:
                without.append(str(entry.get("ImportPath", "?")))
                hidden += _hidden_targets(entry)
    if not found:
        raise UsageError(_nothing_found(without, hidden, tags))
    return list(found.values())


def list_tested(go: Go, patterns: Sequence[str], cwd: Path, *, tags: str = "") -> list[Package]:
    """Packages with test files that *patterns* name, as `list_packages` does it.

    Raises UsageError when they name none, ToolchainError.
    """
    if not patterns:
        raise UsageError("expected at least one package, found none; `.` is the one you stand in")
    found: dict[Path, Package] = {}
    without: list[str] = []
    for place in _places(go, patterns, cwd.absolute()):
        for entry in _list(go, place, tags):
            if entry.get("Dir") and (entry.get("TestGoFiles") or entry.get("XTestGoFiles")):
                package = _package(go, entry, Path(entry["Dir"]), place)
                found.setdefault(package.dir, package)
            else:
                without.append(str(entry.get("ImportPath", "?")))
    if not found:
        names = ", ".join(without[:5]) + (", …" if len(without) > 5 else "")
        raise UsageError(
            f"expected a package with tests (_test.go files), found none in {names}; "
            "name one that has some, or write one"
        )
    return list(found.values())


def _places(go: Go, patterns: Sequence[str], cwd: Path) -> list[_Place]:
    """Group patterns by the directory to run `go list` in: a directory pattern belongs to the
    module around that directory, everything else to the one around *cwd*."""
    groups: dict[Path, list[str]] = {}
    for pattern in patterns:
        where, rest = _split_pattern(pattern, cwd)
        groups.setdefault(where, []).append(rest)
    places = []
    for where, rests in groups.items():
        env = go_env(go.path, ("GOWORK", "GOMODCACHE"), cwd=where)
        cache = Path(env["GOMODCACHE"]) if env["GOMODCACHE"] else None
        # A workspace named by $GOWORK would not have them as members, and go would refuse.
        foreign = [go.goroot / "src", *([cache] if cache else [])]
        gowork = "off" if any(where.is_relative_to(root) for root in foreign) else env["GOWORK"]
        places.append(_Place(where, tuple(rests), gowork, cache))
    return places


def _split_pattern(pattern: str, cwd: Path) -> tuple[Path, str]:
    """(directory to run in, pattern there). Raises UsageError for what is no package pattern."""
    if not pattern or "\0" in pattern:
        raise UsageError(
            f"expected a package pattern such as ./..., found {pattern!r}; "
            "name a directory or an import path"
        )
    if pattern.endswith(".go") and (cwd / pattern).is_file():
        raise UsageError(
            f"expected a package, found the Go file {pattern}; name its directory instead"
        )
    if pattern not in (".", "..") and not pattern.startswith(("./", "../", "/")):
        return cwd, pattern
    fixed, dots, _ = pattern.partition("...")
    base = fixed.rpartition("/")[0] or "/" if dots else pattern
    where = cwd / base
    if not where.is_dir():
        raise UsageError(
            f"expected a directory with Go files at {where}, found "
            f"{'a file' if where.exists() else 'nothing'}; check the path"
        )
    rest = pattern[len(base) :].lstrip("/") if dots else ""
    return where.resolve(), f"./{rest}" if rest else "."


def _list(go: Go, place: _Place, tags: str) -> list[dict[str, Any]]:
    fields = "Dir,ImportPath,Module,Standard,TestGoFiles,XTestGoFiles,IgnoredGoFiles,Error"
    args = ["list", "-e", "-find", f"-json={fields}"]
    args += [f"-tags={tags}"] if tags else []
    done = run_go(
        go.path,
        [*args, "--", *place.patterns],
        cwd=place.cwd,
        gowork=place.gowork,
        limit=LISTING_LIMIT,
    )
    asked = " ".join(place.patterns)
    try:
        if done.status != 0 or done.lost:
            raise ValueError(done.ending)
        entries = list(read_listing(done.stdout.decode("utf-8", "replace")))
        if not entries:
            raise ValueError("no packages")
    except ValueError as error:
        words = done.stderr.decode("utf-8", "replace").strip() or str(error)
        raise ToolchainError(_refusal(asked, place.cwd, words)) from error
    for entry in entries:
        problem = entry.get("Error")
        # A package that exists but cannot be built is left to `go test -c`, whose words are better.
        if problem and not entry.get("Dir"):
            raise ToolchainError(_refusal(asked, place.cwd, str(problem.get("Err", problem))))
    return entries


def _refusal(asked: str, cwd: Path, words: str) -> str:
    advice = ""
    if "go.mod file not found" in words or "does not contain main module" in words:
        advice = (
            "\nRun `go mod init NAME` in the module's top directory, go into a module, "
            "or name a standard-library package"
        )
    elif (cwd / asked).is_dir():
        advice = f"\nTo name the directory write ./{asked}"
    return f"expected {asked} in {cwd} to be a Go package; go says:\n{words}{advice}"


def _with_targets(go: Go, entry: dict[str, Any], place: _Place) -> Package | None:
    """The package of one `go list` entry if it has fuzz targets."""
    folder = Path(entry.get("Dir", ""))
    tests = [*entry.get("TestGoFiles", ()), *entry.get("XTestGoFiles", ())]
    if not entry.get("Dir") or not fuzz_functions_of(folder, tests):
        return None
    return _package(go, entry, folder, place)


def _package(go: Go, entry: dict[str, Any], folder: Path, place: _Place) -> Package:
    module = entry.get("Module") or {}
    standard = bool(entry.get("Standard"))
    if standard:
        source = go.goroot / "src"
        inside_cmd = str(entry["ImportPath"]).startswith("cmd/")
        module_dir: Path | None = source / "cmd" if inside_cmd else source
    else:
        module_dir = Path(module["Dir"]) if module.get("Dir") else None
    cached = place.module_cache is not None and folder.is_relative_to(place.module_cache)
    own = not standard and not cached and bool(module.get("Main", not module))
    return Package(
        import_path=str(entry["ImportPath"]),
        dir=folder,
        module_dir=module_dir,
        standard=standard,
        external=not own,
        # A foreign package is built as the main module of its own: no workspace contains it.
        gowork=place.gowork if own and place.gowork else "off",
    )


def _hidden_targets(entry: dict[str, Any]) -> list[str]:
    """Fuzz targets in test files that build constraints leave out."""
    folder = Path(entry.get("Dir", ""))
    ignored = [name for name in entry.get("IgnoredGoFiles", ()) if name.endswith("_test.go")]
    return [
        f"{target} in {folder / name}"
        for name in ignored
        for target in fuzz_functions_of(folder, [name])
    ]


def _nothing_found(without: Sequence[str], hidden: Sequence[str], tags: str) -> str:
    names = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")
    text = (
        "expected a fuzz target (func FuzzXxx(f *testing.F) in a _test.go file), "
        f"found none in {names or 'what go list names'}"
    )
    if hidden:
        shown = "\n  ".join(hidden[:10])
        asked = f" with --tags {tags}" if tags else ""
        return f"{text}; build constraints leave these out{asked}:\n  {shown}"
    return f"{text}; write one, or name a package that has one"
