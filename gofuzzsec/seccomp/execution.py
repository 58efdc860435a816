"""What a seccomp program does to every call, found by running it on unknown arguments.

The architecture and the call's number are given, the arguments are not: a register holds a number
or some bits of an argument. A jump that depends on an argument is followed both ways, each with
what is then known of it, so every way through the program is a conjunction of tests and a verdict.
Programs jump forward only, so each way ends; the steps are counted, with an error when they are too
many.

Arithmetic on an argument other than "and" is an error, as no compiler of seccomp filters is known
to emit it: better no answer than a wrong one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.bpf import (
    ALU,
    DATA_BYTES,
    JUMP,
    LOAD,
    LOAD_X,
    RETURN,
    SLOTS,
    STORE,
    STORE_X,
    Instruction,
)
from gofuzzsec.seccomp.decision import Decision, Effect, Verdict
from gofuzzsec.seccomp.model import Action, Op
from gofuzzsec.seccomp.regions import Test
from gofuzzsec.syscalls import table

AUDIT_ARCH = {"amd64": 0xC000003E, "arm64": 0xC00000B7}
"""The kernel's names of architectures (linux/audit.h) by Go's."""

_X32_BIT = 0x40000000
GATES = {
    "amd64": {
        "SCMP_ARCH_X86": (0x40000003, 20),
        "SCMP_ARCH_X32": (AUDIT_ARCH["amd64"], _X32_BIT | 39),
    },
    "arm64": {"SCMP_ARCH_ARM": (0x40000028, 20)},
}
"""Other architectures whose calls a process can make, by libseccomp's names, each with the kernel's
name of it and the number of getpid there."""

_UNUSED = 0x3FFFFFFF
"""A call number that no table has: what happens to calls of kernels to come."""
_STEPS = 800_000  # under a second; all of Docker's default profile takes 60,000
_LOW = 0xFFFFFFFF
_KILL = Verdict(Action.KILL_PROCESS)  # what the kernel makes of an action that it does not know
_ACTIONS = {
    0x80000000: Action.KILL_PROCESS,
    0x00000000: Action.KILL_THREAD,
    0x00030000: Action.TRAP,
    0x00050000: Action.ERRNO,
    0x7FC00000: Action.NOTIFY,
    0x7FF00000: Action.TRACE,
    0x7FFC0000: Action.LOG,
    0x7FFF0000: Action.ALLOW,
}
_OPERATORS = {0x10: Op.EQ, 0x20: Op.GT, 0x30: Op.GE}
_MAX_ERRNO = 4095


@dataclass(frozen=True, slots=True)
class _Bits:
    """The bits of ``mask`` of one half of an argument; 6 is the instruction pointer."""

    arg: int
    shift: int
    mask: int = _LOW


_Value = int | _Bits


@dataclass(slots=True)
class _Way:
    """One way through the program so far; owned by the loop of `decision_of`."""

    at: int
    a: _Value
    x: _Value
    memory: tuple[_Value, ...]
    tests: tuple[Test, ...]


class _Budget:
    """Steps that may still be made."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise ProfileError(
                "expected a program whose ways can be followed, found too many: it branches on "
                "arguments in a way that no compiler of filters is known to emit"
            )


def effect_of_program(program: Sequence[Instruction], arch: str) -> Effect:
    """What *program*, as `parse_bpf` returns it, does on *arch* ("amd64" or "arm64").

    Raises ProfileError when it computes with arguments or has too many ways.
    """
    budget = _Budget(_STEPS)
    calls = {
        name: _decide(program, AUDIT_ARCH[arch], number, budget)
        for name in sorted(table.names(arch))
        if (number := table.number(name, arch)) is not None
    }
    return Effect(calls, _decide(program, AUDIT_ARCH[arch], _UNUSED, budget))


def gates_of_program(program: Sequence[Instruction], arch: str) -> dict[str, Decision]:
    """What *program* does to calls through gates beside *arch*'s own, told by one call each: by
    libseccomp's name of the gate, with the call that it was tried with (getpid)."""
    budget = _Budget(_STEPS)
    return {
        name: _decide(program, audit, number, budget)
        for name, (audit, number) in GATES[arch].items()
    }


def decision_of(program: Sequence[Instruction], arch: str, call: str) -> Decision:
    """What *program* does to *call*, which *arch* has. Raises as `effect_of_program` does."""
    number = table.number(call, arch)
    assert number is not None
    return _decide(program, AUDIT_ARCH[arch], number, _Budget(_STEPS))


def _decide(program: Sequence[Instruction], audit: int, number: int, budget: _Budget) -> Decision:
    """The ways exclude each other and leave nothing out, so the commonest verdict needs no case."""
    ways = list(_ways(program, audit, number, budget))
    counts = Counter(verdict for _, verdict in ways)
    otherwise = counts.most_common(1)[0][0]
    return Decision(tuple(way for way in ways if way[1] != otherwise), otherwise)


