"""`gofuzzsec capture --tests PACKAGES`: the hand-written tests of packages under the recorder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from gofuzzsec.coordinator.capturing.merge import merge_windows
from gofuzzsec.coordinator.capturing.model import MOST_WINDOWS, Captured, SuiteOptions
from gofuzzsec.coordinator.capturing.program import (
    Watched,
    read_program,
    watch_each,
    watched_functions,
)
from gofuzzsec.coordinator.capturing.suiterun import Suite, SuiteRun, list_tests, run_tests
from gofuzzsec.coordinator.capturing.watch import open_tracer
from gofuzzsec.coverage.profile import added_up, by_package
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain import build_test_binary, find_go, list_tested
from gofuzzsec.toolchain.model import Package

_PLAIN = "^(Test|Example)"  # fuzz tests would run their seeds; those are a campaign's


def capture_tests(options: SuiteOptions, cwd: Path) -> Iterator[tuple[Package, str, Captured]]:
    """Build and run the tests of each package; the package, a label for its evidence, and what
    its tests did.

    Raises UsageError for packages without tests, BuildError, RecorderError.
    """
    go = find_go(options.go, cwd)
    packages = list_tested(go, options.packages, cwd, tags=options.tags)
    windows = bool(options.functions) or options.by_test
    with open_tracer(options.recorder, functions=windows) as (tracer, doubt):
        for package in packages:
            path = build_test_binary(
                go, package, tags=options.tags, cover=True, keep_calls=bool(options.functions)
            )
            captured = _capture(Suite(package, read_program(path)), options, tracer)
            warnings = (*captured.warnings, *filter(None, [doubt]))
            yield package, _label(options), replace(captured, warnings=warnings)


def _label(options: SuiteOptions) -> str:
    """What tells one way to run a package's tests from another, in the store."""
    words = ["function by function"] if options.by_test else []
    words += [f"-run={options.run}"] if options.run is not None else []
    return " ".join(["tests", *words, *(f"-f {name}" for name in options.functions)])


def _capture(binary: Suite, options: SuiteOptions, tracer: Tracer | None) -> Captured:
    pattern = _PLAIN if options.run is None else options.run
    if options.by_test:
        runs, warnings = _test_by_test(binary, pattern, tracer)
    else:
        watched = Watched(())
        if options.functions:
            watched = watched_functions(binary.program, options.functions)
        runs, warnings = [run_tests(binary, pattern, tracer, watched)], watched.warnings
    everything = merge_windows([each.windows[0] for each in runs])
    return Captured(
        subject=f"tests of {binary.package.import_path}",
        program=binary.program.path,
        import_path=binary.package.import_path,
        recorder="strace" if tracer is None else "bpf",
        windows=tuple(window for each in runs for window in each.windows[1:]) or (everything,),
        everything=everything,
        status=next((each.status for each in runs if each.status), 0),
        seconds=sum(each.seconds for each in runs),
        coverage=by_package(added_up([block for each in runs for block in each.blocks])),
        own=binary.own,
        test_binary=True,
        warnings=warnings,
        output="\n".join(each.output for each in runs if each.status),
    )


def _test_by_test(
    binary: Suite, pattern: str, tracer: Tracer | None
) -> tuple[list[SuiteRun], tuple[str, ...]]:
    """Each test function a window, as many at a time as there may be."""
    names = list_tests(binary, pattern)
    functions = binary.test_functions(names)
    if binary.program.go is None or not functions:
        return [run_tests(binary, pattern, tracer, Watched(()))], ()
    runs: list[SuiteRun] = []
    warnings: list[str] = []
    order = list(functions)
    for first in range(0, len(order), MOST_WINDOWS):
        batch = {name: functions[name] for name in order[first : first + MOST_WINDOWS]}
        watched = watch_each(binary.program.go, list(batch.values()))
        warnings += watched.warnings
        only = pattern if len(functions) <= MOST_WINDOWS else _only(batch, pattern)
        runs.append(run_tests(binary, only, tracer, watched))
    return runs, tuple(warnings)


def _only(names: Iterable[str], pattern: str) -> str:
    """A -test.run for these test functions, with what *pattern* says of their subtests."""
    subtests = pattern.partition("/")
    return f"^({'|'.join(names)})${subtests[1]}{subtests[2]}"
