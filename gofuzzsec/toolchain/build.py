"""Build test binaries and small programs into the cache.

Go runs in the package's own directory, because `go test -c -fuzz` refuses packages outside the main
module. Nothing is written there: binaries go to the cache, and a package of the module cache is
built with a copy of its go.mod.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gofuzzsec.errors import BuildError, OverlayError, ToolchainError
from gofuzzsec.files import write_atomic
from gofuzzsec.toolchain.cache import build_entry, made_cache_dir
from gofuzzsec.toolchain.elf import ElfError, Image, read_build_info, read_program
from gofuzzsec.toolchain.find import SLOW, go_env, go_environment, run_go
from gofuzzsec.toolchain.fingerprint import ENVIRONMENT, fingerprint
from gofuzzsec.toolchain.listing import list_targets
from gofuzzsec.toolchain.model import FuzzBinary, Go, Package
from gofuzzsec.toolchain.overlay import prepare_overlay
from gofuzzsec.toolchain.packages import fuzz_functions_of
from gofuzzsec.toolchain.process import Completed, run

BOOSTABLE = {("linux", "amd64"), ("linux", "arm64")}
"""(GOOS, GOARCH) that the agent is written for."""


def build_fuzz_binary(
    go: Go, package: Package, *, tags: str = "", race: bool = False, boosted: bool = False
) -> FuzzBinary:
    """The instrumented test binary of *package*, from the cache if nothing it is made of changed.

    One binary serves all targets of the package. Raises BuildError with Go's own output, or when
    the binary cannot list its targets; OverlayError when it is to be boosted and cannot be.
    """
    # Any regexp that is not empty instruments; which target it names matters only when running.
    options = ["-fuzz=.", *(["-race"] if race else [])]
    if boosted:
        overlay = prepare_overlay(go, package)
        go = replace(go, path=overlay.go)
        options.append(f"-overlay={overlay.path}")
    plan = _plan(go, package, tags, options)

    def build(out: Path) -> dict[str, object]:
        _compile(go, package, plan, out)
        declared = fuzz_functions_of(package.dir, plan.tests)
        return {
            **plan.record,
            "targets": list_targets(out, package.dir, declared),
            # A `toolchain` line in the package's go.mod may have brought in another Go than `go`.
            "go_version": _built_by(out) or go.text,
        }

    binary, record = build_entry(plan.key, plan.file, build)
    return FuzzBinary(
        path=binary,
        key=plan.key,
        import_path=package.import_path,
        package=package,
        targets=tuple(record["targets"]),
        cwd=package.dir,
        go_version=record["go_version"],
        boosted=boosted,
    )


def build_boosted(
    go: Go, package: Package, *, tags: str = "", race: bool = False
) -> tuple[FuzzBinary, str]:
    """The boosted fuzz binary and "", or the stock one and one line that says why.

    Raises BuildError when the stock binary cannot be built either.
    """
    if (go.goos, go.goarch) not in BOOSTABLE:
        reason = (
            f"expected linux on amd64 or arm64 for the boosted engine, found {go.goos}/{go.goarch}"
        )
        return build_fuzz_binary(go, package, tags=tags, race=race), reason
    try:
        return build_fuzz_binary(go, package, tags=tags, race=race, boosted=True), ""
    except OverlayError as error:
        reason = str(error)
    except BuildError as error:
        reason = "expected the build with our overlay to work as the stock build does; go says: "
        reason += _first_line(error.output) or str(error)
    return build_fuzz_binary(go, package, tags=tags, race=race), reason


def _first_line(output: str) -> str:
    """The first line of a build's output that is not the heading of a package."""
    lines = [line for line in output.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("# ")), "".join(lines[:1]))


def build_test_binary(
    go: Go, package: Package, *, tags: str = "", cover: bool = False, keep_calls: bool = False
) -> Path:
    """The ordinary test binary of *package* (`go test -c`), cached alike. Raises BuildError.

    With *cover* it counts the statements of the package itself (``-test.coverprofile``), with
    *keep_calls* no function of the package is inlined into another, so that each can be probed.
    """
    options = ["-cover", "-coverpkg=."] if cover else []
    plan = _plan(go, package, tags, [*options, *(["-gcflags=-l"] if keep_calls else [])])

    def build(out: Path) -> dict[str, object]:
        _compile(go, package, plan, out)
        return plan.record

    return build_entry(plan.key, plan.file, build)[0]


@dataclass(frozen=True, slots=True)
class _Plan:
    """One `go test -c`: its command line up to ``-o``, what to call the result, what it is of."""

    key: str
    command: tuple[str, ...]
    file: str
    tests: tuple[str, ...]
    record: dict[str, object]


def _plan(go: Go, package: Package, tags: str, options: list[str]) -> _Plan:
    shared = [*([f"-tags={tags}"] if tags else []), *_module_flags(go, package)]
    # Without vet: whether a doubtful Printf should stop a test is `go test`'s business.
    command = ["test", "-c", "-vet=off", *options, *shared]
    listed = [option for option in options if option.startswith(("-race", "-overlay="))]
    seen = fingerprint(go, package, [*shared, *listed], command)
    if not seen.key:
        # go test's own words for an import cycle or a missing module are what its users know.
        with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
            out = Path(scratch) / "refused.test"
            done = run_go(
                go.path,
                [*command, "-o", str(out), "."],
                cwd=package.dir,
                gowork=package.gowork,
                merge=True,
            )
        words = done.output if done.status != 0 else seen.problem
        raise BuildError(_said(package), words)
    record: dict[str, object] = {
        "import_path": package.import_path,
        "dir": str(package.dir),
        "command": ["go", *command],
    }
    file = f"{_short_name(package.import_path)}.test"
    return _Plan(seen.key, tuple(command), file, tuple(map(str, seen.tests)), record)


