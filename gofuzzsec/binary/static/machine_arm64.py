"""What arm64 instructions do to registers and stack slots; see `machine`."""

from __future__ import annotations

from typing import Any

import capstone
from capstone import arm64_const as arm

from gofuzzsec.binary.static.machine import Machine
from gofuzzsec.binary.static.values import (
    MASK,
    State,
    Value,
    number,
    only_number,
    only_stack,
    union,
)


class Arm64(Machine):
    """The 64-bit Arm architecture."""

    stack, _frame = "sp", "x29"
    registers = (*(f"x{index}" for index in range(31)), "sp")
    return_address = 0
    number_register = "x8"
    changed_by_syscall = ("x0",)
    _same_names = {"fp": "x29", "lr": "x30", "wsp": "sp"}  # noqa: RUF012

    @staticmethod
    def _make_engine() -> Any:
        return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)

    def target(self, insn: Any) -> int | None:
        operand = insn.operands[-1] if insn.operands else None
        return operand.imm & MASK if operand and operand.type == arm.ARM64_OP_IMM else None

    def flow(self, insn: Any) -> str:
        name = insn.mnemonic
        if name in ("bl", "blr"):
            return "call"
        if name == "svc":
            return "syscall"
        if name in ("b", "br"):
            return "jump"
        if name.startswith(("b.", "cbz", "cbnz", "tbz", "tbnz")):
            return "branch"
        return "end" if name in ("ret", "eret", "udf", "brk") else ""

    def step(self, insn: Any, state: State) -> None:
        if not insn.id:
            self.after_unknown(state)
            return
        name, operands = insn.mnemonic, insn.operands
        if name in ("mov", "movz", "sxtw", "uxtw") and len(operands) == 2:
            self._put(insn, operands[0], self._take(insn, operands[1], state), state)
        elif name == "movk":
            self._movk(insn, state)
        elif name in ("adrp", "adr"):
            self._put(insn, operands[0], number(operands[1].imm), state)
        elif name in ("add", "sub") and operands[2].type == arm.ARM64_OP_IMM:
            amount = operands[2].imm << operands[2].shift.value
            value = self._take(insn, operands[1], state)
            self._put(
                insn, operands[0], self._add(value, amount if name == "add" else -amount), state
            )
        elif name == "csel":
            either = union(
                self._take(insn, operands[1], state), self._take(insn, operands[2], state)
            )
            self._put(insn, operands[0], either, state)
        elif name.startswith(("ldr", "ldur", "ldp", "str", "stur", "stp")):
            self._access(insn, state)
        elif name.startswith(("st", "cas", "swp", "ld")):
            self.write_unseen(state)
            _, written = insn.regs_access()
            state.forget(self._name(insn, register) for register in written)
        elif name not in ("cmp", "cmn", "tst"):  # capstone takes their first operand for written
            _, written = insn.regs_access()
            state.forget(self._name(insn, register) for register in written)

    def only_loads(self, code: bytes, address: int) -> bool:
        pair = list(self.disassemble(code[:8], address))
        return len(pair) == 2 and pair[0].mnemonic == "adrp" and pair[1].mnemonic == "ldr"

    def _movk(self, insn: Any, state: State) -> None:
        target, part = insn.operands
        known = only_number(self._take(insn, target, state))
        shift = part.shift.value
        value = None
        if known is not None:
            value = number(known & ~(0xFFFF << shift) | part.imm << shift)
        self._put(insn, target, value, state)

    def _access(self, insn: Any, state: State) -> None:
        """Loads and stores of one register or a pair, with the address written back or not."""
        *targets, place = insn.operands
        extra = 0
        if place.type == arm.ARM64_OP_IMM and len(targets) > 1:  # post-index
            extra, place = place.imm, targets.pop()
        if place.type != arm.ARM64_OP_MEM:  # from a constant among the code
            value = self._load(place.imm) if place.type == arm.ARM64_OP_IMM else None
            self._put(insn, targets[0], value, state)
            return
        base = self._name(insn, place.mem.base)
        address = None
        if not place.mem.index:
            address = self._add(state.registers.get(base), place.mem.disp)
        width = self._width(insn, targets[0])
        for index, target in enumerate(targets):
            self._access_one(insn, target, self._add(address, index * width), width, state)
        if insn.writeback:
            state.registers[base] = self._add(address, extra)

    def _access_one(self, insn: Any, target: Any, address: Value, width: int, state: State) -> None:
        offset = only_stack(address)
        if insn.mnemonic.startswith("s"):
            value = self._take(insn, target, state)
            self._expose(value, state)
            if offset is not None:
                state.store(offset, width, value if width in (4, 8) else None)
            elif only_number(address) is None:
                self.write_unseen(state)
            return
        value = None
        if width >= 4 and insn.mnemonic in ("ldr", "ldur", "ldp", "ldrsw", "ldursw"):
            place = only_number(address)
            if offset is not None:
                value = self.read(state, offset)
            elif place is not None:
                value = self._load(place)
        self._put(insn, target, value, state)

    def _width(self, insn: Any, operand: Any) -> int:
        name = insn.reg_name(operand.reg) or ""
        if insn.mnemonic.endswith(("b", "h")):
            return 1
        if insn.mnemonic.endswith("sw"):
            return 4
        return {"w": 4, "s": 4, "x": 8, "d": 8, "q": 16, "l": 8, "f": 8}.get(name[:1], 8)

    def _name(self, insn: Any, register: int) -> str:
        name = insn.reg_name(register) or ""
        name = self._same_names.get(name, name)
        return f"x{name[1:]}" if name[:1] == "w" and name[1:].isdigit() else name

    def _take(self, insn: Any, operand: Any, state: State) -> Value:
        if operand.type == arm.ARM64_OP_IMM:
            return number(operand.imm << operand.shift.value)
        if operand.type != arm.ARM64_OP_REG:
            return None
        name = self._name(insn, operand.reg)
        return number(0) if name in ("xzr", "wzr") else state.registers.get(name)

    def _put(self, insn: Any, operand: Any, value: Value, state: State) -> None:
        if operand.type == arm.ARM64_OP_REG and (name := self._name(insn, operand.reg)):
            self._set(state, name, value)
