"""`gofuzzsec analyze PACKAGES`: which functions are worth capturing.

Those that tests and fuzz targets reach, by statement coverage, and that contain or reach a system
call, by the call graph of the test binary. The campaign's kept inputs count too: a fuzz test runs
what is in testdata as tests, so the package's folder is mirrored with the inputs put there.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.binary import Function, GoProgram
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.coordinator.capturing.program import read_program
from gofuzzsec.coordinator.capturing.suiterun import Suite, cover_tests
from gofuzzsec.coverage.profile import Block, Coverage, added_up, between
from gofuzzsec.errors import BinaryError, CoverageError
from gofuzzsec.files import write_atomic
from gofuzzsec.store import Store
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.attribution import package_of
from gofuzzsec.toolchain import build_test_binary, find_go, list_tested
from gofuzzsec.toolchain.find import run_go
from gofuzzsec.toolchain.model import Go, Package

_ALL = "^(Test|Example|Fuzz)"
_LINE = re.compile(r"(.+\.go):([0-9]{1,9}):\s+(\S+)\s+[0-9.]+%")  # of `go tool cover -func`
_LAST = 1 << 30  # a line behind every function


@dataclass(frozen=True, slots=True)
class ReachedFunction:
    """A function that ran and may make system calls. ``name`` is its full name in the binary,
    ``file`` its import path and file name, ``calls`` the system calls it contains or leads to, by
    name, sorted; ``unknown``: also some whose number is not constant."""

    import_path: str
    name: str
    file: str
    line: int
    coverage: Coverage
    calls: tuple[str, ...]
    unknown: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """Of one package: the functions to capture, by file and line; ``functions`` counts all that
    it has. ``warnings`` say why some may be missing."""

    package: Package
    reached: tuple[ReachedFunction, ...]
    functions: int
    warnings: tuple[str, ...] = ()


def analyze(
    packages: Sequence[str], cwd: Path, campaign: Path, *, tags: str = "", go: str | None = None
) -> Iterator[Analysis]:
    """Build and run the tests of each package (and the inputs of *campaign*, if there is one).

    Raises UsageError for packages without tests, BuildError, BinaryError.
    """
    toolchain = find_go(go, cwd)
    for package in list_tested(toolchain, packages, cwd, tags=tags):
        # Without inlining every function that is called is one in the binary.
        path = build_test_binary(toolchain, package, tags=tags, cover=True, keep_calls=True)
        suite = Suite(package, read_program(path))
        if suite.program.go is None:
            raise BinaryError(suite.program.problem)
        blocks, warnings = _covered(suite, campaign)
        declared = _declared(toolchain, package, blocks)
        reached = _reached(suite.program.go, package, blocks, declared)
        yield Analysis(package, tuple(reached), len(declared), tuple(warnings))


def _covered(suite: Suite, campaign: Path) -> tuple[tuple[Block, ...], list[str]]:
    """What the tests, the seeds and the campaign's inputs ran."""
    blocks, problem = cover_tests(suite, _ALL, suite.package.dir)
    warnings = [f"the tests of {suite.package.import_path}: {problem}"] if problem else []
    inputs = _inputs(campaign, suite.package)
    if not inputs:
        return blocks, warnings
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-inputs-") as scratch:
        folder = Path(scratch) / suite.package.dir.name
        _mirror(suite.package.dir, folder, inputs)
        names = "|".join(sorted(inputs))
        more, problem = cover_tests(suite, f"^({names})$", folder)
    if problem:
        warnings.append(f"the campaign's inputs of {suite.package.import_path}: {problem}")
    return added_up([*blocks, *more]), warnings


def _inputs(campaign: Path, package: Package) -> dict[str, dict[str, bytes]]:
    """Corpus files of the package's fuzz tests, by test and hash; none without a campaign."""
    if not (campaign / "campaign.db").exists():
        return {}
    with Store.open_readonly(campaign) as store:
        found = {
            row.name: {each.hash: each.data for each in store.inputs(row.id)}
            for row in store.targets()
            if row.import_path == package.import_path
        }
    return {name: inputs for name, inputs in found.items() if inputs}


def _mirror(package: Path, folder: Path, inputs: dict[str, dict[str, bytes]]) -> None:
    """*folder* looks like *package*, but for the inputs in testdata/fuzz."""
    fuzz = folder / "testdata" / "fuzz"
    fuzz.mkdir(parents=True)
    for source, copy in ((package, folder), (package / "testdata", folder / "testdata")):
        for entry in source.iterdir() if source.is_dir() else ():
            if not (copy / entry.name).exists():
                (copy / entry.name).symlink_to(entry)
    for name, files in inputs.items():
        for number, data in files.items():
            write_atomic(fuzz / name / number, data)


def _declared(go: Go, package: Package, blocks: Sequence[Block]) -> list[tuple[str, int, int]]:
    """The package's functions as Go finds them in its sources: file, first line, last line."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-cover-") as scratch:
        profile = Path(scratch) / "cover.out"
        profile.write_text(_profile_text(blocks))
        command = ["tool", "cover", f"-func={profile}"]
        done = run_go(go.path, command, cwd=package.dir, gowork=package.gowork)
    if done.status != 0:
        raise CoverageError(
            f"expected `go tool cover` to list the functions of {package.import_path}, found "
            f"{done.ending}: {done.output[:2000]}"
        )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    found = sorted((m[1], int(m[2])) for line in lines if (m := _LINE.fullmatch(line)))
    after = [*found[1:], ("", 0)]
    return [
        (file, line, following[1] - 1 if following[0] == file else _LAST)
        for (file, line), following in zip(found, after, strict=True)
    ]


def _profile_text(blocks: Sequence[Block]) -> str:
    lines = [
        f"{b.file}:{b.start[0]}.{b.start[1]},{b.end[0]}.{b.end[1]} {b.statements} {b.count}"
        for b in blocks
    ]
    return "\n".join(["mode: count", *lines]) + "\n"


def _reached(
    program: GoProgram,
    package: Package,
    blocks: Sequence[Block],
    declared: Sequence[tuple[str, int, int]],
) -> Iterator[ReachedFunction]:
    graph = CallGraph.read(program)
    reaching = graph.functions_reaching()
    places = _places(program, package)
    by_file: dict[str, list[Block]] = {}
    for block in blocks:
        by_file.setdefault(block.file, []).append(block)
    for file, first, last in declared:
        coverage = between(by_file.get(file, ()), file, first, last)
        functions = places.get((file.rpartition("/")[2], first), [])
        numbers = {
            number
            for function in functions
            if function.address in reaching
            for number in graph.calls_of(function)
        }
        if not coverage.covered or not numbers:
            continue
        names = {_name(number, program.arch) for number in numbers if number is not None}
        yield ReachedFunction(
            package.import_path,
            functions[0].name,
            file,
            first,
            coverage,
            tuple(sorted(names)),
            unknown=None in numbers,
        )


def _name(number: int, arch: str) -> str:
    return table.name(number, arch) or f"syscall_{number:#x}"


def _places(program: GoProgram, package: Package) -> dict[tuple[str, int], list[Function]]:
    """The package's functions by file name and the line where they begin: instances of a generic
    one share it."""
    found: dict[tuple[str, int], list[Function]] = {}
    for function in program.functions:
        if package_of(function.name) != package.import_path or function.generated:
            continue
        frames = program.frames(function.address, call=False)
        if frames:
            place = (frames[-1].file.rpartition("/")[2], frames[-1].line)
            found.setdefault(place, []).append(function)
    return found