def _short_name(import_path: str) -> str:
    """What go would call the binary: the last element that is no major version."""
    *before, last = PurePosixPath(import_path).parts
    return before[-1] if before and re.fullmatch(r"v[0-9]+", last) else last


def _built_by(binary: Path) -> str:
    """The Go version that a binary names, "" when it names none."""
    with binary.open("rb") as handle:
        image = Image(handle.fileno())
        try:
            info = read_build_info(image, read_program(image))
        except ElfError:
            return ""
    return info.version if info else ""


def _compile(go: Go, package: Package, plan: _Plan, out: Path) -> None:
    """Run one `go test -c` into *out*. Raises BuildError."""
    done = run_go(
        go.path,
        [*plan.command, "-o", str(out), "."],
        cwd=package.dir,
        gowork=package.gowork,
        merge=True,
    )
    _check(done, out, _said(package))


def _said(package: Package) -> str:
    return f"expected {package.import_path} to build; go says:"


def _check(done: Completed, out: Path, said: str) -> None:
    if done.status is None:
        raise BuildError(f"{said} nothing more within {SLOW / 60:.0f} minutes", done.output)
    if done.status != 0 or not out.is_file():
        raise BuildError(said, done.output or f"(nothing; {done.ending})")


def _module_flags(go: Go, package: Package) -> list[str]:
    """Flags that let a package of the read-only module cache be built as a main module.

    Go then works on a copy of the module's go.mod, to which it may add what the checksum file of a
    released module often lacks. Replacements by local directories are dropped from the copy: they
    pointed into the author's disk.
    """
    if not package.external or package.standard or package.module_dir is None:
        return []
    env = go_env(go.path, ("GOMODCACHE",), cwd=package.dir, gowork=package.gowork)
    if not env["GOMODCACHE"] or not package.module_dir.is_relative_to(env["GOMODCACHE"]):
        return []
    source = package.module_dir / "go.mod"
    if not source.is_file():
        raise ToolchainError(
            f"expected a go.mod in {package.module_dir}, found none: the module is older than Go "
            "modules; copy the folder out of the module cache and run `go mod init` there"
        )
    sums = package.module_dir / "go.sum"
    text = source.read_bytes()
    name = hashlib.sha256(os.fsencode(source) + b"\0" + text).hexdigest()[:32]
    copy = made_cache_dir("modules") / name / "go.mod"
    if not copy.is_file():
        write_atomic(copy.with_suffix(".sum"), sums.read_bytes() if sums.is_file() else b"")
        write_atomic(copy, _without_local_replacements(go, text))
    return [f"-modfile={copy}", "-mod=mod"]


def _without_local_replacements(go: Go, text: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        path = Path(scratch) / "go.mod"
        path.write_bytes(text)
        done = run_go(go.path, ["mod", "edit", "-json", str(path)], cwd=path.parent, gowork="off")
        try:
            replaced = json.loads(done.stdout).get("Replace") or []
        except (ValueError, AttributeError):
            return text  # go will say what is wrong with it
        local = [r["Old"] for r in replaced if r["New"]["Path"].startswith((".", "/"))]
        flags = [
            f"-dropreplace={old['Path']}" + (f"@{old['Version']}" if old.get("Version") else "")
            for old in local
        ]
        if flags:
            run_go(go.path, ["mod", "edit", *flags, str(path)], cwd=path.parent, gowork="off")
        return path.read_bytes()


def build_program(go: Go, source_files: Mapping[str, str], name: str) -> Path:
    """An ordinary program from sources of our own, cached by their contents and the toolchain.

    *source_files* maps relative paths to contents; a go.mod is added when there is none. The user's
    GOFLAGS and workspace do not apply to it. Raises BuildError.
    """
    files = {"go.mod": f"module {name}\n\ngo 1.21\n", **source_files}
    root = made_cache_dir("binaries")
    env = go_env(go.path, ENVIRONMENT, cwd=root, gowork="off")
    for unused in ("GOFLAGS", "GOMOD", "GOWORK", "GOMODCACHE"):
        del env[unused]
    identity = json.dumps([env, files, name], sort_keys=True)
    key = hashlib.sha256(identity.encode()).hexdigest()[:32]

    def build(out: Path) -> dict[str, object]:
        source = out.parent / "source"
        for path, content in files.items():
            write_atomic(source / path, content.encode())
        # Setting GOFLAGS to something is what turns the user's off, also those of `go env -w`.
        own = {**go_environment(go.path, "off"), "GOFLAGS": "-buildvcs=false", "PWD": str(source)}
        argv = [str(go.path), "build", "-trimpath", "-o", str(out), "."]
        try:
            done = run(argv, cwd=source, env=own, timeout=SLOW, merge=True)
        except OSError as error:
            raise ToolchainError(f"expected to run {go.path}, found: {error}") from error
        _check(done, out, f"expected our own program {name} to build; go says:")
        shutil.rmtree(source)
        return {"program": name, "go_version": go.text}

    return build_entry(key, name, build)[0]
