"""One instruction at a time: what it does to registers and stack slots.

Instructions that matter for system call numbers are followed; of all others it is only known what
they overwrite.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gofuzzsec.binary.static.values import (
    Origin,
    Register,
    Stack,
    State,
    Value,
    entry_state,
    number,
    only_number,
    only_stack,
)

_LOWEST = -1 << 62

Load = Callable[[int], Value]
"""What a word of the program's data holds, by its address."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One instruction: ``flow`` as `Machine.flow` says it, ``target`` where it goes if it does and
    that is fixed, ``following`` the address of the next one."""

    insn: Any
    flow: str
    target: int | None
    following: int | None


class Machine(ABC):
    """What one architecture's instructions do. *load* reads the program's data; `exposed` collects
    the stack offsets whose address leaves the stack pointer: what is there can change unseen."""

    stack: str
    registers: tuple[str, ...]
    return_address: int
    """Bytes that a call pushes."""
    number_register: str
    changed_by_syscall: tuple[str, ...]

    def __init__(self, load: Load) -> None:
        self._load = load
        self.exposed: set[int] = set()
        self._engine = self._make_engine()
        self._engine.detail = True
        self._engine.skipdata = True

    @staticmethod
    @abstractmethod
    def _make_engine() -> Any: ...

    @abstractmethod
    def target(self, insn: Any) -> int | None:
        """Where a call or jump goes; None for one that goes nowhere fixed."""

    @abstractmethod
    def flow(self, insn: Any) -> str:
        """ "call", "jump" (always taken), "branch" (maybe taken), "end", "syscall" or ""."""

    @abstractmethod
    def only_loads(self, code: bytes, address: int) -> bool:
        """Whether the instruction (on arm64: the two) at the beginning of *code* reads the word
        that it refers to and no more."""

    @abstractmethod
    def step(self, insn: Any, state: State) -> None:
        """Change *state* as *insn*, which is no call, does."""

    def is_padding(self, insn: Any) -> bool:
        """Whether *insn* does nothing: what follows a call that never returns."""
        return insn.mnemonic == "nop" or not insn.id

    def disassemble(self, code: bytes, address: int) -> Iterator[Any]:
        """The instructions of *code*, with operands."""
        yield from self._engine.disasm(code, address)

    def decode(self, code: bytes, address: int) -> dict[int, Decoded]:
        """The instructions of *code* by address, with what control flow does at each."""
        listed = list(self.disassemble(code, address))
        following = [insn.address for insn in listed[1:]]
        return {
            insn.address: Decoded(insn, flow, self.target(insn) if flow else None, after)
            for insn, after in zip(listed, [*following, None], strict=True)
            for flow in (self.flow(insn),)
        }

    def entry(self) -> State:
        """The state at a function's entry."""
        return entry_state(self.registers, self.stack)

    def at_call(self, state: State, origin: Origin, *, pushed: bool) -> Value:
        """What a callee will find in *origin* when it is called (*pushed*: with a return address
        that is not on the stack yet) or jumped to in *state*."""
        if isinstance(origin, Register):
            return state.registers.get(origin.name)
        depth = only_stack(state.registers.get(self.stack))
        if depth is None:
            return None
        return self.read(state, depth + origin.offset - (self.return_address if pushed else 0))

    def after_call(self, state: State, arguments: int | None) -> None:
        """Registers are the callee's to use, and so are the *arguments* bytes at the bottom of the
        stack with its arguments and results; all of the function's own slots when it is not known
        how many these are."""
        kept = state.registers.get(self.stack), state.registers.get(self._frame)
        state.registers.clear()
        state.registers[self.stack], state.registers[self._frame] = kept
        depth = only_stack(kept[0])
        end = 0 if depth is None or arguments is None else depth + arguments
        state.drop(_LOWEST, min(end, 0))
        self.write_unseen(state)

    def after_unknown(self, state: State) -> None:
        """Bytes that are no instruction known here may be one that changes anything."""
        state.registers.clear()
        state.drop(_LOWEST, 0)

    def write_unseen(self, state: State) -> None:
        """Something was written through a pointer: to any of the function's own slots whose address
        it has given away, or one above."""
        state.drop(min((at for at in self.exposed if at < 0), default=0), 0)

    _frame: str

    def read(self, state: State, offset: int) -> Value:
        """What the stack slot at *offset* holds; None for one of the caller's that may have changed
        unseen at any time."""
        if offset >= 0 and any(0 <= at <= offset for at in self.exposed):
            return None
        return state.slot(offset)

    def _set(self, state: State, name: str, value: Value) -> None:
        if name not in (self.stack, self._frame):
            self._expose(value, state)
        state.registers[name] = value

    def _expose(self, value: Value, state: State) -> None:
        """An address of the stack leaves its registers. One below the stack is no object's: it is
        compared with the stack's limit."""
        offset, depth = only_stack(value), only_stack(state.registers.get(self.stack))
        if offset is not None and (depth is None or offset >= depth):
            self.exposed.add(offset)

    def _add(self, value: Value, amount: int) -> Value:
        if (offset := only_stack(value)) is not None:
            return frozenset((Stack(offset + amount),))
        known = only_number(value)
        return None if known is None else number(known + amount)
