"""One verification of a profile: what to run, by which recorder, and all that came of it."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gofuzzsec.coordinator.capturing.program import read_program
from gofuzzsec.coordinator.rebuild import BuildChoice, binary_of
from gofuzzsec.coordinator.verifying.bench import Bench
from gofuzzsec.coordinator.verifying.corpora import corpus_subject
from gofuzzsec.coordinator.verifying.corpus import Input
from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.limits import Limits
from gofuzzsec.coordinator.verifying.model import Subject, Verified, VerifyOptions
from gofuzzsec.coordinator.verifying.processes import command_subject, suite_subject
from gofuzzsec.coordinator.verifying.recorders import open_recorder
from gofuzzsec.coordinator.verifying.sight import Subjected
from gofuzzsec.corpus.directory import read_corpus
from gofuzzsec.corpus.format import file_name, marshal
from gofuzzsec.corpus.values import GoType
from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.seccomp.reproduce import Tools, commands_of_input
from gofuzzsec.seccomp.resolve import resolve
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.store.location import campaign_dir
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.toolchain import build_test_binary, find_go, list_tested
from gofuzzsec.toolchain.cache import made_cache_dir
from gofuzzsec.toolchain.model import Go, Package
from gofuzzsec.worker import WorkerSpec

Say = Callable[[str], None]


def verify(profile: Profile, name: str, options: VerifyOptions, cwd: Path, say: Say) -> Verified:
    """Run what *options* name under *profile*, which *name* says where it is from. *say* is told
    what is done.

    Raises ProfileError, UsageError when there is nothing to run, BuildError, StoreError,
    RecorderError when nothing can see refused calls here or libseccomp is missing.
    """
    arch = table.machine_arch()
    resolved = resolve(profile, arch)
    judge = Judge(resolved, arch)
    compiled = compile_filter(resolved, arch)
    subjects: list[Subject] = []
    workers = options.workers or len(os.sched_getaffinity(0))
    with (
        # Among the binaries: elsewhere programs may not be allowed to run.
        tempfile.TemporaryDirectory(prefix="verify-", dir=made_cache_dir("tmp")) as scratch,
        open_recorder(options.recorder, judge, workers) as recorder,
        Limits(options.seconds, workers) as limits,
    ):
        bench = Bench(judge, recorder.see, limits, Path(scratch), options.audit)
        warnings = list(recorder.warnings)
        if compiled.untranslated:
            warnings.append(
                "this libseccomp does not know some calls by name, so that their rules do not hold "
                f"for x32 and 32-bit calls: {', '.join(compiled.untranslated)}"
            )
        tasks = _tasks(options, cwd, warnings)
        for number, task in enumerate(tasks):
            if limits.over:
                warnings.append(f"not begun, for want of time: {task.label}")
                continue
            say(task.label)
            share = limits.portion(1 / (len(tasks) - number))
            subjects.append(task.run(replace(bench, limits=share)))
        interrupted = limits.interrupted
    verified = Verified(
        profile=name,
        arch=arch,
        audit=options.audit,
        recorder=recorder.name,
        subjects=tuple(subjects),
        artefacts=judge.artefacts,
        steered=judge.steered,
        skipped=compiled.skipped,
        warnings=tuple(warnings),
        interrupted=interrupted,
    )
    if not verified.ran and not interrupted and not any(each.findings for each in subjects):
        raise UsageError(_nothing(verified, options))
    return verified


def _nothing(verified: Verified, options: VerifyOptions) -> str:
    if verified.left:
        return (
            f"expected time to run something under the profile, found {options.seconds or 0:.0f} s "
            "too little; give a longer --time"
        )
    return (
        "expected something to run under the profile, found no input, test or command; fuzz "
        "first, name packages with --tests, or give a command behind --"
    )


@dataclass(frozen=True, slots=True)
class _Task:
    """A subject to run; building what it needs is part of `run`."""

    label: str
    run: Callable[[Bench], Subject]


def _tasks(options: VerifyOptions, cwd: Path, warnings: list[str]) -> list[_Task]:
    """What is to be run, in order."""
    tasks = _corpora(options, cwd, warnings)
    if options.packages:
        go = find_go(options.go, cwd)
        for package in list_tested(go, options.packages, cwd, tags=options.tags):
            label = f"tests of {package.import_path}"
            tasks.append(_Task(label, partial(_suite, go, package, options.tags)))
    if options.command:
        path = _executable(options.command[0])
        label = shlex.join(options.command)
        argv = (str(path), *options.command[1:])
        tasks.append(_Task(label, partial(_command, argv, label, cwd)))
    return tasks


def _suite(go: Go, package: Package, tags: str, bench: Bench) -> Subject:
    path = build_test_binary(go, package, tags=tags)
    return suite_subject(bench, path, package, _subjected(path, test_binary=True))


def _command(argv: tuple[str, ...], label: str, cwd: Path, bench: Bench) -> Subject:
    program = _subjected(Path(argv[0]))
    return command_subject(bench, argv, label, program, cwd, dict(os.environ))


def _corpora(options: VerifyOptions, cwd: Path, warnings: list[str]) -> list[_Task]:
    """The corpora of the campaign; without one, none where something else is to be run."""
    folder = campaign_dir(options.campaign, cwd)
    try:
        store = Store.open_readonly(folder)
    except StoreError:
        if options.campaign is not None or not (options.packages or options.command):
            raise
        warnings.append(f"no inputs were run: there is no campaign at {folder}")
        return []
    with store:
        targets = store.targets() if options.target is None else [store.target(options.target)]
    return [
        _Task(f"inputs of {target.full_name}", partial(_corpus, folder, target, options, warnings))
        for target in targets
    ]


def _corpus(
    folder: Path, target: TargetRow, options: VerifyOptions, warnings: list[str], bench: Bench
) -> Subject:
    binary = binary_of(target, BuildChoice(tags=options.tags, go=options.go))
    program = _subjected(binary.path, test_binary=True)
    spec = WorkerSpec(
        binary=binary.path,
        target=target.name,
        cwd=binary.cwd,
        hang_timeout=options.hang_timeout,
    )
    tools = Tools(folder.absolute(), options.go or "go", options.tags)
    with Store.open_readonly(folder) as store:
        inputs, problems = _inputs(store, target)
        warnings += problems
        known = _harness_calls(store.syscalls(target.id))
        rerun = partial(commands_of_input, store, target, tools=tools)
        return corpus_subject(bench, binary.import_path, spec, program, inputs, known, rerun)


def _inputs(store: Store, target: TargetRow) -> tuple[tuple[Input, ...], list[str]]:
    """What the campaign kept, then what is in testdata besides; and files that cannot be used."""
    found = {row.hash: Input(row.hash, row.data) for row in store.inputs(target.id)}
    folder = Path(target.package_dir) / "testdata" / "fuzz" / target.name
    files, broken = read_corpus(folder, tuple(GoType(each) for each in target.types) or None)
    for file in files:
        data = marshal(file.values)
        found.setdefault(file_name(data), Input(file_name(data), data))
    return tuple(found.values()), [f"not run: {each.path}: {each.text}" for each in broken]


def _harness_calls(rows: list[SyscallRow]) -> frozenset[str]:
    """Calls that the evidence has of the harness and of nobody else."""
    harness = {row.name for row in rows if row.origin == Origin.HARNESS or row.source == "harness"}
    return frozenset(harness - {row.name for row in rows if row.origin != Origin.HARNESS})


def _executable(word: str) -> Path:
    found = shutil.which(word)
    if found is None:
        raise UsageError(
            f"expected a program to run at {word}, found none that can be executed; "
            "check the name, or give the path"
        )
    return Path(found).absolute()


def _subjected(path: Path, *, test_binary: bool = False) -> Subjected:
    program = read_program(Path(os.path.realpath(path)))
    return Subjected(program.path, program.go, test_binary)
