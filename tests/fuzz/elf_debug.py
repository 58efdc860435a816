"""Debugging information: offsets of the fields of the runtime's structures. An input damages a
program (see programs.py)."""

import struct

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.binary.dwarf import field_offsets
    from gofuzzsec.binary.elf import read_elf

from tests.fuzz.programs import Damaged, build, headers, sections

STRUCTURES = ("runtime.g", "runtime.gobuf", "runtime.stack")


def damaged(data: bytes) -> Damaged:
    """A program whose debugging information is one unit with just the structures; all of it, and
    what says how to read it, in reach."""
    found, rows = sections(data), headers(data)
    info, kinds = found[".debug_info"], found[".debug_abbrev"]
    body = data[info.offset : info.offset + info.size]
    unit = body[:32]
    for name in STRUCTURES:
        at = body.index(f"{name}\0".encode())
        unit += body[at - 1 : at + 1536]
    out = bytearray(data)
    out[info.offset : info.offset + len(unit)] = unit
    struct.pack_into("<I", out, info.offset, len(unit) - 4)
    struct.pack_into("<Q", out, rows[".debug_info"][0] + 32, len(unit))
    parts = [(kinds.offset, kinds.size), rows[".debug_info"], rows[".debug_abbrev"]]
    parts += [(info.offset, 32), (info.offset, len(unit))]
    parts += [(info.offset + unit.index(f"{n}\0".encode()) - 1, 64) for n in STRUCTURES]
    return Damaged(bytes(out), parts)


def read(data: bytes) -> None:
    PROGRAM.damage(data)
    try:
        found = field_offsets(read_elf(PROGRAM.path), *STRUCTURES)
    finally:
        PROGRAM.mend()
    for fields in found.values():
        assert fields and all(isinstance(offset, int) for offset in fields.values())


PROGRAM = damaged(build("-ldflags=-compressdwarf=false"))

if __name__ == "__main__":
    assert set(field_offsets(read_elf(PROGRAM.path), *STRUCTURES)) == set(STRUCTURES)
    fuzz(read, PROGRAM.seeds(), longest=160)
