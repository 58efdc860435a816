"""Damaged programs give an error or a bound, never a crash of ours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.errors import BinaryError
from gofuzzsec.syscalls.bound import bound_of
from tests.binary.static.conftest import Graphs


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_survived(shapes: Graphs, tmp_path: Path, seed: int) -> None:
    """Random words amid types, tables, symbols and relocations."""
    rng = random.Random(seed)
    program = shapes("pie" if seed % 2 else "amd64").program
    data = bytearray(program.path.read_bytes())
    names = (b".rodata", b".data.rel.ro", b".data", b".noptrdata", b".symtab", b".rela")
    sections = [section for section in program.elf.sections if section.name in names]
    for _ in range(300):
        section = rng.choice(sections)
        at = section.offset + rng.randrange(section.size - 8)
        words = [rng.randbytes(8), b"\xff" * 8, bytes(8), b"\xff" * 4 + bytes(4)]
        data[at : at + 8] = rng.choice(words)
    path = tmp_path / "damaged"
    path.write_bytes(data)
    try:
        found = bound_of(CallGraph.read(GoProgram.read(path)), ["main"])
    except BinaryError:
        return
    assert found.functions > 0


@pytest.mark.parametrize("field", ["address", "size", "offset"])
def test_sections_that_lie_are_refused(shapes: Graphs, tmp_path: Path, field: str) -> None:
    """A section that is not where its segment is loaded would hide code or data."""
    program = shapes("amd64").program
    data = program.path.read_bytes()
    start = int.from_bytes(data[40:48], "little")
    at = {"address": 16, "offset": 24, "size": 32}[field]
    for index, section in enumerate(program.elf.sections):
        if section.name not in (b".text", b".rodata", b".data", b".noptrdata"):
            continue
        for wrong in (1 << 63, (1 << 64) - 8, section.address + (1 << 20)):
            damaged = bytearray(data)
            place = start + 64 * index + at
            damaged[place : place + 8] = wrong.to_bytes(8, "little")
            path = tmp_path / "damaged"
            path.write_bytes(damaged)
            with pytest.raises(BinaryError):
                CallGraph.read(GoProgram.read(path))
