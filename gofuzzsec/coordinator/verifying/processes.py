"""What a package's tests, and commands, say about the profile."""

from __future__ import annotations

import shlex
from pathlib import Path

from gofuzzsec.coordinator.verifying.bench import Bench
from gofuzzsec.coordinator.verifying.corpus import MakeSight
from gofuzzsec.coordinator.verifying.judging import judged, unexplained
from gofuzzsec.coordinator.verifying.model import Ended, Finding, Refusal, Subject
from gofuzzsec.coordinator.verifying.refusals import of_harness
from gofuzzsec.coordinator.verifying.sight import Loaded, Subjected
from gofuzzsec.coordinator.verifying.suites import SuiteRun, run_seen, run_suite
from gofuzzsec.toolchain.model import Package

_LONG = 24 * 3600.0  # seconds, where nobody set a limit


def suite_subject(bench: Bench, binary: Path, package: Package, program: Subjected) -> Subject:
    """The hand-written tests of *package*, in its test *binary*."""

    def run_under(loaded: Loaded | None) -> SuiteRun:
        return run_suite(binary, package, lambda: bench.see(program, loaded), bench.limits)

    without = run_under(None)
    allowed = of_harness(without.ended.refusals)
    under: SuiteRun | None = None
    if not bench.audit:
        found, loaded = bench.enforced(run_under, lambda run: run.ended.refusals, allowed)
        under = found
        if unexplained(without.ended, found.ended):  # it may be one that cannot be run twice
            without, under = run_under(None), run_under(loaded)
    findings = _tests(package, without, under)
    tops = [name for name in without.results if "/" not in name]
    ran = [name for name in tops if _ended(name, without) and _ended(name, under or without)]
    told = {finding.label for finding in findings}
    return Subject(
        f"tests of {package.import_path}",
        "tests",
        len(ran),
        len(tops) + (not without.whole),
        sum(name not in told for name in ran),
        findings,
        tuple(sorted(allowed.items())),
        (*without.ended.doubts, *(under.ended.doubts if under is not None else ())),
    )


def _ended(name: str, run: SuiteRun) -> bool:
    """Whether test *name* came to an end; one that never does is one only in a whole run."""
    return run.whole or run.results.get(name) in ("passed", "failed", "skipped")


def _tests(package: Package, without: SuiteRun, under: SuiteRun | None) -> tuple[Finding, ...]:
    """What there is to tell of each test, and of the process where no test tells it."""
    findings = []
    names = dict.fromkeys([*without.results, *(under.results if under is not None else ())])
    for name in names:
        if not (_ended(name, without) and _ended(name, under or without)):
            continue
        pattern = f"^{name.replace('/', '$/^')}$"
        rerun = shlex.join(["go", "-C", str(package.dir), "test", "-v", f"-run={pattern}", "."])
        after = None if under is None else under.of(name)
        finding = judged(name, without.of(name), after, (rerun,))
        if finding is not None and ("/" not in name or finding.refusals == ()):
            findings.append(finding)
    rest = tuple(each for finding in findings for each in finding.refusals)
    whole = judged(
        f"tests of {package.import_path}",
        _without(without.ended, rest),
        None if under is None else _without(under.ended, rest),
    )
    if whole is not None and (whole.refusals or not findings):
        findings.append(whole)
    return tuple(findings)


def _without(ended: Ended, told: tuple[Refusal, ...]) -> Ended:
    """*ended* without refusals that a test has *told* of."""
    known = {(each.name, each.path) for each in told}
    left = tuple(each for each in ended.refusals if (each.name, each.path) not in known)
    return Ended(ended.ok, ended.text, left)


def command_subject(
    bench: Bench,
    argv: tuple[str, ...],
    label: str,
    program: Subjected,
    cwd: Path,
    env: dict[str, str],
) -> Subject:
    """A command, whose first word is a path. It reads nothing, and what it prints is kept back."""

    def run_under(loaded: Loaded | None) -> Ended:
        see: MakeSight = lambda: bench.see(program, loaded)  # noqa: E731
        return run_seen(argv, cwd, env, see, bench.limits, _LONG).ended()

    without = run_under(None)
    under = None
    if not bench.audit:
        loaded = bench.loaded()
        under = run_under(loaded)
        if unexplained(without, under):  # it may not be one that can be run twice
            without, under = run_under(None), run_under(loaded)
    finding = judged(label, without, under)
    found = (finding,) if finding is not None else ()
    ran = not bench.limits.interrupted
    doubts = (*without.doubts, *(under.doubts if under is not None else ()))
    return Subject(label, "command", ran, 1, ran and not found, found, doubts=doubts)
