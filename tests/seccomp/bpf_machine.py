"""A machine for classic BPF, as the kernel runs it: one call in, one number out.

Written apart from `gofuzzsec.seccomp.execution`, which it is the measure of: plain numbers only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

_LOW = 0xFFFFFFFF
_ALU: dict[int, Callable[[int, int], int]] = {
    0x00: lambda a, b: a + b,
    0x10: lambda a, b: a - b,
    0x20: lambda a, b: a * b,
    0x30: lambda a, b: a // b,
    0x40: lambda a, b: a | b,
    0x50: lambda a, b: a & b,
    0x60: lambda a, b: a << (b & 31),
    0x70: lambda a, b: a >> (b & 31),
    0xA0: lambda a, b: a ^ b,
}
_COMPARE: dict[int, Callable[[int, int], bool]] = {
    0x10: lambda a, b: a == b,
    0x20: lambda a, b: a > b,
    0x30: lambda a, b: a >= b,
    0x40: lambda a, b: a & b != 0,
}


def run(program: bytes, audit: int, number: int, args: Sequence[int], pointer: int = 0) -> int:
    """What *program* returns for call *number* with *args* (missing ones are 0)."""
    six = (*args, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, audit, pointer, *six)
    code_at = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    a = x = at = 0
    memory = [0] * 16
    while True:
        code, jt, jf, k = code_at[at]
        at += 1
        operand = x if code & 8 else k
        match code & 7:
            case 0 | 1:
                if code & 0xE0 == 0x20:
                    (value,) = struct.unpack_from("<I", data, k)
                else:
                    value = {0x60: memory[k % 16], 0x80: 64, 0x00: k}[code & 0xE0]
                a, x = (a, value) if code & 1 else (value, x)
            case 2:
                memory[k] = a
            case 3:
                memory[k] = x
            case 4:
                a = (-a if code == 0x84 else _ALU[code & 0xF0](a, operand)) & _LOW
            case 5 if code == 5:
                at += k
            case 5:
                at += jt if _COMPARE[code & 0xF0](a, operand) else jf
            case 6:
                return a if code == 0x16 else k
            case _:
                a, x = (x, x) if code & 0x80 else (a, a)
