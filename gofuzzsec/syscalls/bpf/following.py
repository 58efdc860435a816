"""One slot of the recorder: what is followed, and what was counted of it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gofuzzsec.errors import RecorderError, UsageError
from gofuzzsec.syscalls.bpf import maps
from gofuzzsec.syscalls.bpf.calls import (
    ENDINGS,
    PLACES,
    KernelCall,
    Mode,
    TracedProgram,
    TracedTask,
)
from gofuzzsec.syscalls.bpf.claim import claiming
from gofuzzsec.syscalls.bpf.denials import Denial, take_denials
from gofuzzsec.syscalls.bpf.elftext import code_range
from gofuzzsec.syscalls.bpf.program import KernelProgram
from gofuzzsec.syscalls.bpf.stacks import NO_STACK, Stacks
from gofuzzsec.syscalls.bpf.uprobes import Action, Attachment, Point

if TYPE_CHECKING:
    from gofuzzsec.binary.probes import FunctionProbe

MOST_WINDOWS = 64
_MODES = tuple(Mode)
_GO, _MARKED, _STACKS, _CGO = 1, 2, 4, 8  # slot.flags of recorder.c
_COMPAT, _STACK_LOST, _TOLD = 1, 2, 4  # key.flags
_LOSSES = (  # of struct state, in its order
    "calls that were not counted, for lack of room in the map",
    "call stacks, for lack of room in the map",
    "goroutines or windows, for lack of room in the map",
    "processes, for lack of room in the map",
    "threads, for lack of room in the map",
    "places where a goroutine was expected and none was found",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A slot and which of its users this is: what makes a process the slot's."""

    slot: int
    life: int


