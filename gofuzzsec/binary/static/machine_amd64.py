"""What amd64 instructions do to registers and stack slots; see `machine`."""

from __future__ import annotations

from typing import Any

import capstone
from capstone import x86_const as x86

from gofuzzsec.binary.static.machine import Machine
from gofuzzsec.binary.static.values import (
    MASK,
    Stack,
    State,
    Value,
    number,
    only_number,
    only_stack,
    union,
)

_LOW = {"a": "rax", "b": "rbx", "c": "rcx", "d": "rdx"}


def _amd64_names() -> dict[str, tuple[str, int]]:
    """Register name to its 64-bit one and its size in bytes."""
    names: dict[str, tuple[str, int]] = {}
    for short, full in _LOW.items():
        names |= {full: (full, 8), f"e{short}x": (full, 4), f"{short}x": (full, 2)}
        names |= {f"{short}l": (full, 1), f"{short}h": (full, 1)}
    for short in ("si", "di", "bp", "sp"):
        full = f"r{short}"
        names |= {full: (full, 8), f"e{short}": (full, 4), short: (full, 2), f"{short}l": (full, 1)}
    for index in range(8, 16):
        full = f"r{index}"
        names |= {
            full: (full, 8),
            f"{full}d": (full, 4),
            f"{full}w": (full, 2),
            f"{full}b": (full, 1),
        }
    return names


class Amd64(Machine):
    """The 64-bit x86 architecture."""

    stack, _frame = "rsp", "rbp"
    _names = _amd64_names()
    registers = tuple(sorted({full for full, _ in _names.values()}))
    return_address = 8
    number_register = "rax"
    changed_by_syscall = ("rax", "rcx", "r11")

    @staticmethod
    def _make_engine() -> Any:
        return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)

    def is_padding(self, insn: Any) -> bool:
        same = insn.mnemonic == "xchg" and self._same(insn.operands)
        return same or super().is_padding(insn)

    def _same(self, operands: Any) -> bool:
        """Whether the two operands are one register."""
        registers = [operand.reg for operand in operands if operand.type == x86.X86_OP_REG]
        return len(registers) == 2 and registers[0] == registers[1]

    def target(self, insn: Any) -> int | None:
        operand = insn.operands[0] if insn.operands else None
        return operand.imm & MASK if operand and operand.type == x86.X86_OP_IMM else None

    def flow(self, insn: Any) -> str:
        name = insn.mnemonic.removeprefix("notrack ").removeprefix("bnd ")
        if name == "call":
            return "call"
        if name == "syscall":
            return "syscall"
        if name == "jmp":
            return "jump"
        if name.startswith(("j", "loop")):
            return "branch"
        return "end" if name in ("ret", "retf", "iretq", "ud2", "hlt", "int3") else ""

    def step(self, insn: Any, state: State) -> None:
        if not insn.id:
            self.after_unknown(state)
            return
        name, operands = insn.mnemonic, insn.operands
        two = len(operands) == 2
        if name in ("mov", "movabs", "movzx", "movsxd", "movsx", "lea") and two:
            value = self._address(insn, operands[1], state) if name == "lea" else None
            if name != "lea":
                narrow = name in ("movzx", "movsx") and operands[1].size < 4
                value = None if narrow else self._value(insn, operands[1], state)
            self._write(insn, operands[0], value, state)
        elif name in ("xor", "sub") and two and self._same(operands):
            self._write(insn, operands[0], number(0), state)
        elif name in ("add", "sub") and two and operands[1].type == x86.X86_OP_IMM:
            amount = operands[1].imm if name == "add" else -operands[1].imm
            self._write(
                insn, operands[0], self._add(self._value(insn, operands[0], state), amount), state
            )
        elif name.startswith("cmov") and two:
            either = (self._value(insn, operand, state) for operand in operands)
            self._write(insn, operands[0], union(*either), state)
        elif name in ("push", "pop") and len(operands) == 1:
            self._push_or_pop(insn, name, operands[0], state)
        elif name == "leave":
            top = self._add(state.registers.get("rbp"), 8)
            state.forget(["rbp"])
            state.registers["rsp"] = top
        elif name == "xchg" and two:
            values = [self._value(insn, operand, state) for operand in operands]
            for operand, value in zip(operands, reversed(values), strict=True):
                self._write(insn, operand, value, state)
        else:
            self._overwrite(insn, state)

    def only_loads(self, code: bytes, address: int) -> bool:
        insn = next(self.disassemble(code, address), None)
        if insn is None or insn.mnemonic not in ("mov", "cmp", "test") or len(insn.operands) != 2:
            return False
        return bool(insn.mnemonic != "mov" or insn.operands[1].type == x86.X86_OP_MEM)

    def _push_or_pop(self, insn: Any, name: str, operand: Any, state: State) -> None:
        depth = only_stack(state.registers.get("rsp"))
        if name == "push":
            value = self._value(insn, operand, state)
            if depth is not None:
                state.store(depth - 8, 8, value)
            state.registers["rsp"] = None if depth is None else frozenset((Stack(depth - 8),))
            return
        value = None if depth is None else self.read(state, depth)
        state.registers["rsp"] = None if depth is None else frozenset((Stack(depth + 8),))
        self._write(insn, operand, value, state)

    def _register(self, insn: Any, register: int) -> tuple[str, int]:
        return self._names.get(insn.reg_name(register) or "", ("", 0))

    def _value(self, insn: Any, operand: Any, state: State) -> Value:
        if operand.type == x86.X86_OP_IMM:
            return number(operand.imm)
        if operand.type == x86.X86_OP_REG:
            name, size = self._register(insn, operand.reg)
            return state.registers.get(name) if size >= 4 else None
        if operand.size < 4:
            return None
        address = self._address(insn, operand, state)
        if (offset := only_stack(address)) is not None:
            return self.read(state, offset)
        place = only_number(address)
        return None if place is None or operand.mem.segment else self._load(place)

    def _address(self, insn: Any, operand: Any, state: State) -> Value:
        mem = operand.mem
        if mem.index:
            return None
        if mem.base == x86.X86_REG_RIP:
            return number(insn.address + insn.size + mem.disp)
        if not mem.base:
            return number(mem.disp)
        name, size = self._register(insn, mem.base)
        return self._add(state.registers.get(name), mem.disp) if size == 8 else None

    def _write(self, insn: Any, operand: Any, value: Value, state: State) -> None:
        if operand.type == x86.X86_OP_REG:
            name, size = self._register(insn, operand.reg)
            if name:
                self._set(state, name, value if size >= 4 else None)
        elif operand.type == x86.X86_OP_MEM:
            self._expose(value, state)
            address = self._address(insn, operand, state)
            if (offset := only_stack(address)) is not None:
                state.store(offset, operand.size, value)
            elif only_number(address) is None:
                self.write_unseen(state)

    def _overwrite(self, insn: Any, state: State) -> None:
        for operand in insn.operands:
            if operand.access & capstone.CS_AC_WRITE or operand.access == 0:
                self._write(insn, operand, None, state)
        _, written = insn.regs_access()
        state.forget(self._register(insn, register)[0] for register in written)
