"""Raw seccomp programs: what libseccomp exports and what the kernel takes, for inspection.

A program is an array of ``struct sock_filter`` (linux/filter.h): 16 bits of code, two bytes of
jump offsets and a 32-bit constant, in the machine's byte order; both architectures here are
little-endian. Checked is what the kernel checks before it takes one (``seccomp_check_filter`` in
kernel/seccomp.c, ``bpf_check_classic`` and ``check_load_and_stores`` in net/core/filter.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import ProfileError

MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS."""
SLOTS = 16
"""BPF_MEMWORDS: words of scratch memory."""
DATA_BYTES = 64
"""Size of struct seccomp_data: number, architecture, instruction pointer, six arguments."""

_SIZE = 8
_RECORD = struct.Struct("<HBBI")

LOAD, LOAD_X, STORE, STORE_X, ALU, JUMP, RETURN, MISC = range(8)
_ALU_NAMES = {
    0x00: "add",
    0x10: "sub",
    0x20: "mul",
    0x30: "div",
    0x40: "or",
    0x50: "and",
    0x60: "lsh",
    0x70: "rsh",
    0xA0: "xor",
}
_JUMP_NAMES = {0x10: "jeq", 0x20: "jgt", 0x30: "jge", 0x40: "jset"}
_NAMES = {
    0x20: "ld data[{k}]",
    0x80: "ld data length",
    0x81: "ldx data length",
    0x00: "ld {k:#x}",
    0x01: "ldx {k:#x}",
    0x60: "ld mem[{k}]",
    0x61: "ldx mem[{k}]",
    0x02: "st mem[{k}]",
    0x03: "stx mem[{k}]",
    0x07: "tax",
    0x87: "txa",
    0x84: "neg",
    0x05: "ja",
    0x06: "ret {k:#010x}",
    0x16: "ret a",
}
"""Every code the kernel takes but arithmetic and conditional jumps, which `_mnemonic` makes."""
_LD_ABS, _LD_MEM, _LDX_MEM, _ST, _STX, _JA = 0x20, 0x60, 0x61, 0x02, 0x03, 0x05


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; jumps go ``jt`` or ``jf`` (``k`` for "ja") beyond the next one."""

    code: int
    jt: int
    jf: int
    k: int

    @property
    def family(self) -> int:
        """LOAD … MISC."""
        return self.code & 7

    @property
    def operation(self) -> int:
        """Which arithmetic or jump it is."""
        return self.code & 0xF0

    @property
    def by_x(self) -> bool:
        """Whether arithmetic or a jump takes its operand from X, not from ``k``."""
        return bool(self.code & 8)


def read_bpf(path: Path) -> tuple[Instruction, ...]:
    """The program in the file *path*. Raises ProfileError for what the kernel would not take."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INSTRUCTIONS * _SIZE + 1)
    except OSError as error:
        raise ProfileError(f"expected a BPF program in {path}, found {error.strerror}") from error
    return parse_bpf(data, str(path))


def looks_like_bpf(data: bytes) -> bool:
    """Whether *data*, the first bytes of a file, is more likely a program than a text: text has no
    zero bytes, and a program's first instruction loads a word of the call's data."""
    return len(data) >= _SIZE and b"\0" in data[:_SIZE]


def parse_bpf(data: bytes, where: str = "program") -> tuple[Instruction, ...]:
    """The program that *data* holds. Raises ProfileError, with the instruction's number, for what
    the kernel would not take."""
    count, rest = divmod(len(data), _SIZE)
    if rest or not 0 < count <= MAX_INSTRUCTIONS:
        raise ProfileError(
            f"{where}: expected 1 to {MAX_INSTRUCTIONS} BPF instructions of {_SIZE} bytes, found "
            f"{'more' if count >= MAX_INSTRUCTIONS else len(data)} bytes"
        )
    program = tuple(Instruction(*fields) for fields in _RECORD.iter_unpack(data))
    for number, instruction in enumerate(program):
        problem = _problem(instruction, number, count)
        if problem is not None:
            raise ProfileError(f"{where}: instruction {number}: {problem}")
    if program[-1].family != RETURN:
        raise ProfileError(
            f"{where}: instruction {count - 1}: expected the last one to return, found "
            f"{_mnemonic(program[-1])}"
        )
    _check_memory(program, where)
    return program


