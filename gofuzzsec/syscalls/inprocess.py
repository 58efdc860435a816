"""What the agent in a boosted binary saw of system calls, as a `Recording`.

The agent marks *features*: call number * 32 + class * 3 + outcome (see gofuzzsec/agent/syscall and
`classes`). A mark says that it happened at least once; its stack is that of the first caller in
the process, behind which others hide. In a traced run every call is counted by its stack, and
origins are exact.

Not seen in-process, and so never in a recording from here: what the Go runtime calls for itself
and on request (epoll, exit), cgo, assembly outside the standard library, and what a started
process calls after its execve. The last makes a recording incomplete; the others are every
recording's limit (`LIMITS`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.arguments import unpack
from gofuzzsec.syscalls.attribution import StackFrame, attribute
from gofuzzsec.syscalls.classes import class_names
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse, UseKey
from gofuzzsec.syscalls.table import name as call_name
from gofuzzsec.worker.agent_wire import CALL_FEATURES

FEATURES = CALL_FEATURES
OUTCOMES = ("begun", "ok", "errno")
_ENDINGS = {"begun": CallOutcome.BEGUN, "ok": CallOutcome.OK, "errno": CallOutcome.FAILED}
LIMITS = "the Go runtime's own calls, cgo's and those of started processes are not seen in-process"

_SLOTS = 32
_OUT_OF_TABLE = 511
_FRAME_LIMIT = 200  # 60 recorded frames, with what was inlined into them
_NAME_LIMIT = 1000
_PLACE_LIMIT = 1000  # characters of a file's path and line
_STARTS = frozenset({"clone", "clone3", "fork", "vfork", "execve", "execveat"})
_THREAD = "thread"

# gofuzzsecTables in gofuzzsec/agent/syscall/marks_linux.go.
_MARKS_AT, _HELD_AT, _STACKS_AT = 64 + 128, 64 + 128 + 4096, 8192
_RECORD = struct.Struct("<64Q")
_CALLS = 512
TABLES_SIZE = _STACKS_AT + FEATURES * _RECORD.size


@dataclass(frozen=True, slots=True)
class Feature:
    """What one feature stands for: ``call`` by name (``syscall_`` and its number in hexadecimal
    for one without), ``kind`` the class of its arguments ("" for a call without classes),
    ``outcome`` one of `OUTCOMES`."""

    call: str
    kind: str
    outcome: str

    def __str__(self) -> str:
        kind = f" ({self.kind})" if self.kind else ""
        return f"{self.call}{kind}: {self.outcome}"


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A feature that came ``count`` times with one ``stack`` ("function file:line" lines,
    innermost first) and the same ``values`` (the word of `arguments.pack`, None: not told)."""

    feature: int
    count: int
    stack: tuple[str, ...]
    values: int | None = None


@dataclass(frozen=True, slots=True)
class Tables:
    """The agent's memory: features ``marked`` since the execution began, those ``seen`` since the
    process did, and of each of the latter the return addresses of its first caller."""

    marked: tuple[int, ...]
    seen: tuple[int, ...]
    stacks: Mapping[int, tuple[int, ...]]


def feature(index: int, arch: str) -> Feature:
    """What feature *index* stands for on *arch* ("amd64" or "arm64").

    Raises RecorderError for an index that no agent of this version gives.
    """
    number, slot = divmod(index, _SLOTS)
    kind, outcome = divmod(slot, len(OUTCOMES))
    call = call_name(number, arch) or f"syscall_{number:#x}"
    kinds = class_names(call)
    if not 0 <= index < FEATURES or kind >= len(kinds):
        raise RecorderError(
            f"expected a feature of a system call (below {FEATURES}, class below {len(kinds)} "
            f"for {call}), found {index}: agent and coordinator differ; build the binary again"
        )
    return Feature(call, kinds[kind], OUTCOMES[outcome])


def recording_of(
    marks: Sequence[int], stacks: Mapping[int, tuple[str, ...]], arch: str
) -> Recording:
    """The recording of one execution from its *marks* and the stacks known of them.

    A stack that is not the target's only says that the harness or an initialiser was first: the
    origin is unknown then. Counts are the least they can be. Raises RecorderError like `feature`.
    """
    calls = [TracedCall(mark, 1, stacks.get(mark, ())) for mark in marks]
    return _recording(calls, arch, exact=False)


