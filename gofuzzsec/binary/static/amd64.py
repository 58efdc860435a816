"""amd64 machine code to the addresses it refers to, a hundred thousand instructions at a time.

capstone finds where instructions begin and end. Which of an instruction's bytes are an address is
then read here, for all instructions of a chunk at once with numpy: capstone's own operand objects
take fifty times as long. Encoding: Intel 64 Software Developer's Manual, volume 2, chapter 2.
"""

from __future__ import annotations

import ctypes

import capstone
import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.static.references import ADDRESS, BRANCH, CALL, NUMBER, Found
from gofuzzsec.binary.static.space import Bytes

_INSN = capstone._cs_insn
_LAYOUT = np.dtype(
    {
        "names": ["id", "size", "bytes"],
        "formats": ["<u4", "<u2", "16u1"],
        "offsets": [_INSN.id.offset, _INSN.size.offset, _INSN.bytes.offset],
        "itemsize": ctypes.sizeof(_INSN),
    }
)
_WINDOW = 4
"""Bytes of a 32-bit displacement or immediate."""


def _table(*ranges: tuple[int, int]) -> npt.NDArray[np.bool_]:
    found = np.zeros(256, bool)
    for first, last in ranges:
        found[first : last + 1] = True
    return found


_PREFIX = _table(
    (0x26, 0x26), (0x2E, 0x2E), (0x36, 0x36), (0x3E, 0x3E), (0x64, 0x67), (0xF0, 0xF0),
    (0xF2, 0xF3),
)  # fmt: skip
_MODRM = _table(
    *((row + low, row + low + 3) for row in range(0, 0x40, 16) for low in (0, 8)),
    (0x63, 0x63), (0x69, 0x69), (0x6B, 0x6B), (0x80, 0x8F), (0xC0, 0xC1), (0xC6, 0xC7),
    (0xD0, 0xD3), (0xD8, 0xDF), (0xF6, 0xF7), (0xFE, 0xFF),
)  # fmt: skip
_NO_MODRM_0F = _table(
    (0x05, 0x09), (0x0B, 0x0B), (0x0E, 0x0E), (0x30, 0x37), (0x77, 0x77), (0x80, 0x8F),
    (0xA0, 0xA2), (0xA8, 0xAA), (0xC8, 0xCF),
)  # fmt: skip


def disassemble(code: bytes, address: int) -> tuple[npt.NDArray[np.int64], Bytes, Bytes]:
    """Offset into *code*, length in bytes (0: no instruction) and the first 16 bytes of each."""
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.skipdata = True
    listed = ctypes.POINTER(_INSN)()
    lib = capstone._cs
    count = lib.cs_disasm(
        engine.csh, code, len(code), ctypes.c_uint64(address), 0, ctypes.byref(listed)
    )
    if not count:
        empty = np.zeros(0, np.int64)
        return empty, np.zeros(0, np.uint8), np.zeros((0, 16), np.uint8)
    try:
        size = count * ctypes.sizeof(_INSN)
        raw = (ctypes.c_uint8 * size).from_address(ctypes.addressof(listed.contents))
        rows = np.frombuffer(raw, _LAYOUT)
        lengths = rows["size"].astype(np.int64)
        offsets = np.cumsum(lengths) - lengths
        known = np.where(rows["id"] != 0, lengths, 0).astype(np.uint8)
        # capstone leaves what is behind an instruction's own bytes as it found it.
        own = np.arange(16) < lengths[:, None]
        return offsets, known, np.where(own, rows["bytes"], 0)
    finally:
        lib.cs_free(listed, count)


def find(code: bytes, address: int, *, fixed: bool) -> Found:
    """Everything that *code* at *address* refers to. *fixed*: the program is loaded where it was
    linked, so that absolute addresses may stand in instructions."""
    offsets, lengths, body = disassemble(code, address)
    starts = offsets + address
    good = lengths > 0
    at, size, body = starts[good], lengths[good].astype(np.int64), body[good]
    row = np.arange(len(at))
    opcode, kind, has_modrm, start = _opcodes(body, row)
    modrm = body[row, start]
    mod, rm = modrm >> 6, modrm & 7
    sib = has_modrm & (mod != 3) & (rm == 4)
    base = body[row, np.minimum(start + 1, 15)] & 7
    relative = has_modrm & (mod == 0) & (rm == 5)
    absolute = has_modrm & (((mod == 0) & sib & (base == 5)) | (mod == 2))
    place = np.where(has_modrm, start + 1 + sib, start)
    wide = relative | absolute
    end = place + np.where(wide, 4, np.where(has_modrm & (mod == 1), 1, 0))
    immediate = size - end  # bytes of it that are left behind the displacement
    value = _window(body, row, place)
    target = np.where(relative, at + size + value, value)
    parts = [(at[relative], target[relative], ADDRESS)]
    parts += _branches(at, size, opcode, kind, body, row)
    if fixed:
        parts.append((at[absolute], target[absolute], NUMBER))
        jump = (kind == 0) & ((opcode == 0xE8) | (opcode == 0xE9))
        jump |= (kind == 1) & (opcode >= 0x80) & (opcode <= 0x8F)
        number = (immediate == 4) & ~jump
        parts.append((at[number], _window(body, row, end)[number], NUMBER))
    number = (immediate == 8) & (kind == 0)
    eight = body[row[:, None], np.minimum(end[:, None] + np.arange(8), 15)][number]
    parts.append((at[number], eight.copy().view(np.int64).reshape(-1), NUMBER))
    return Found.of(
        parts,
        calls=at[(kind == 1) & (opcode == 0x05)],
        legacy=at[_legacy(body[row, size - 1], kind, opcode)],
        starts=starts,
        unknown=starts[~good],
    )


