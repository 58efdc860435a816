"""What the kernel counted, as a `Recording`: the same evidence that the other recorders give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import unpack
from gofuzzsec.syscalls.attribution import attribute
from gofuzzsec.syscalls.bpf.calls import Ending, KernelCall, Where
from gofuzzsec.syscalls.bpf.symbolize import Symbolizer
from gofuzzsec.syscalls.classes import class_names
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse, UseKey
from gofuzzsec.syscalls.threadstart import STARTING

__all__ = ["Symbolizer", "origin_of", "recording_of"]

_OUTCOMES = {
    Ending.BEGUN: CallOutcome.BEGUN,
    Ending.OK: CallOutcome.OK,
    Ending.REFUSED: CallOutcome.REFUSED,
    Ending.FAILED: CallOutcome.FAILED,
    Ending.INTERRUPTED: CallOutcome.BEGUN,  # as the agent in boosted binaries marks it
}
_NAMES_TOLD = 8  # of calls that are problems


@dataclass(slots=True)
class _Sum:
    """Calls that make one use; ``best`` is the number of calls with ``stack``."""

    inside: int = 0
    outside: int = 0
    best: int = -1
    stack: tuple[str, ...] = ()


@dataclass(slots=True)
class _Odd:
    """Calls that are no calls of this architecture's table, by how they are told."""

    compat: set[str] = field(default_factory=set)
    nameless: set[str] = field(default_factory=set)

    def problems(self) -> list[str]:
        found = []
        if self.compat:
            found.append(
                f"it made 32-bit or x32 system calls ({_listed(self.compat)}), which have other "
                "numbers and which no profile made here allows"
            )
        if self.nameless:
            names = _listed(self.nameless)
            found.append(f"it made calls whose numbers have no name here ({names})")
        return found


def recording_of(
    calls: Iterable[KernelCall],
    symbolizer: Symbolizer | None,
    *,
    test_binary: bool,
    problems: Sequence[str] = (),
) -> Recording:
    """The recording that *calls* make, with *problems* of the Following that counted them.

    Children are the target's, what comes before the program begins the runtime's; C code called
    through cgo is the target's unless its goroutine is the harness's; of the rest the stack
    decides. What is in no window is kept as not stable. *symbolizer* is None for a program that is
    not Go's, *test_binary* as in `attribution.attribute`. Raises RecorderError on a machine whose
    calls have no table.
    """
    arch = table.machine_arch()
    sums: dict[UseKey, _Sum] = {}
    resumed: list[tuple[UseKey, KernelCall]] = []
    odd = _Odd()
    for call in calls:
        if call.compat:
            odd.compat.add(f"{call.number:#x}")
            continue
        name, kind, args = _told(call, arch, odd)
        origin = origin_of(call, name, symbolizer, test_binary=test_binary)
        key = (name, kind, _OUTCOMES[call.ending], args, origin)
        if call.ending is Ending.INTERRUPTED:
            resumed.append((key, call))
        else:
            _add(sums, key, call, symbolizer)
    shown = {(name, kind, *rest) for name, kind, _, *rest in sums}
    for key, call in resumed:
        if (key[0], key[1], *key[3:]) not in shown:
            _add(sums, key, call, symbolizer)
    uses = tuple(_use(key, sums[key]) for key in sorted(sums))
    told = [*dict.fromkeys(problems), *odd.problems()]
    return Recording(uses, complete=not told, problem="; ".join(told))


def origin_of(
    call: KernelCall, name: str, symbolizer: Symbolizer | None, *, test_binary: bool
) -> Origin:
    """Who made *call*, which is the call *name*."""
    if call.place is Where.CHILD:
        return Origin.TARGET
    if name == "rt_sigreturn":  # a handler's epilogue; the stack is of where the signal struck
        return Origin.RUNTIME
    stack = symbolizer.stack(call) if symbolizer is not None else ()
    if call.place is Where.STARTUP and not stack:
        return Origin.RUNTIME
    origin = attribute(stack, test_binary=test_binary)
    if call.place is Where.C:
        return origin if origin is Origin.HARNESS else Origin.TARGET
    if origin is Origin.UNKNOWN and call.place in (Where.SCHEDULER, Where.OUTSIDE):
        if stack and not any(frame.go for frame in stack):
            # C code that no goroutine called: the start of a thread, or of a library's own.
            return Origin.RUNTIME if name in STARTING else Origin.UNKNOWN
        return Origin.RUNTIME if call.place is Where.SCHEDULER else Origin.UNKNOWN
    return origin


def _told(call: KernelCall, arch: str, odd: _Odd) -> tuple[str, str, tuple[int, ...]]:
    """Name, kind and values of *call*."""
    name = table.name(call.number, arch)
    if name is None:
        nameless = f"syscall_{call.number:#x}"
        odd.nameless.add(nameless)
        return nameless, "", ()
    args = () if call.values is None else unpack(name, call.values)
    return name, class_names(name)[call.kind], args


def _add(
    sums: dict[UseKey, _Sum],
    key: UseKey,
    call: KernelCall,
    symbolizer: Symbolizer | None,
) -> None:
    known = sums.setdefault(key, _Sum())
    if call.windows:
        if not known.inside:
            known.best = -1  # a stack from inside goes before all others
        known.inside += call.count
    else:
        known.outside += call.count
        if known.inside:
            return
    if symbolizer is None:
        return
    lines = symbolizer.lines(call)
    if (call.count, lines) > (known.best, known.stack):
        known.best, known.stack = call.count, lines


def _use(key: UseKey, found: _Sum) -> SyscallUse:
    name, kind, outcome, args, origin = key
    return SyscallUse(
        name,
        origin,
        found.inside or found.outside,
        stable=found.inside > 0,
        stack=found.stack,
        kind=kind,
        outcome=outcome,
        args=args,
    )


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _NAMES_TOLD
    return ", ".join(ordered[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")
