"""Machine code to the few events that say which constants it uses.

capstone disassembles; its text is read rather than its operand objects, which takes a tenth of the
time. Instruction forms are those that Go's compiler emits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import capstone

Instructions = Iterator[tuple[int, int, str, str]]
"""(address, size, mnemonic, operands) in order, as `Cs.disasm_lite` gives them."""


@dataclass(frozen=True, slots=True)
class Event:
    """``kind`` is one of

    - ``address``: *value* is an address that the code takes;
    - ``load``: *value* is the address of a word or more that the code reads;
    - ``float``: *value* is the address of a float of *width* bytes;
    - ``number``: *value* is a constant operand, negative or not;
    - ``call``: *value* is the function called, 0 when that is not known before it runs;
    - ``jump``: the next instruction may not be what runs next.
    """

    kind: str
    value: int
    width: int = 0


_RIP = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|[0-9]+)\]")
_LAST_NUMBER = re.compile(r"^[^,]+(?:\[[^\]]*\])?, (-?(?:0x[0-9a-f]+|[0-9]+))$")
_AMD64_FLOATS = {"movsd": 8, "ucomisd": 8, "comisd": 8, "movss": 4, "ucomiss": 4, "comiss": 4}


def _amd64(instructions: Instructions) -> Iterator[Event]:
    for address, size, name, operands in instructions:
        if name == "call":
            yield Event("call", int(operands, 16) if operands.startswith("0x") else 0)
        elif name[0] == "j" or name == "ret":
            yield Event("jump", 0)
        elif near := _RIP.search(operands):
            distance = int(near[2], 0)
            target = address + size + (distance if near[1] == "+" else -distance)
            if name == "lea":
                yield Event("address", target)
            elif name in _AMD64_FLOATS:
                yield Event("float", target, _AMD64_FLOATS[name])
            elif name == "mov" and "qword" in operands:
                yield Event("load", target)
        elif name in ("mov", "movabs", "cmp") and (number := _LAST_NUMBER.match(operands)):
            yield Event("number", int(number[1], 0))


_ARM64_PAGE = re.compile(r"^(x[0-9]+), #?(0x[0-9a-f]+|[0-9]+)$")
_ARM64_ADD = re.compile(r"^(x[0-9]+), (x[0-9]+), #(0x[0-9a-f]+|[0-9]+)$")
_ARM64_LOAD = re.compile(r"^([xds])[0-9]+, \[(x[0-9]+)(?:, #(0x[0-9a-f]+|[0-9]+))?\]$")
_ARM64_SET = re.compile(r"^([xw])([0-9]+),(?: [xw]zr,)? #(-?(?:0x[0-9a-f]+|[0-9]+))$")
_ARM64_JUMPS = frozenset({"b", "br", "cbz", "cbnz", "ret", "tbz", "tbnz"})
_ARM64_PART = re.compile(r"^[xw]([0-9]+), #(0x[0-9a-f]+|[0-9]+)(?:, lsl #([0-9]+))?$")


def _arm64(instructions: Instructions) -> Iterator[Event]:
    """An address is a page and an offset, a constant up to four parts: both take instructions that
    follow each other, so a number is an event once an instruction comes that is none of its parts.
    """
    pages: dict[str, int] = {}
    register, number = "", 0
    for _, _, name, operands in instructions:
        if name == "movk" and (part := _ARM64_PART.match(operands)) and part[1] == register:
            shift = int(part[3] or 0)
            number = number & ~(0xFFFF << shift) | int(part[2], 0) << shift
            continue
        if register:
            yield Event("number", number)
            register = ""
        if name in ("mov", "movz", "orr") and (whole := _ARM64_SET.match(operands)):
            register, number = whole[2], int(whole[3], 0)
        elif name == "adrp" and (page := _ARM64_PAGE.match(operands)):
            pages[page[1]] = int(page[2], 0)
        elif name == "add" and (added := _ARM64_ADD.match(operands)) and added[2] in pages:
            yield Event("address", pages.pop(added[2]) + int(added[3], 0))
        elif name == "ldr" and (load := _ARM64_LOAD.match(operands)) and load[2] in pages:
            target = pages.pop(load[2]) + int(load[3] or "0", 0)
            width = {"d": 8, "s": 4, "x": 0}[load[1]]
            yield Event("float" if width else "load", target, width)
        elif name == "cmp" and (whole := _ARM64_SET.match(operands)):
            yield Event("number", int(whole[3], 0))
        elif name == "bl" or name == "blr":
            yield Event("call", int(operands.lstrip("#"), 16) if name == "bl" else 0)
        elif name in _ARM64_JUMPS or name.startswith("b."):
            yield Event("jump", 0)


def decoder(arch: str) -> Callable[[bytes, int], Iterator[Event]]:
    """What turns (code, its address) into events, for "amd64" or "arm64"."""
    if arch == "amd64":
        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        read = _amd64
    else:
        engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
        read = _arm64
    # Data between instructions, such as a jump table, would otherwise end the function.
    engine.skipdata = True
    return lambda code, address: read(engine.disasm_lite(code, address))