def _ways(
    program: Sequence[Instruction], audit: int, number: int, budget: _Budget
) -> Iterator[tuple[tuple[Test, ...], Verdict]]:
    pending = [_Way(0, 0, 0, (0,) * SLOTS, ())]
    while pending:
        way = pending.pop()
        while True:
            instruction = program[way.at]
            budget.spend(1 + len(way.tests) // 8)
            if instruction.family == RETURN:
                found = instruction.k if instruction.code == 0x06 else _known(way.a, way.at)
                yield way.tests, _verdict(found)
                break
            if instruction.family == JUMP:
                other = _jump(way, instruction)
                if other is not None:
                    pending.append(other)
            else:
                _compute(way, instruction, audit, number)
                way.at += 1


def _compute(way: _Way, instruction: Instruction, audit: int, number: int) -> None:
    """Anything but a jump and a return."""
    match instruction.family:
        case family if family in (LOAD, LOAD_X):
            value = _loaded(way, instruction, audit, number)
            if family == LOAD:
                way.a = value
            else:
                way.x = value
        case family if family in (STORE, STORE_X):
            stored = list(way.memory)
            stored[instruction.k] = way.a if family == STORE else way.x
            way.memory = tuple(stored)
        case family if family == ALU:
            way.a = _arithmetic(way, instruction)
        case _:
            if instruction.code == 0x07:
                way.x = way.a
            else:
                way.a = way.x


def _loaded(way: _Way, instruction: Instruction, audit: int, number: int) -> _Value:
    k = instruction.k
    match instruction.code & 0xE0:
        case 0x20:
            if k == 0:
                return number
            if k == 4:
                return audit
            if k < 16:
                return _Bits(6, 8 * (k - 8))
            return _Bits((k - 16) // 8, 8 * (k % 8))
        case 0x60:
            return way.memory[k]
        case 0x80:
            return DATA_BYTES
        case _:
            return k


def _arithmetic(way: _Way, instruction: Instruction) -> _Value:
    operand = way.x if instruction.by_x else instruction.k
    if instruction.operation == 0x50:
        for bits, other in ((way.a, operand), (operand, way.a)):
            if isinstance(bits, _Bits) and isinstance(other, int):
                left = bits.mask & other
                return _Bits(bits.arg, bits.shift, left) if left else 0
    return _calculated(instruction, _known(way.a, way.at), operand, way.at)


def _calculated(instruction: Instruction, a: int, given: _Value, at: int) -> int:
    """Arithmetic on numbers, in 32 bits. The kernel divides by a zero X by ending with 0, which is
    KILL_THREAD, so such a program is hostile."""
    operation = instruction.operation
    if operation == 0x80:
        return -a & _LOW
    b = _known(given, at)
    if operation == 0x30 and b == 0:
        raise ProfileError(f"instruction {at}: expected a divisor, found 0 in X")
    results = {
        0x00: lambda: a + b,
        0x10: lambda: a - b,
        0x20: lambda: a * b,
        0x30: lambda: a // b,
        0x40: lambda: a | b,
        0x50: lambda: a & b,
        0x60: lambda: a << (b & 31),
        0x70: lambda: a >> (b & 31),
        0xA0: lambda: a ^ b,
    }
    return results[operation]() & _LOW


def _jump(way: _Way, instruction: Instruction) -> _Way | None:
    """Move *way* on. Where an argument decides, it takes one direction; the other is returned."""
    if instruction.code == 0x05:
        way.at += instruction.k + 1
        return None
    yes, no = way.at + instruction.jt + 1, way.at + instruction.jf + 1
    operand = _known(way.x, way.at) if instruction.by_x else instruction.k
    answer = _asked(way.a, instruction.operation, operand)
    if isinstance(answer, Test):
        known = _follows(way.tests, answer)
        if known is None and yes != no:
            other = _Way(no, way.a, way.x, way.memory, (*way.tests, answer.negated))
            way.at, way.tests = yes, (*way.tests, answer)
            return other
        answer = known or False
    way.at = yes if answer else no
    return None


def _asked(a: _Value, operation: int, operand: int) -> bool | Test:
    """The answer of a conditional jump, or what it depends on."""
    if isinstance(a, int):
        if operation == 0x40:
            return a & operand != 0
        return {0x10: a == operand, 0x20: a > operand, 0x30: a >= operand}[operation]
    if operation == 0x40:
        looked = a.mask & operand
        return Test(a.arg, looked << a.shift, Op.NE, 0) if looked else False
    return Test(a.arg, a.mask << a.shift, _OPERATORS[operation], operand << a.shift)


def _follows(tests: tuple[Test, ...], asked: Test) -> bool | None:
    """Whether *asked* holds where *tests* do, None when they do not tell (as far as is cheap)."""
    for test in tests:
        if test.arg != asked.arg:
            continue
        if test == asked:
            return True
        if test == asked.negated:
            return False
        if test.op is Op.EQ and asked.mask & ~test.mask == 0:
            return asked.holds((0,) * asked.arg + (test.value,))
    return None


def _known(value: _Value, at: int) -> int:
    if isinstance(value, _Bits):
        raise ProfileError(
            f'instruction {at}: expected no computing with arguments but "and" and comparisons '
            "with constants, found some: what this program does cannot be told"
        )
    return value


def _verdict(found: int) -> Verdict:
    action = _ACTIONS.get(found & 0xFFFF0000)
    if action is None:
        return _KILL
    data = found & 0xFFFF
    if action is Action.ERRNO:
        return Verdict(action, min(data, _MAX_ERRNO))
    return Verdict(action, data if action is Action.TRACE else None)
