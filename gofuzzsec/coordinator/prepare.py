"""Getting one target ready: its row in the store, seeds, recorders, and where crashes go."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gofuzzsec.binary import code_tokens
from gofuzzsec.coordinator.aim import aim
from gofuzzsec.coordinator.campaign import Campaign
from gofuzzsec.coordinator.capture import Capture, ProcessTask
from gofuzzsec.coordinator.choice import Choice
from gofuzzsec.coordinator.events import Event, Note
from gofuzzsec.coordinator.kernel import Kernel
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.pool import Pool
from gofuzzsec.coordinator.seeds import gather
from gofuzzsec.coordinator.state import CampaignOptions, State
from gofuzzsec.coordinator.tokens import TokenBook
from gofuzzsec.corpus.dictionary import read_dictionary, shipped_dictionaries, suggested
from gofuzzsec.errors import BinaryError, RecorderError
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.syscalls import Recording, strace
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.tests_run import record_tests
from gofuzzsec.toolchain import go_fuzz_cache
from gofuzzsec.toolchain.binaries import has_c_code
from gofuzzsec.toolchain.literals import package_literals
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import WorkerSpec
from gofuzzsec.worker.agent_wire import CALL_FEATURES

_MOST_PROBLEMS = 5  # unusable seed files named one by one


@dataclass(frozen=True, slots=True)
class Preparation:
    """What all targets of a session share. ``folder`` is the campaign's, ``scratch`` short-lived.

    ``processes`` holds what is recorded once a package, however many targets it has; ``choice``
    is who records.
    """

    store: Store
    folder: Path
    scratch: Path
    go: Go | None
    emit: Callable[[Event], None]
    choice: Choice = field(default_factory=Choice)
    processes: dict[str, Once] = field(default_factory=dict)


class Once:
    """A recording that several threads ask for and the first one makes."""

    def __init__(self, record: Callable[[], Recording]) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._made: Recording | None = None

    def __call__(self) -> Recording:
        with self._lock:
            if self._made is None:
                self._made = self._record()
            return self._made


def prepare(
    shared: Preparation,
    binary: FuzzBinary,
    name: str,
    options: SessionOptions,
    limit: int | None,
) -> Campaign:
    """The campaign of target *name* of *binary*.

    Raises WorkerStartError when the target fails before `f.Fuzz`, RecorderError when a recorder
    was asked for by name and cannot work with this target.
    """
    package = binary.package
    target = shared.store.add_target(
        import_path=binary.import_path,
        name=name,
        package_dir=str(binary.cwd),
        module_dir=str(package.module_dir or "") if package is not None else "",
        binary="" if package is not None else str(binary.path),
        external=package.external if package is not None else False,
    )
    found = gather(binary.path, name, binary.cwd, _seed_folders(shared, binary, name))
    for problem in found.problems[:_MOST_PROBLEMS]:
        shared.emit(Note("warning", f"{name}: not used as a seed: {problem}"))
    if len(found.problems) > _MOST_PROBLEMS:
        more = len(found.problems) - _MOST_PROBLEMS
        shared.emit(Note("warning", f"{name}: {more} more seed files are not used"))
    shared.store.set_types(target.id, tuple(found.types))
    spec = WorkerSpec(
        binary=binary.path,
        target=name,
        cwd=binary.cwd,
        memory_limit=options.memory_limit,
        hang_timeout=options.hang_timeout,
    )
    kernel, why = _kernel(shared, binary, options)
    in_process = kernel is None and binary.boosted and options.capture in ("auto", "in-process")
    capture: Capture | None
    if kernel is not None:
        capture = kernel.capture(spec, shared.scratch / f"bpf-{target.id}")
    else:
        capture = _capture(shared, target, options, spec, binary.boosted)
    known = {row.hash for row in shared.store.inputs(target.id)}
    state = State(
        store=shared.store,
        target=target,
        binary=binary,
        options=_campaign_options(shared, target, options),
        emit=shared.emit,
        capture=capture,
        limit=limit,
        pool=Pool(call_bytes=CALL_FEATURES // 8 if binary.boosted else 0),
        types=tuple(found.types),
        tokens=_tokens(shared, binary, options),
        in_process=in_process,
        has_c_code=in_process and has_c_code(binary.path),
        marked=kernel is not None and binary.boosted,
    )
    if options.toward_syscalls:
        state.schedule.direction = aim(state)
    seeds = [seed for seed in found.seeds if seed.hash not in known]
    # Whole processes are recorded by strace where the workers record the inputs themselves.
    processes = _processes(shared, target, binary, kernel) if capture is not None else []
    live = kernel.live(state.options.workers) if kernel is not None else None
    scratch = shared.scratch / str(target.id)
    return Campaign(state, seeds, processes, scratch, live=live, why=why)


def _seed_folders(shared: Preparation, binary: FuzzBinary, name: str) -> list[tuple[Path, str]]:
    folders = [(binary.cwd / "testdata" / "fuzz" / name, "seed-testdata")]
    if shared.go is not None:
        folders.append((go_fuzz_cache(shared.go, binary.import_path, name), "seed-cache"))
    return folders


def _campaign_options(
    shared: Preparation, target: TargetRow, options: SessionOptions
) -> CampaignOptions:
    spare = shared.folder / "testdata" / target.import_path / "fuzz" / target.name
    if target.external:
        crash_dir = spare
        rerun = "gofuzzsec crashes replay {hash}"
    else:
        crash_dir = Path(target.package_dir) / "testdata" / "fuzz" / target.name
        rerun = f"go test -run={target.name}/{{hash}}"
        if Path(target.package_dir).absolute() != options.cwd.absolute():
            rerun += f" {target.import_path}"
    return CampaignOptions(
        workers=options.workers or os.cpu_count() or 1,
        hang_timeout=options.hang_timeout,
        memory_limit=options.memory_limit,
        minimise_seconds=options.minimise_seconds,
        stop_on_crash=options.stop_on_crash,
        crash_dir=str(crash_dir),
        spare_crash_dir=str(spare),
        rerun=rerun,
        seed=options.seed,
        gomaxprocs=options.gomaxprocs,
        gogc=options.gogc,
    )


def _tokens(shared: Preparation, binary: FuzzBinary, options: SessionOptions) -> TokenBook:
    """The dictionary a boosted target begins with; a stock worker cannot take one.

    Behind the user's own come the literals of the package, then the dictionaries that ship for
    the formats it deals with. Constants in the machine code stand in for literals where the
    source cannot be read.
    """
    if not binary.boosted or shared.go is None or binary.package is None:
        return TokenBook(options.dictionary)
    package = binary.package
    literals = package_literals(shared.go, package, tags=options.tags)
    found = literals.tokens
    if literals.problem:
        shared.emit(Note("warning", literals.problem))
        found = code_tokens(binary.path, binary.import_path).tokens
    shipped = shipped_dictionaries()
    formats = suggested(package.import_path, literals.imports)
    known = [token for name in formats for token in read_dictionary(shipped[name])]
    return TokenBook(options.dictionary, [*found, *known])


def _kernel(
    shared: Preparation, binary: FuzzBinary, options: SessionOptions
) -> tuple[Kernel | None, str]:
    """How bpf records *binary*, None where it does not, and why that is so."""
    tracer = shared.choice.tracer
    if tracer is None:
        return None, shared.choice.why
    try:
        return Kernel.of(tracer, binary.path), shared.choice.why
    except (BinaryError, RecorderError) as error:
        if options.capture == "bpf":
            raise
        return None, f"not bpf: {error}"


def _capture(
    shared: Preparation,
    target: TargetRow,
    options: SessionOptions,
    spec: WorkerSpec,
    target_boosted: bool,
) -> Capture | None:
    """The recorder outside the workers. With in-process capture it looks only at what that cannot
    see: inputs that start processes, and binaries with C code."""
    if options.capture in ("off", "in-process"):
        return None
    problem = strace.available()
    if problem is None:
        scratch = shared.scratch / f"strace-{target.id}"
        return Capture("strace", lambda: strace.StraceRecorder(spec, scratch))
    if options.capture == "strace":
        raise RecorderError(f"expected a working strace for --capture strace: {problem}")
    what = "no system calls are recorded"
    if target_boosted:
        what = "system calls of C code, of started processes and of the tests are not recorded"
    shared.emit(Note("warning", f"{what}: {problem}"))
    return None


def _processes(
    shared: Preparation, target: TargetRow, binary: FuzzBinary, kernel: Kernel | None
) -> list[ProcessTask]:
    """What is recorded once a build beside the inputs: the runtime's baseline, the tests."""
    have: set[str] = set()
    if any(build.key == binary.key for build in shared.store.builds(target.id)):
        captures = shared.store.captures(target.id)
        have = {capture.source for capture in captures if not capture.label}
    go, package = shared.go, binary.package
    if go is None:
        shared.emit(
            Note("warning", "no Go toolchain: start-up calls of the runtime are not recorded")
        )
        return []
    tracer = kernel.tracer if kernel is not None else None
    tasks = []
    # Tests first: the comparison at the end needs them, the profile can wait for the baseline.
    if "tests" not in have and package is not None:
        once = shared.processes.setdefault(
            f"tests of {package.import_path}",
            Once(lambda: record_tests(go, package, binary.path, tracer)),
        )
        tasks.append(ProcessTask("tests", once))
    if "baseline" not in have:
        once = shared.processes.setdefault("baseline", Once(lambda: runtime_baseline(go, tracer)))
        tasks.append(ProcessTask("baseline", once))
    return tasks
