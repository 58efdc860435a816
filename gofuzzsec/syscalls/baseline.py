"""What the Go runtime itself needs, whatever the program: observed, not listed.

A program that makes the runtime do what it can do for an ordinary one (``baseline_program/``:
start-up, collection, threads, timers, the poller, signals, deep stacks, and each way to die) is
built by the same toolchain and run under a recorder, each scenario with one processor and with
several. It is built twice: as pure Go, and with package net, which Go links with the C library
where it can; threads then start in another way. Only calls that place or stack show to be the
runtime's count, not the program's own; it has no C code of its own, so whatever comes out of the C
library is the runtime's.

The result is cached by program, kernel and recorder: it takes seconds, and changes with nothing
else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gofuzzsec import __version__
from gofuzzsec.errors import RecorderError
from gofuzzsec.files import write_atomic
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import unpack
from gofuzzsec.syscalls.bpf.process import Followed, follow_process
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.classes import class_names
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from gofuzzsec.syscalls.places import Place, Sighting
from gofuzzsec.syscalls.process import TracedProcess, trace_process
from gofuzzsec.syscalls.tracer import find_strace
from gofuzzsec.toolchain import build_program, cache_dir
from gofuzzsec.toolchain.model import Go

_TIMEOUT = 60.0
_IN_C = "c"  # the kernel's word for a call out of the C library
_VERSION = 4  # of the cached form, and of how calls are observed

_ENDINGS = {
    "ok": CallOutcome.OK,
    "refused": CallOutcome.REFUSED,
    "failed": CallOutcome.FAILED,
}
_Counts = dict[tuple[str, str, str, tuple[int, ...]], int]  # by name, kind, outcome and args


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run of the program. ``status`` is how it must end: an exit status, or minus a signal.
    ``processors`` 0 leaves their number to the runtime, which then reads it from the cgroup."""

    name: str
    status: int = 0
    processors: int = 1
    traceback: str = "single"


_PURE = (
    Scenario("hello", processors=0),
    Scenario("collect"),
    Scenario("collect", processors=4),
    Scenario("threads"),
    Scenario("threads", processors=4),
    Scenario("timers"),
    Scenario("timers", processors=4),
    Scenario("signals", processors=2),
    Scenario("stacks"),
    Scenario("exit", status=3),
    Scenario("panic", status=2),
    Scenario("panic", status=-6, traceback="crash", processors=2),
    Scenario("fault", status=2),
    Scenario("deadlock", status=2),
    Scenario("overflow", status=2),
    Scenario("fatal", status=2),
    Scenario("killed", status=-15),
    Scenario("quit", status=2),
)
_WITH_NET = (
    Scenario("hello", processors=0),
    Scenario("network"),
    Scenario("network", processors=4),
    Scenario("collect", processors=4),
    Scenario("threads", processors=4),
    Scenario("signals", processors=2),
    Scenario("panic", status=2),
)


def runtime_baseline(go: Go, tracer: Tracer | None = None) -> Recording:
    """Calls the runtime of *go* makes on this machine, all of origin RUNTIME: as bpf sees them when
    there is a *tracer*, else strace.

    Raises BuildError when the program does not build, RecorderError when the recorder cannot be
    used or a scenario does not end as it must.
    """
    pure = build_program(go, _sources("main.go", "nonetwork.go"), "baseline")
    with_net = build_program(go, _sources("main.go", "network.go"), "baselinenet")
    cached = cache_dir() / "baselines" / f"{_identity(tracer is not None, pure, with_net)}.json"
    known = _read(cached)
    if known is None:
        programs = [(pure, _PURE), (with_net, _WITH_NET)]
        known = _observe(programs) if tracer is None else _followed(tracer, programs)
        write_atomic(cached, json.dumps([[*key, n] for key, n in sorted(known.items())]).encode())
    uses = (
        SyscallUse(name, Origin.RUNTIME, count, kind=kind, outcome=CallOutcome(outcome), args=args)
        for (name, kind, outcome, args), count in sorted(known.items())
    )
    return Recording(tuple(uses))


def _sources(*names: str) -> dict[str, str]:
    folder = resources.files(__package__).joinpath("baseline_program")
    return {name: folder.joinpath(name).read_text("utf-8") for name in names}


def _identity(by_bpf: bool, *programs: Path) -> str:
    """What the result depends on. Programs are cached by content, so their paths name them."""
    kernel = os.uname()
    parts: list[object] = [_VERSION, __version__, *map(str, programs)]
    parts += [kernel.release, kernel.machine]
    if by_bpf:
        parts.append("bpf")
    else:
        strace = find_strace()
        parts += [strace.path, strace.stacks, strace.filters]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _read(path: Path) -> _Counts | None:
    try:
        found = {
            (str(name), str(kind), CallOutcome(outcome).value, tuple(map(int, args))): int(count)
            for name, kind, outcome, args, count in json.loads(path.read_bytes())
        }
    except (OSError, ValueError, TypeError):
        return None  # not there, or damaged: observe again
    return found if found and all(count > 0 for count in found.values()) else None


def _observe(programs: Sequence[tuple[Path, Sequence[Scenario]]]) -> _Counts:
    counts: _Counts = {}
    for program, scenarios in programs:
        # Stacks are read once for each call of a program: its start-up is the same every time.
        known: set[Sighting] = set()
        for scenario in scenarios:
            done = _run(program, scenario, known)
            known |= done.deliberate
            library = {s.name for s in done.deliberate if s.place is Place.FOREIGN}
            for use in done.recording.uses:
                if use.origin is Origin.RUNTIME or use.name in library:
                    key = (use.name, use.kind, use.outcome.value, use.args)
                    counts[key] = counts.get(key, 0) + use.count
    return counts


def _run(program: Path, scenario: Scenario, known: Collection[Sighting]) -> TracedProcess:
    done = trace_process(
        [str(program), scenario.name],
        program.parent,
        _environment(scenario),
        _TIMEOUT,
        known=lambda sighting: sighting in known or sighting.place is Place.FOREIGN,
    )
    _check(scenario, done)
    return done


def _followed(tracer: Tracer, programs: Sequence[tuple[Path, Sequence[Scenario]]]) -> _Counts:
    """What `_observe` gives, by bpf."""
    counts: Counter[tuple[str, str, str, tuple[int, ...]]] = Counter()
    for program, scenarios in programs:
        for scenario in scenarios:
            done = follow_process(
                tracer,
                [str(program), scenario.name],
                program.parent,
                _environment(scenario),
                _TIMEOUT,
            )
            _check(scenario, done)
            for use in done.recording.uses:
                if use.origin is Origin.RUNTIME:
                    counts[use.name, use.kind, use.outcome.value, use.args] += use.count
            for call in done.calls:
                name = table.name(call.number, table.machine_arch())
                if call.place == _IN_C and name is not None and not call.compat:
                    ending = _ENDINGS.get(call.ending, CallOutcome.BEGUN)
                    args = () if call.values is None else unpack(name, call.values)
                    counts[name, class_names(name)[call.kind], ending.value, args] += call.count
    return dict(counts)


def _check(scenario: Scenario, done: TracedProcess | Followed) -> None:
    if done.status != scenario.status or not done.recording.complete:
        raise RecorderError(
            f"expected the baseline program's scenario {scenario.name!r} to end with "
            f"{scenario.status}, found {done.status} ({done.recording.problem or 'trace complete'})"
            f"; it printed:\n{done.output}"
        )


def _environment(scenario: Scenario) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GO")}
    if scenario.processors:
        kept["GOMAXPROCS"] = str(scenario.processors)
    kept["GOTRACEBACK"] = scenario.traceback
    return kept