class Following:
    """Follows the processes that `claim` themselves for it. Owns its slot, its count map and its
    uses of uprobes until `close`. Thread-safe.

    The worker's marks page, for ``marked`` Followings, is `maps.PAGE_SIZE` bytes of `page_fd` at
    `page_offset`.
    """

    def __init__(
        self,
        program: KernelProgram,
        stacks: Stacks,
        place: Place,
        release: Callable[[Place], None],
        traced: TracedProgram,
        mode: Mode,
        functions: Sequence[FunctionProbe],
        *,
        room: int,
        marked: bool,
        with_stacks: bool,
    ) -> None:
        """Made by `Tracer.follow`, which see."""
        self._program = program
        self._stacks = stacks
        self._place = place
        self._release = release
        self._lock = threading.Lock()
        self._tasks: dict[int, int] = {}  # image -> index
        self._described: list[TracedTask] = []
        self._closed = False
        self._mode = mode
        self.page_offset = place.slot * maps.PAGE_SIZE
        self._counts = maps.make_counts(program.lib, room)
        self._probes: Attachment | None = None
        self._windows: list[bytes] = []
        try:
            self._put_probes(traced, mode, functions)
            self._configure(traced, mode, marked=marked, with_stacks=with_stacks)
        except BaseException:
            self.close()
            raise

    def claim(self) -> Callable[[], None]:
        """A ``preexec_fn``, or step of one: the process it is called in is followed from its next
        execve on, with all its children."""
        return claiming(self._program.nonce, self._place.life << 32 | self._place.slot)

    @property
    def claims(self) -> int:
        """How many processes have claimed themselves so far."""
        claims: int = self._state()[6]
        return claims

    def take(self) -> list[KernelCall]:
        """Everything counted, which is forgotten: to be called when nothing that matters is
        running, for what is counted meanwhile may be counted once less."""
        with self._lock:
            return [self._call(key, value) for key, value in self._counts.items(forget=True)]

    def look(self) -> list[KernelCall]:
        """Everything counted so far, at any time."""
        with self._lock:
            return [self._call(key, value) for key, value in self._counts.items()]

    def denials(self) -> list[Denial]:
        """Calls refused by a filter since the last time (see `denials`)."""
        with self._lock:
            table = self._program.map("denials")
            return take_denials(table, self._place.life, self._stacks, self._task)

    @property
    def wish(self) -> tuple[int, int, int]:
        """The first arguments of the prctl by which a process claims itself (see `claim`)."""
        return maps.MAGIC, self._program.nonce, self._place.life << 32 | self._place.slot

    def processes(self) -> dict[int, TracedTask]:
        """The processes that calls were seen of, by index."""
        with self._lock:
            return dict(enumerate(self._described))

    def running(self) -> int:
        """How many processes run now all of whose calls count."""
        running = 0
        for _, value in self._program.map("processes").items():
            mask, token, slot = maps.PROCESS.unpack(value)
            ours = Place(slot, token) == self._place
            running += ours and (self._mode is Mode.PROCESS or mask != 0)
        return running

    def problems(self) -> tuple[str, ...]:
        """Why what was counted since the beginning may be incomplete; none, if all is well."""
        found = [
            f"the recorder lost {count} {what}"
            for count, what in zip(self._state(), _LOSSES, strict=False)
            if count
        ]
        return tuple(found)

    def page_fd(self) -> int:
        """Descriptor of all marks pages; the Tracer's, to be passed on and not closed."""
        return self._program.pages

    def close(self) -> None:
        """Stop counting and forget everything. Processes still running are followed no more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            slot = self._place.slot
            self._program.map("slots").write(slot, bytes(maps.SLOT.size))
            self._program.map("counts").delete(slot.to_bytes(4, "little"))
            os.close(self._counts.fd)
            if self._probes is not None:
                self._program.uprobes.detach(self._probes)
            points = self._program.map("points")
            for key in self._windows:
                points.delete(key)
            self._forget()
        self._release(self._place)

    def _put_probes(
        self, traced: TracedProgram, mode: Mode, functions: Sequence[FunctionProbe]
    ) -> None:
        if (mode is Mode.FUNCTIONS) != bool(functions) or len(functions) > MOST_WINDOWS:
            raise UsageError(
                f"expected 1 to {MOST_WINDOWS} functions to capture, found {len(functions)}; "
                "name fewer, or capture the whole process"
            )
        if traced.probes is None:
            if mode is not Mode.PROCESS:
                raise UsageError(
                    f"expected {traced.path} to be a Go program, found none: only as a whole "
                    "can it be captured"
                )
            return
        points = _runtime_points(traced, mode)
        for function in functions:
            points += _window_points(function)
        self._probes = self._program.uprobes.attach(traced.path, points)
        table = self._program.map("points")
        windows: Counter[Point] = Counter()  # a wrapper may end by the RETs of another function
        for window, function in enumerate(functions):
            for point in set(_window_points(function)):
                windows[point] |= 1 << window
        for point, mask in windows.items():
            key = maps.POINT_KEY.pack(self._probes.cookie(point), self._place.slot)
            table.write(key, mask.to_bytes(8, "little"))
            self._windows.append(key)

    def _configure(
        self, traced: TracedProgram, mode: Mode, *, marked: bool, with_stacks: bool
    ) -> None:
        slot, probes = self._place.slot, traced.probes
        flags = (_MARKED if marked else 0) | (_STACKS if with_stacks else 0)
        entry = low = high = goid = parent = file = 0
        if probes is not None and self._probes is not None:
            flags |= _GO | (_CGO if traced.c_points is not None else 0)
            file = self._probes.file
            entry = probes.entry_address
            low, high = code_range(traced.path)
            goid, parent = probes.layout.goid, probes.layout.parent_goid
        self._program.map("states").write(slot, bytes(maps.STATE.size))
        self._program.map("tellings").write(slot, bytes(maps.TELLINGS.size))
        self._program.map("counts").write(slot, self._counts.fd.to_bytes(4, "little"))
        wanted = (self._place.life, _MODES.index(mode), flags, file, goid, parent)
        self._program.map("slots").write(slot, maps.SLOT.pack(entry, low, high, *wanted))

    def _state(self) -> tuple[int, ...]:
        if self._closed:
            raise RecorderError("expected a Following that is open, found a closed one")
        return maps.STATE.unpack(self._program.map("states").read(self._place.slot))

    def _call(self, key: bytes, value: bytes) -> KernelCall:
        image, stack, windows, values, number, kind, ending, place, flags = maps.KEY.unpack(key)
        frames = self._stacks.find(stack) if stack else NO_STACK
        return KernelCall(
            number=number,
            kind=kind,
            ending=ENDINGS[ending],
            place=PLACES[place],
            windows=windows,
            process=self._task(image),
            compat=bool(flags & _COMPAT),
            addresses=frames.addresses if frames else (),
            caller=frames.caller if frames else 0,
            stack_lost=bool(flags & _STACK_LOST) or frames is None,
            count=int.from_bytes(value, "little"),
            values=values if flags & _TOLD else None,
        )

    def _task(self, image: int) -> int:
        """The index of a process, which is looked up and described when it is new."""
        known = self._tasks.get(image)
        if known is not None:
            return known
        key = maps.TASK_KEY.pack(image, self._place.life)
        found = self._program.map("tasks").find(key)
        index = self._tasks[image] = len(self._described)
        self._described.append(TracedTask("", None, own=False, child=False, base=0))
        if found is not None:
            name, parent, base, own, child = maps.TASK.unpack(found)
            text = name.partition(b"\0")[0].decode("utf-8", "backslashreplace")
            maker = self._task(parent) if parent else None
            self._described[index] = TracedTask(text, maker, bool(own), bool(child), base)
        return index

    def _forget(self) -> None:
        life = self._place.life
        tasks, goroutines = self._program.map("tasks"), self._program.map("goroutines")
        for key, _ in tasks.items():
            if maps.TASK_KEY.unpack(key)[1] == life:
                tasks.delete(key)
        told = self._program.map("told")
        for key, _ in told.items():
            if maps.TELLING_KEY.unpack(key)[0] == life:
                told.delete(key)
        if self._probes is None:
            return
        frames = self._program.map("frames")
        for key, value in goroutines.items():
            _, opened, _, token = maps.GOROUTINE.unpack(value)
            if token != life:
                continue
            goroutines.delete(key)
            for window in range(MOST_WINDOWS):
                if opened >> window & 1:
                    frames.delete(key + window.to_bytes(8, "little"))


def _window_points(function: FunctionProbe) -> list[Point]:
    if function.idle:
        return []
    returns = [Point(offset, Action.RETURN) for offset in function.returns]
    return [Point(function.entry, Action.CALL), *returns]


def _runtime_points(traced: TracedProgram, mode: Mode) -> list[Point]:
    probes = traced.probes
    assert probes is not None
    points = [Point(probes.entry, Action.START)]
    if mode is not Mode.PROCESS:
        points += [Point(offset, Action.BORN) for offset in probes.newproc_returns]
        points.append(Point(probes.goexit, Action.GOEXIT))
        if probes.coroexit is not None:
            points.append(Point(probes.coroexit, Action.GOEXIT))
    if mode is Mode.FUNCTIONS:
        points.append(Point(probes.recovery_gogo, Action.RECOVER))
    if (c := traced.c_points) is not None:
        points += [Point(c.call, Action.C_CALL), Point(c.back, Action.C_RETURN)]
        points.append(Point(c.callback.entry, Action.CALLBACK))
        points += [Point(offset, Action.CALLBACK_END) for offset in c.callback.returns]
    return points
