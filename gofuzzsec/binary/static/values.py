"""What registers and stack slots may hold, as far as system call numbers need it.

A value is a set of possibilities: numbers, what a register or a stack slot held when the function
was entered, and addresses of the function's own stack. None stands for anything at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST = 64
"""Possibilities of one value that are told apart; a wrapper's callers pass fewer."""
MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Register:
    """What *name* held at the function's entry."""

    name: str


@dataclass(frozen=True, slots=True)
class Slot:
    """The word at *offset* from the stack pointer at the function's entry, as it was then."""

    offset: int


@dataclass(frozen=True, slots=True)
class Stack:
    """The address *offset* bytes from the stack pointer at the function's entry."""

    offset: int


Origin = Register | Slot
Item = int | Register | Slot | Stack
Value = frozenset[Item] | None


def number(value: int) -> Value:
    """The constant *value*."""
    return frozenset((value & MASK,))


def union(one: Value, other: Value) -> Value:
    """Either."""
    if one is None or other is None:
        return None
    both = one | other
    return both if len(both) <= MOST else None


def only_stack(value: Value) -> int | None:
    """The offset of the one stack address that *value* is; None for anything else."""
    if value is not None and len(value) == 1:
        (item,) = value
        if isinstance(item, Stack):
            return item.offset
    return None


def only_number(value: Value) -> int | None:
    """The one number that *value* is; None for anything else."""
    if value is not None and len(value) == 1:
        (item,) = value
        if isinstance(item, int):
            return item
    return None


@dataclass(slots=True)
class State:
    """Registers and stack slots at one place of a function. A register that is missing may hold
    anything. A slot that is missing holds what it held at entry if it is the caller's (offset 0 and
    above), else anything. Slots are 8 bytes."""

    registers: dict[str, Value]
    slots: dict[int, Value] = field(default_factory=dict)

    def copy(self) -> State:
        return State(dict(self.registers), dict(self.slots))

    def slot(self, offset: int) -> Value:
        """What the slot at *offset* holds."""
        if offset in self.slots:
            return self.slots[offset]
        return frozenset((Slot(offset),)) if offset >= 0 and offset % 8 == 0 else None

    def store(self, offset: int, size: int, value: Value) -> None:
        """Write *size* bytes at *offset*; less than 4 bytes, or some amid a slot, leave it with
        unknown content."""
        for touched in range(offset // 8 * 8, offset + size, 8):
            self.slots[touched] = None
        if offset % 8 == 0 and 4 <= size <= 8:
            self.slots[offset] = value

    def drop(self, first: int, end: int) -> None:
        """Slots from *first* to before *end* may hold anything."""
        for offset in self.slots:
            if first <= offset < end:
                self.slots[offset] = None

    def forget(self, registers: Iterable[str]) -> None:
        """*registers* may hold anything from now on."""
        for name in registers:
            self.registers.pop(name, None)

    def join(self, other: State) -> bool:
        """Become what may be when either this or *other* is; whether that changed anything."""
        changed = False
        for name, value in self.registers.items():
            given = other.registers.get(name)
            if value is not None and value != given:
                joined = union(value, given)
                if joined != value:
                    changed = True
                    self.registers[name] = joined
        for offset in self.slots.keys() | other.slots.keys():
            value, given = self.slot(offset), other.slot(offset)
            if value is not None and value != given:
                joined = union(value, given)
                if joined != value:
                    changed = True
                    self.slots[offset] = joined
        return changed


def entry_state(registers: Iterable[str], stack: str) -> State:
    """Every register as the caller left it; *stack* is the name of the stack pointer."""
    state = State({name: frozenset((Register(name),)) for name in registers})
    state.registers[stack] = frozenset((Stack(0),))
    return state
