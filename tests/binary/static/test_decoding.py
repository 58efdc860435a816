"""The quick readers of machine code against capstone's own operands, and what is hard to read."""

from __future__ import annotations

import struct

import capstone
import numpy as np
import pytest
from capstone import x86_const as x86

from gofuzzsec.binary.static import amd64, arm64
from gofuzzsec.binary.static.flow import Function, sinks
from gofuzzsec.binary.static.machine_amd64 import Amd64
from gofuzzsec.binary.static.machine_arm64 import Arm64
from gofuzzsec.binary.static.references import ADDRESS, CALL, PAGE
from gofuzzsec.binary.static.values import Register, Slot, Value
from tests.binary.static.conftest import Graphs

BASE = 0x401000


def test_amd64_addresses_agree_with_capstone(shapes: Graphs) -> None:
    """All of a program's code: every address relative to the instruction, every call and jump."""
    space = shapes("amd64").space
    text = space.named(b".text")
    assert text is not None
    code = text.data.tobytes()[: 128 << 10]
    found = amd64.find(code, text.address, fixed=False)
    mine: dict[int, set[int]] = {}
    for at, target in zip(found.at.tolist(), found.target.tolist(), strict=True):
        mine.setdefault(at, set()).add(target)
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.skipdata = engine.detail = True
    checked = 0
    for insn in engine.disasm(code, text.address):
        if not insn.id:
            continue
        moves = {capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL} & set(insn.groups)
        for operand in insn.operands:
            if operand.type == x86.X86_OP_MEM and operand.mem.base == x86.X86_REG_RIP:
                target = insn.address + insn.size + operand.mem.disp
            elif operand.type == x86.X86_OP_IMM and moves:
                target = operand.imm
            else:
                continue
            assert target in mine.get(insn.address, ()), f"{insn.mnemonic} {insn.op_str}"
            checked += 1
    assert checked > 4000


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("488d0510000000", BASE + 7 + 0x10),  # lea rax, [rip + 0x10]
        ("c7051000000078563412", BASE + 10 + 0x10),  # mov dword [rip + 0x10], 0x12345678
        ("660fefc0488d0510000000", BASE + 11 + 0x10),  # pxor before it
        ("c5fe6f0510000000", BASE + 8 + 0x10),  # vmovdqu ymm0, [rip + 0x10]
        ("c4e27d590510000000", BASE + 9 + 0x10),  # vpbroadcastq ymm0, [rip + 0x10]
        ("62f1fd486f0510000000", BASE + 10 + 0x10),  # vmovdqa64 zmm0, [rip + 0x10]
        ("f3480f1e0510000000", None),  # a hint with an operand
    ],
)
def test_amd64_encodings(code: str, target: int | None) -> None:
    found = amd64.find(bytes.fromhex(code), BASE, fixed=False)

    assert target is None or target in found.target.tolist()


def test_amd64_system_calls_of_all_kinds() -> None:
    # mov eax, 39; syscall; int 0x80; sysenter; int 3; add al, 1
    code = bytes.fromhex("b8270000000f05cd800f34cd0380c001")
    found = amd64.find(code, BASE, fixed=True)

    assert found.calls.tolist() == [BASE + 5]
    assert found.legacy.tolist() == [BASE + 7, BASE + 9]


def test_arm64_pairs_and_pages() -> None:
    words = [
        0xB0000000,  # adrp x0, +1 page
        0x91004000,  # add x0, x0, 0x10
        0xD0000001,  # adrp x1, +2 pages
        0xF9400822,  # ldr x2, [x1, 0x10]
        0xF0000003,  # adrp x3, +3 pages, and nothing that uses it
        0xD503201F,
        0xD2800003,  # mov x3, 0
        0x94000010,  # bl +0x40
        0xD4000001,  # svc 0
    ]
    found = arm64.find(struct.pack(f"<{len(words)}I", *words), BASE, paired=True)

    by_kind = {kind: found.target[found.kind == kind].tolist() for kind in (ADDRESS, PAGE, CALL)}
    page = BASE & ~0xFFF
    assert by_kind[ADDRESS] == [page + 0x1010, page + 0x2010]
    assert by_kind[PAGE] == [page + 0x3000]
    assert by_kind[CALL] == [BASE + 7 * 4 + 0x40]
    assert found.calls.tolist() == [BASE + 8 * 4]


def amd64_values(code: str, wrappers: dict[int, frozenset[Register | Slot]]) -> list[Value]:
    """The numbers at all places of one function in hexadecimal."""
    machine = Amd64(lambda address: None)
    decoded = machine.decode(bytes.fromhex(code), BASE)
    function = Function(BASE, decoded, frozenset(), frozenset(), frozenset(), lambda _: 0)
    return [sink.value for sink in sinks(machine, function, wrappers)]


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("b8270000000f05", {39}),  # mov eax, 39
        ("31c00f05", {0}),  # xor eax, eax
        ("0f05", {Register("rax")}),
        ("488b4424080f05", {Slot(8)}),  # mov rax, [rsp + 8]
        ("50b801000000594889c80f05", {Register("rax")}),  # push rax; mov eax, 1; pop rcx
        ("b80100000085ff7405b8020000000f05", {1, 2}),  # on one of two ways
        ("b8010000000fb6c00f05", None),  # what is not followed is unknown
        ("6a27580f05", {39}),  # push 39; pop rax
        ("488d442408c70001000000488b4424080f05", None),  # written through a pointer
        ("b827000000060f05", None),  # what is no instruction may change anything
    ],
)
def test_numbers_within_a_function(code: str, value: set[object] | None) -> None:
    (found,) = amd64_values(code, {})

    assert found == (None if value is None else frozenset(value))


@pytest.mark.parametrize(("between", "value"), [(0xD503201F, {39}), (0x00000123, None)])
def test_arm64_words_that_are_no_instruction(between: int, value: set[object] | None) -> None:
    """Behind a nop the number is known, behind what may be anything it is not."""
    machine = Arm64(lambda address: None)
    words = (0xD28004E8, between, 0xD4000001)  # mov x8, 39; ...; svc 0
    code = machine.decode(struct.pack("<3I", *words), BASE)
    function = Function(BASE, code, frozenset(), frozenset(), frozenset(), lambda _: 0)

    (found,) = sinks(machine, function, {})

    assert found.value == (None if value is None else frozenset(value))


def test_a_number_passed_on_the_stack() -> None:
    # sub rsp, 16; mov qword [rsp], 39; call +0x100
    code = "4883ec1048c7042427000000e800010000"
    target = BASE + 4 + 8 + 5 + 0x100

    assert amd64_values(code, {target: frozenset({Slot(8)})}) == [frozenset({39})]


def test_bytes_that_are_no_instruction_hide_nothing(shapes: Graphs) -> None:
    """A function with data amid its code is searched byte by byte."""
    found = amd64.find(bytes.fromhex("060f05c3"), BASE, fixed=True)

    assert found.unknown.tolist() == [BASE]
    assert np.array_equal(found.calls, [BASE + 1])
