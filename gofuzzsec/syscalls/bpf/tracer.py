"""The BPF recorder of one session: its loaded program and its slots."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.bpf.calls import KernelCall, Mode, TracedProgram, TracedTask
from gofuzzsec.syscalls.bpf.following import Following, Place
from gofuzzsec.syscalls.bpf.program import KernelProgram, Sizes
from gofuzzsec.syscalls.bpf.stacks import Stacks

if TYPE_CHECKING:
    from gofuzzsec.binary.probes import FunctionProbe

__all__ = ["Following", "KernelCall", "Mode", "TracedProgram", "TracedTask", "Tracer"]

_ROOM = {Mode.INPUTS: 4096, Mode.PROCESS: 32768, Mode.FUNCTIONS: 32768}
"""Distinct calls of a Following: by process, number, class, ending and stack. A worker's map is
walked after every input, which takes 10 ns an entry."""


class Tracer:
    """The loaded program of one session. Owns the kernel's maps and links until `close`, which
    closes the Followings too. Thread-safe."""

    def __init__(self, program: KernelProgram) -> None:
        """Made by `open`. ``program`` is for tests and measurements."""
        self.program = program
        self._stacks = Stacks(program.map("stacks"))
        self._lock = threading.Lock()
        self._free = list(range(program.sizes.slots - 1, -1, -1))
        self._lives = itertools.count(1)
        self._followings: dict[int, Following] = {}

    @classmethod
    def open(cls, *, slots: int = 64, sizes: Sizes | None = None) -> Tracer:
        """Compile and load the program, which takes about two seconds; *sizes* goes before
        *slots*. Raises RecorderError that says what is missing and how to mend it."""
        return cls(KernelProgram(sizes or Sizes(slots=slots)))

    def follow(
        self,
        program: TracedProgram,
        mode: Mode,
        functions: Sequence[FunctionProbe] = (),
        *,
        live: bool = False,
        marked: bool = False,
        stacks: bool = True,
        room: int | None = None,
    ) -> Following:
        """Begin to follow *program*: processes that call the Following's claim.

        *functions* are the windows of `Mode.FUNCTIONS`, at most 64. *live* says that calls
        accumulate and are only looked at; *marked* asks for a marks page; without *stacks* none
        are taken. *room* is how many distinct calls can be counted. Raises RecorderError when
        no slot is free or the kernel refuses, UsageError when mode and functions do not fit.
        """
        with self._lock:
            if not self._free:
                raise RecorderError(
                    f"expected a free slot of {self.program.sizes.slots}, found none; "
                    "use fewer workers"
                )
            place = Place(self._free.pop(), next(self._lives))
        try:
            following = Following(
                self.program,
                self._stacks,
                place,
                self._released,
                program,
                mode,
                functions,
                room=room or (_ROOM[Mode.PROCESS] if live else _ROOM[mode]),
                marked=marked,
                with_stacks=stacks,
            )
        except BaseException:
            self._released(place)
            raise
        with self._lock:
            self._followings[place.slot] = following
        return following

    def close(self) -> None:
        """Close every Following, detach everything."""
        with self._lock:
            followings = list(self._followings.values())
        for following in followings:
            following.close()
        self.program.close()

    def _released(self, place: Place) -> None:
        with self._lock:
            self._followings.pop(place.slot, None)
            if place.slot not in self._free:
                self._free.append(place.slot)
