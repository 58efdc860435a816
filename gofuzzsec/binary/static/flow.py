"""Where system call numbers come from within one function.

The state before each instruction is worked out over all paths; at a system call instruction, and
at calls of functions that make the system call whose number they are given, it tells the number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from gofuzzsec.binary.static.machine import Decoded, Machine
from gofuzzsec.binary.static.values import Origin, Register, Slot, State, Value

Wrappers = Mapping[int, frozenset[Origin]]
"""Entry addresses of functions that make system calls whose number is in one of the origins."""

_MOST_STEPS = 2_000_000
"""Instructions looked at in one function, revisits included; the largest take a tenth of it."""


@dataclass(frozen=True, slots=True)
class Sink:
    """A place that decides about a system call: an instruction or a call of a wrapper."""

    at: int
    value: Value


@dataclass(frozen=True, slots=True)
class Function:
    """What the walk over one function needs: its code, the addresses amid it that jump tables
    hold, and which of the functions it calls never return, or return to begin the function anew."""

    address: int
    code: Mapping[int, Decoded]
    jumps: frozenset[int]
    final: Collection[int]
    anew: Collection[int]
    arguments: Callable[[int], int | None]
    """Bytes of arguments and results that the function at an address has on the stack."""


def sinks(machine: Machine, function: Function, wrappers: Wrappers) -> tuple[Sink, ...]:
    """All of *function*, in the order of their addresses."""
    machine.exposed.clear()
    while True:
        exposed = len(machine.exposed)
        walk = _Walk(machine, function, wrappers)
        walk.run()
        if len(machine.exposed) == exposed:
            return tuple(Sink(at, value) for at, value in sorted(walk.found.items()))


class _Walk:
    """One fixpoint over a function's instructions."""

    def __init__(self, machine: Machine, function: Function, wrappers: Wrappers) -> None:
        self._machine, self._function, self._wrappers = machine, function, wrappers
        self._instructions = function.code
        self._states: dict[int, State] = {}  # before the instruction; where paths meet
        targets = {d.target for d in function.code.values() if d.flow in ("jump", "branch")}
        self._meeting = function.jumps | targets
        self._reached: set[int] = set()
        self._steps = 0
        self.found: dict[int, Value] = {}

    def run(self) -> None:
        """Follow all paths from the entry; what none leads to may be entered in any state."""
        self._enter(self._function.address, self._machine.entry())
        for address, one in self._instructions.items():
            if address not in self._reached and not self._machine.is_padding(one.insn):
                self._enter(address, State({}))
        if self._steps > _MOST_STEPS:
            for address, one in self._instructions.items():
                if one.flow == "syscall" or one.target in self._wrappers:
                    self.found[address] = None

    def _enter(self, address: int, state: State) -> None:
        work = [(address, state)]
        while work:
            at, state = work.pop()
            known = self._states.get(at)
            if known is None:
                self._states[at] = state.copy()
            elif not known.join(state):
                continue
            else:
                state = known.copy()
            work += self._straight(at, state.copy())

    def _straight(self, at: int, state: State) -> list[tuple[int, State]]:
        """Go on from *at* to where paths part or meet; what comes next."""
        machine = self._machine
        while True:
            one = self._instructions.get(at)
            self._steps += 1
            if one is None or self._steps > _MOST_STEPS:
                return []
            self._reached.add(at)
            if one.flow == "end":
                return []
            if one.flow in ("jump", "branch"):
                self._pass(at, one, state)
                return self._ways(one, state)
            if one.flow == "call":
                if not self._call(at, one, state):
                    return []
            elif one.flow == "syscall":
                self._note(at, state.registers.get(machine.number_register))
                state.forget(machine.changed_by_syscall)
                machine.write_unseen(state)
            else:
                machine.step(one.insn, state)
            if one.following is None:
                return []
            if one.following in self._meeting:
                return [(one.following, state)]
            at = one.following

    def _call(self, at: int, one: Decoded, state: State) -> bool:
        """Pass a call; whether it comes back to the next instruction."""
        function = self._function
        self._pass(at, one, state)
        if one.target in function.final:
            return False
        if one.target in function.anew:
            self._skip(one)
            return False
        arguments = None if one.target is None else function.arguments(one.target)
        self._machine.after_call(state, arguments)
        return True

    def _skip(self, one: Decoded) -> None:
        """The way back to the function's beginning, which leads to no state that it has not had."""
        while one.following is not None and one.flow != "jump":
            self._reached.add(one.following)
            one = self._instructions[one.following]

    def _ways(self, one: Decoded, state: State) -> list[tuple[int, State]]:
        ways = set(self._function.jumps) if one.target is None else {one.target}
        if one.flow == "branch" and one.following is not None:
            ways.add(one.following)
        return [(way, state.copy()) for way in ways if way in self._instructions]

    def _pass(self, at: int, one: Decoded, state: State) -> None:
        """A call, or a jump that leaves the function, may lead to a wrapper."""
        pushed = one.flow == "call"
        if one.target is None or (one.target in self._instructions and not pushed):
            return
        for origin in self._wrappers.get(one.target, ()):
            self._note(at, self._machine.at_call(state, origin, pushed=pushed))

    def _note(self, at: int, value: Value) -> None:
        known = self.found.get(at, frozenset())
        self.found[at] = None if known is None or value is None else known | value


def origins(value: Value) -> frozenset[Origin]:
    """The parts of *value* that the function's caller decides."""
    return frozenset(item for item in value or () if isinstance(item, Register | Slot))
