"""Calls that a seccomp filter refused, and calls that user space suspects, one by one.

Only a `Tracer` whose sizes have room for ``denials`` sees them; it counts nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gofuzzsec.syscalls.bpf import maps
from gofuzzsec.syscalls.bpf.calls import PLACES, Ending, KernelCall
from gofuzzsec.syscalls.bpf.stacks import NO_STACK, Stacks

_KEY = struct.Struct("<6Q2Q2I3B5x")  # struct denial_key of bpf/denied.h
_VALUE = struct.Struct("<QqQ")  # struct denial
_COUNT = struct.Struct("<Q")
_COMPAT, _STACK_LOST = 1, 2


@dataclass(frozen=True, slots=True)
class Denial:
    """``args`` are the six registers. ``goroutine`` is None for the runtime's own stacks and for
    other programs. ``result`` is what the call returned (minus an errno); of one that ``entered``,
    which means that no filter refused it, 0."""

    call: KernelCall
    args: tuple[int, ...]
    goroutine: int | None
    result: int
    entered: bool


def suspect(table: maps.Map, numbers: Iterable[int]) -> None:
    """Have calls with *numbers* kept also when they go through, from now on. *table*: ``suspects``
    of a loaded program. Those of other tables, and above 511, always are."""
    wanted = frozenset(numbers)
    for number in range(table.room):
        table.write(number, _COUNT.pack(number in wanted))


def take_denials(
    table: maps.Map, life: int, stacks: Stacks, task_of: Callable[[int], int]
) -> list[Denial]:
    """What there is of the Following *life* in *table*, which forgets it."""
    found = []
    for key, value in table.items():
        *head, number, owner, place, flags, entered = _KEY.unpack(key)
        if owner != life:
            continue
        table.delete(key)
        stack, image = head[6:]
        goid, result, count = _VALUE.unpack(value)
        frames = stacks.find(stack) if stack else NO_STACK
        call = KernelCall(
            number=number,
            kind=0,
            ending=Ending.BEGUN if entered else Ending.REFUSED,
            place=PLACES[place],
            windows=1,
            process=task_of(image),
            compat=bool(flags & _COMPAT),
            addresses=frames.addresses if frames else (),
            caller=frames.caller if frames else 0,
            stack_lost=bool(flags & _STACK_LOST) or frames is None,
            count=count,
        )
        found.append(Denial(call, tuple(head[:6]), goid or None, result, bool(entered)))
    return found