def recording_of_trace(
    calls: Sequence[TracedCall], marks: Sequence[int], arch: str, *, all_traced: bool = True
) -> Recording:
    """The recording of a traced execution.

    *marks* are those of the same execution: calls that did not end are in them only. *all_traced*
    is False when the agent ran out of room for stacks. Raises RecorderError like `feature`.
    """
    traced = {call.feature for call in calls}
    untraced = [TracedCall(mark, 1, ()) for mark in marks if mark not in traced]
    recording = _recording([*calls, *untraced], arch, exact=True)
    if all_traced:
        return recording
    problem = "the run made calls from more places than the agent can trace"
    problems = [text for text in (recording.problem, problem) if text]
    return Recording(recording.uses, complete=False, problem="; ".join(problems))


def _recording(calls: Iterable[TracedCall], arch: str, *, exact: bool) -> Recording:
    merged: dict[UseKey, SyscallUse] = {}
    started: set[str] = set()
    unknown = False
    for call in calls:
        what = feature(call.feature, arch)
        if what.call in _STARTS and what.kind != _THREAD and what.outcome != "errno":
            started.add(what.call)
        if call.feature // _SLOTS == _OUT_OF_TABLE:
            unknown = True
            continue
        stack = frames(call.stack)
        origin, ending = _origin(functions(stack), exact=exact), _ENDINGS[what.outcome]
        args = () if call.values is None else unpack(what.call, call.values)
        key = (what.call, what.kind, ending, args, origin)
        known = merged.get(key)
        merged[key] = SyscallUse(
            what.call,
            origin,
            call.count + (known.count if known else 0),
            stack=(known.stack if known else ()) or stack,
            kind=what.kind,
            outcome=ending,
            args=args,
        )
    problems = []
    if started:
        how = ", ".join(sorted(started))
        problems.append(f"it started a process ({how}), whose calls are not seen in-process")
    if unknown:
        problems.append("it made a call whose number is over 510, which has no name here")
    uses = tuple(merged[key] for key in sorted(merged))
    return Recording(uses, complete=not problems, problem="; ".join(problems))


def _origin(names: Sequence[str], *, exact: bool) -> Origin:
    origin = attribute([StackFrame(function, go=True) for function in names])
    return origin if exact or origin is Origin.TARGET else Origin.UNKNOWN


def frames(lines: Iterable[str]) -> tuple[str, ...]:
    """*lines* ("function file:line") as a stack of SyscallUse.

    Lines without a function are left out; long stacks lose their outermost frames, long names and
    paths their end.
    """
    found: list[str] = []
    for line in lines:
        function, _, place = line.partition(" ")
        if function and len(found) < _FRAME_LIMIT:
            cut = f"{function[:_NAME_LIMIT]} {place[:_PLACE_LIMIT]}"
            found.append(cut.rstrip())
    return tuple(found)


def functions(stack: Iterable[str]) -> tuple[str, ...]:
    """The function names of a stack of SyscallUse."""
    return tuple(frame.partition(" ")[0] for frame in stack)


def read_tables(memory: bytes | bytearray | memoryview) -> Tables:
    """The tables in *memory*, which an agent wrote, also one that has died.

    Raises RecorderError when it is too small. Any content is read without harm: what is no feature
    is left out.
    """
    if len(memory) < TABLES_SIZE:
        raise RecorderError(
            f"expected {TABLES_SIZE} bytes of the agent's tables, found {len(memory)}: "
            "agent and coordinator differ; build the binary again"
        )
    (now,) = struct.unpack_from("<Q", memory)
    words = struct.unpack_from(f"<{_CALLS}Q", memory, _MARKS_AT)
    slots = [word if word >> 32 == now >> 32 else 0 for word in words]
    held = struct.unpack_from(f"<{_CALLS}I", memory, _HELD_AT)
    seen = _features(held)
    stacks = {}
    for index in seen:
        count, *addresses = _RECORD.unpack_from(memory, _STACKS_AT + index * _RECORD.size)
        if 0 < count < len(addresses) + 1:
            stacks[index] = tuple(addresses[:count])
    return Tables(tuple(_unfinished_last(slots)), tuple(seen), stacks)


def _features(slots: Sequence[int]) -> list[int]:
    """Bits 0 to 29 of each call's word, as features."""
    return [
        number * _SLOTS + slot
        for number, word in enumerate(slots)
        if word
        for slot in range(10 * len(OUTCOMES))
        if word >> slot & 1
    ]


def _unfinished_last(slots: Sequence[int]) -> list[int]:
    """The features of *slots*, without "begun" where the call also ended."""
    marked = _features(slots)
    known = set(marked)
    return [index for index in marked if index % _SLOTS % 3 or not known & {index + 1, index + 2}]
