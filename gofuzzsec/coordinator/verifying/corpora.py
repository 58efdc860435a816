"""What the inputs of a target say about the profile."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gofuzzsec.coordinator.verifying.bench import Bench, HarnessCalls
from gofuzzsec.coordinator.verifying.corpus import CorpusRun, Input, MakeSight, run_corpus
from gofuzzsec.coordinator.verifying.judging import judged, unexplained
from gofuzzsec.coordinator.verifying.model import Ended, Finding, Refusal, Subject
from gofuzzsec.coordinator.verifying.refusals import of_harness
from gofuzzsec.coordinator.verifying.sight import Loaded, Subjected
from gofuzzsec.worker import WorkerSpec

_FIRST, _SECOND = 0.35, 0.8
"""Of the time left, for the runs without the profile, and for each under it: a launcher makes those
slower, and some may have to be made again."""

_Inputs = tuple[Input, ...]
_Runner = Callable[[Loaded | None, _Inputs], CorpusRun]


def corpus_subject(
    bench: Bench,
    import_path: str,
    spec: WorkerSpec,
    program: Subjected,
    inputs: _Inputs,
    known: frozenset[str],
    rerun: Callable[[str], tuple[str, ...]],
) -> Subject:
    """Every one of *inputs* of the fuzz test that *spec* starts, of the package *import_path*.
    *known* are calls that the campaign saw its harness make, *rerun* gives the commands that run
    an input again, by its hash."""
    run = _runner(bench, spec, program)
    chosen, without = _those_run(inputs, run(None, inputs))
    allowed: HarnessCalls = dict.fromkeys(sorted(known - bench.judge.harmless), ())
    allowed |= of_harness(_refusals(without))
    under: CorpusRun | None = None
    if not bench.audit and not without.problem:
        found, loaded = bench.enforced(lambda loaded: run(loaded, chosen), _refusals, allowed)
        without, under = _again(without, found, chosen, run, loaded)
    label = f"{import_path}.{spec.target}"
    start = _start(label, without, under)
    both = [] if under is None and not bench.audit else _pairs(chosen, without, under)
    findings = []
    for item, first, second in both:
        finding = judged(item.hash, first, second)
        if finding is not None:
            findings.append(replace(finding, rerun=rerun(item.hash)))
    ran = len(both)
    return Subject(
        label=label,
        what="inputs",
        ran=ran,
        total=len(inputs),
        passed=ran - len(findings),
        findings=(*([start] if start is not None else []), *findings),
        harness=tuple(sorted(allowed.items())),
        doubts=(*without.doubts, *(under.doubts if under is not None else ())),
    )


def _runner(bench: Bench, spec: WorkerSpec, program: Subjected) -> _Runner:
    def run(loaded: Loaded | None, which: _Inputs) -> CorpusRun:
        see: MakeSight = lambda: bench.see(program, loaded)  # noqa: E731
        share = _FIRST if loaded is None else _SECOND
        limits = bench.limits.portion(1.0 if bench.audit else share)
        with tempfile.TemporaryDirectory(dir=bench.scratch) as scratch:
            return run_corpus(which, spec, Path(scratch), see, limits)

    return run


def _those_run(inputs: _Inputs, run: CorpusRun) -> tuple[_Inputs, CorpusRun]:
    """The inputs that there was time for."""
    which = [number for number, ended in enumerate(run.ended) if ended is not None]
    ended = tuple(run.ended[number] for number in which)
    return tuple(inputs[number] for number in which), replace(run, ended=ended)


def _pairs(
    inputs: _Inputs, without: CorpusRun, under: CorpusRun | None
) -> list[tuple[Input, Ended, Ended | None]]:
    """The inputs that were run in both ways; in the one way that there is in an audit."""
    found: list[tuple[Input, Ended, Ended | None]] = []
    for number, item in enumerate(inputs):
        first = without.ended[number]
        second = None if under is None else under.ended[number]
        if first is not None and (under is None or second is not None):
            found.append((item, first, second))
    return found


def _start(label: str, without: CorpusRun, under: CorpusRun | None) -> Finding | None:
    before = Ended(not without.problem, _short(without.problem), without.start)
    after = None if under is None else Ended(not under.problem, _short(under.problem), under.start)
    return judged(f"start of {label}", before, after)


def _again(
    without: CorpusRun, under: CorpusRun, inputs: _Inputs, run: _Runner, loaded: Loaded
) -> tuple[CorpusRun, CorpusRun]:
    """Both, with inputs whose failure no refused call explains run once more, in both ways."""
    which = [
        number
        for number, (first, second) in enumerate(zip(without.ended, under.ended, strict=True))
        if first is not None and second is not None and unexplained(first, second)
    ]
    if not which:
        return without, under
    chosen = tuple(inputs[number] for number in which)
    return (
        _replaced(without, which, run(None, chosen)),
        _replaced(under, which, run(loaded, chosen)),
    )


def _replaced(known: CorpusRun, which: list[int], newer: CorpusRun) -> CorpusRun:
    ended = list(known.ended)
    for number, result in zip(which, newer.ended, strict=True):
        ended[number] = result or ended[number]
    return replace(known, ended=tuple(ended))


def _refusals(run: CorpusRun) -> list[Refusal]:
    return [*run.start, *(each for ended in run.ended if ended for each in ended.refusals)]


def _short(text: str) -> str:
    return text.strip().partition("\n")[0]