def _opcodes(
    body: Bytes, row: npt.NDArray[np.int64]
) -> tuple[Bytes, Bytes, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Opcode byte, its map (0 one byte, 1 ``0F``, 2 all others), whether ModRM follows, and where
    what follows the opcode begins."""
    start = np.zeros(len(body), np.int64)
    for _ in range(
        6
    ):  # legacy prefixes in any number and order; 15 bytes is the longest instruction
        more = _PREFIX[body[row, start]]
        if not more.any():
            break
        start = np.minimum(start + more, 12)
    start += (body[row, start] & 0xF0) == 0x40  # REX
    first = body[row, start]
    second = body[row, start + 1]
    vex2, vex3, evex = first == 0xC5, first == 0xC4, first == 0x62
    vector = vex2 | vex3 | evex
    escape = first == 0x0F
    longer = escape & ((second == 0x38) | (second == 0x3A))
    skip = np.select([vex2, vex3, evex, longer, escape], [2, 3, 4, 2, 1], 0)
    opcode = body[row, np.minimum(start + skip, 15)]
    low = np.where(vex3, second & 0x1F, np.where(evex, second & 7, np.where(vex2, 1, 2)))
    kind = np.where(vector, np.where(low == 1, 3, 2), np.where(longer, 2, escape)).astype(np.uint8)
    has_modrm = np.where(
        kind == 0, _MODRM[opcode], np.where(kind == 1, ~_NO_MODRM_0F[opcode], True)
    )
    has_modrm = np.where((kind == 3) & (opcode == 0x77) & ~evex, False, has_modrm)  # vzeroupper
    return opcode, kind, has_modrm, np.minimum(start + skip + 1, 15)


def _window(
    body: Bytes, row: npt.NDArray[np.int64], start: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The signed 32-bit numbers at *start* of each row."""
    columns = np.minimum(start[:, None] + np.arange(_WINDOW), 15)
    found = body[row[:, None], columns]
    return np.ascontiguousarray(found).view(np.int32).reshape(-1).astype(np.int64)


def _branches(
    at: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    opcode: Bytes,
    kind: Bytes,
    body: Bytes,
    row: npt.NDArray[np.int64],
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]]:
    """Calls and jumps to a fixed place: the distance is the last 4 bytes, or the last one."""
    near = np.maximum(size - 4, 0)
    distance = _window(body, row, near)
    call = (kind == 0) & (opcode == 0xE8) & (size >= 5)
    jump = (kind == 0) & (opcode == 0xE9) & (size >= 5)
    jump |= (kind == 1) & (opcode >= 0x80) & (opcode <= 0x8F) & (size >= 6)
    short = (kind == 0) & (size >= 2)
    short &= (
        ((opcode >= 0x70) & (opcode <= 0x7F))
        | ((opcode >= 0xE0) & (opcode <= 0xE3))
        | (opcode == 0xEB)
    )
    little = body[row, np.maximum(size - 1, 0)].astype(np.int8).astype(np.int64)
    target = at + size + distance
    return [
        (at[call], target[call], CALL),
        (at[jump], target[jump], BRANCH),
        (at[short], (at + size + little)[short], BRANCH),
    ]


def _legacy(last: Bytes, kind: Bytes, opcode: Bytes) -> npt.NDArray[np.bool_]:
    """``int 0x80`` and ``sysenter``: calls by the numbers of 32-bit programs."""
    interrupt = (kind == 0) & (opcode == 0xCD) & (last == 0x80)
    enter = (kind == 1) & (opcode == 0x34)
    return np.asarray(interrupt | enter)