def _problem(instruction: Instruction, number: int, count: int) -> str | None:
    """What the kernel has against *instruction*."""
    code, k = instruction.code, instruction.k
    name = _mnemonic(instruction)
    if name is None:
        return f"expected a code that seccomp allows, found {code:#06x}"
    if code == _LD_ABS and (k % 4 or k >= DATA_BYTES):
        return f"expected an offset below {DATA_BYTES} that four divides, found {k}"
    if code in (_LD_MEM, _LDX_MEM, _ST, _STX) and k >= SLOTS:
        return f"expected one of {SLOTS} words of memory, found {k}"
    if code == 0x34 and k == 0:
        return "expected a divisor, found 0"
    if code in (0x64, 0x74) and k >= 32:
        return f"expected a shift by less than 32 bits, found {k}"
    furthest = 0
    if code == _JA:
        furthest = k
    elif instruction.family == JUMP:
        furthest = max(instruction.jt, instruction.jf)
    if number + furthest + 1 >= count and instruction.family == JUMP:
        return f"expected a jump inside the program, found one to {number + furthest + 1}"
    return None


def _check_memory(program: Sequence[Instruction], where: str) -> None:
    """Every word of memory is written on all ways to where it is read."""
    written = 0
    arriving = [(1 << SLOTS) - 1] * len(program)
    for number, instruction in enumerate(program):
        written &= arriving[number]
        if instruction.code in (_ST, _STX):
            written |= 1 << instruction.k
        elif instruction.code in (_LD_MEM, _LDX_MEM):
            if not written >> instruction.k & 1:
                raise ProfileError(
                    f"{where}: instruction {number}: expected memory word {instruction.k} to be "
                    "written before it is read"
                )
        elif instruction.family == JUMP:
            for target in _targets(instruction, number):
                arriving[target] &= written
            written = (1 << SLOTS) - 1


def _targets(instruction: Instruction, number: int) -> tuple[int, ...]:
    if instruction.code == _JA:
        return (number + instruction.k + 1,)
    return (number + instruction.jt + 1, number + instruction.jf + 1)


def _mnemonic(instruction: Instruction) -> str | None:
    """Its name with operands, None for a code that seccomp does not allow."""
    code, k = instruction.code, instruction.k
    if code in _NAMES:
        return _NAMES[code].format(k=k)
    names = {ALU: _ALU_NAMES, JUMP: _JUMP_NAMES}.get(instruction.family, {})
    if instruction.operation not in names or code > 0xFF:
        return None
    return f"{names[instruction.operation]} {'x' if instruction.by_x else f'{k:#x}'}"


_FIELDS = {0: "call number", 4: "architecture", 8: "instruction pointer, low", 12: "…, high"} | {
    16 + 8 * arg + half: f"argument {arg}, {'high' if half else 'low'} half"
    for arg in range(6)
    for half in (0, 4)
}
_RETURNS = {
    0x80000000: "KILL_PROCESS",
    0x00000000: "KILL_THREAD",
    0x00030000: "TRAP",
    0x00050000: "ERRNO",
    0x7FC00000: "NOTIFY",
    0x7FF00000: "TRACE",
    0x7FFC0000: "LOG",
    0x7FFF0000: "ALLOW",
}


def disassemble(program: Sequence[Instruction]) -> Iterator[str]:
    """One line an instruction: its number, what it does, and in words what the kernel's constants
    mean."""
    for number, instruction in enumerate(program):
        text = _mnemonic(instruction) or "?"
        note = ""
        if instruction.code == _JA:
            text = f"ja → {_targets(instruction, number)[0]}"
        elif instruction.family == JUMP:
            yes, no = _targets(instruction, number)
            text = f"{text} → {yes}, else {no}"
        elif instruction.code == _LD_ABS:
            note = _FIELDS[instruction.k]
        elif instruction.code == 0x06:
            note = _RETURNS.get(instruction.k & 0xFFFF0000, "unknown action: kills the process")
            note += f" {instruction.k & 0xFFFF}" if instruction.k & 0xFFFF else ""
        yield f"{number:4}  {text:<34}{f'; {note}' if note else ''}".rstrip()
