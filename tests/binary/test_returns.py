"""Where functions are left, against Go's own disassembler and on hand-made code."""

from __future__ import annotations

import re
import struct
import subprocess

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.probes import function_exits
from gofuzzsec.binary.returns import Exits, disassembler, exits
from gofuzzsec.toolchain.model import Go
from tests.binary.conftest import built
from tests.binary.programs import Source

SAMPLE = "^(main|encoding/json|runtime|internal/bytealg|reflect)\\."
_LINE = re.compile(r"\t0x([0-9a-f]+)\t+[0-9a-f]+\t+(\S+)")


@pytest.mark.parametrize("way", ["plain", "arm64"])
def test_every_ret_that_gos_disassembler_sees(go: Go, sources: Source, way: str) -> None:
    program = GoProgram.read(built(sources, go, way))
    command = [str(go.path), "tool", "objdump", "-s", SAMPLE, str(program.path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = {int(m[1], 16) for m in _LINE.finditer(shown) if m[2] == "RET"}
    sample = [f for f in program.functions if re.match(SAMPLE, f.name) and f.size]
    ours = {at for function in sample for at in function_exits(program, function).returns}
    assert len(sample) > 1500
    assert len(ours) > 2000
    assert ours == theirs


def test_only_assembly_is_left_by_a_register_and_nothing_conditionally(variant: GoProgram) -> None:
    sample = [f for f in variant.functions if f.assembly or f.name.startswith(("main.", "fmt."))]
    sample += variant.functions.matching("runtime.go*")
    every = {f.name: function_exits(variant, f) for f in sample}
    left = {name: jump for name, found in every.items() for jump in found.jumps}
    assert "runtime.gogo" in left
    assert not any(found.branches for found in every.values())
    for function in variant.functions.named("main.Switch"):
        assert not function_exits(variant, function).jumps, "a table of labels is no tail jump"
        assert function_exits(variant, function).returns


def amd64(code: bytes, *, assembly: bool = False, start: int = 0x1000) -> Exits:
    instructions = disassembler("amd64")(code, start)
    return exits(instructions, start, start + len(code), arch="amd64", assembly=assembly)


def arm64(*words: int, assembly: bool = False, start: int = 0x1000) -> Exits:
    code = struct.pack(f"<{len(words)}I", *words)
    instructions = disassembler("arm64")(code, start)
    return exits(instructions, start, start + len(code), arch="arm64", assembly=assembly)


def test_forms_of_amd64() -> None:
    assert amd64(bytes.fromhex("c3 c20800 f3c3")).returns == (0x1000, 0x1001, 0x1004)
    assert amd64(bytes.fromhex("b8c3c3c3c3 c3")).returns == (0x1005,), "not inside a constant"
    assert amd64(bytes.fromhex("ebfe")).jumps == (), "to itself"
    assert amd64(bytes.fromhex("e9fb0f0000 90")).jumps == ((0x1000, 0x2000),)
    assert amd64(bytes.fromhex("90 7400 c3")).branches == ()
    assert amd64(bytes.fromhex("0f84fa0f0000")).branches == ((0x1000, 0x2000),)
    for jump in ("ffe0", "ff20", "ff2425 00200000", "ff2500100000"):
        assert amd64(bytes.fromhex(jump)).jumps == (), "of a switch"
        assert amd64(bytes.fromhex(jump), assembly=True).jumps == ((0x1000, 0),)
    assert amd64(bytes.fromhex("90 06 c3")).unreadable == (0x1001,), "no such instruction"


def test_forms_of_arm64() -> None:
    ret, ret_x1, nop = 0xD65F03C0, 0xD65F0020, 0xD503201F
    assert arm64(nop, ret, ret_x1).returns == (0x1004, 0x1008)
    assert arm64(nop, 0x17FFFFFF).jumps == (), "back to the beginning"
    assert arm64(nop, 0x140003FF).jumps == ((0x1004, 0x2000),)
    assert arm64(0x94000400).jumps == (), "a call"
    assert arm64(0xD61F0020).jumps == ()
    assert arm64(0xD61F0020, assembly=True).jumps == ((0x1000, 0),)
    for branch in (0x54008000, 0xB4008000, 0x35008000):  # b.eq, cbz x0, cbnz w0
        assert arm64(branch).branches == ((0x1000, 0x2000),)
    assert arm64(0x36008000).branches == ((0x1000, 0x2000),)  # tbz w0, #0
    assert arm64(0x54000000 | 2 << 5, nop, nop).branches == ()
    assert arm64(0, 0xFFFFFFFF, ret).returns == (0x1008,), "data among the code hides none"
