"""Raw programs: taken as the kernel takes them, and told as they run."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.bpf import disassemble, looks_like_bpf, parse_bpf, read_bpf
from gofuzzsec.seccomp.decision import Decision, Verdict
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.execution import (
    AUDIT_ARCH,
    decision_of,
    effect_of_program,
    gates_of_program,
)
from gofuzzsec.seccomp.install import install
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule, plain
from gofuzzsec.seccomp.regions import Effort, regions
from gofuzzsec.seccomp.sides import is_filtered
from gofuzzsec.syscalls import table
from tests.seccomp.bpf_machine import run
from tests.seccomp.test_effect import CODES

Code = tuple[int, int, int, int]
RET_ALLOW = (0x06, 0, 0, 0x7FFF0000)
RET_EPERM = (0x06, 0, 0, 0x00050001)
LOAD_FIRST = (0x20, 0, 0, 16)  # the lower half of argument 0


def program(*codes: Code) -> bytes:
    return b"".join(struct.pack("<HBBI", *each) for each in codes)


def kernel_takes(data: bytes) -> bool:
    """Whether seccomp(2) installs *data*; in a child, which it may kill."""
    child = os.fork()
    if child == 0:
        try:
            install(data)
        except OSError:
            os._exit(1)
        os._exit(0)  # reached, or killed by the filter, which then was taken
    _, status = os.waitpid(child, 0)
    return not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1)


def taken(data: bytes) -> bool:
    try:
        parse_bpf(data)
    except ProfileError:
        return False
    return True


NEAR_CODES = (
    "00 01 02 03 04 05 06 07 0c 15 16 1d 20 24 25 34 35 3c 44 45 54 60 61 64 74 7c 80 81 84 87 94 "
    "a4 ac 0d 28 30 40 50 8c b1 106"
)
ALL_CODES = st.one_of(
    st.sampled_from([int(code, 16) for code in NEAR_CODES.split()]), st.integers(0, 0xFFFF)
)
CONSTANTS = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 15, 16, 31, 32, 60, 63, 64, 0x7FFF0000, 1 << 31])
CODES_ANY = st.tuples(ALL_CODES, st.integers(0, 3), st.integers(0, 3), CONSTANTS)


@settings(max_examples=250, deadline=None)
@given(st.lists(CODES_ANY, max_size=6), st.sampled_from([RET_ALLOW, RET_EPERM, None]))
@example([(0x60, 0, 0, 3)], RET_ALLOW)  # memory that nobody wrote
@example([(0x15, 0, 1, 1), (0x02, 0, 0, 3), (0x60, 0, 0, 3)], RET_ALLOW)  # on one way only
@example([(0x15, 0, 0, 1), (0x02, 0, 0, 3), (0x61, 0, 0, 3)], RET_ALLOW)
@example([(0x06, 0, 0, 0), (0x61, 0, 0, 3)], RET_ALLOW)  # never reached, and still refused
@example([(0x05, 0, 0, 0xFFFFFFFF)], RET_ALLOW)
def test_what_the_kernel_takes_is_taken(codes: list[Code], last: Code | None) -> None:
    data = program(*codes, *([last] if last else []))
    assert taken(data) == kernel_takes(data)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([(0x28, 0, 0, 0), RET_ALLOW], "instruction 0: expected a code"),
        ([(0x20, 0, 0, 6), RET_ALLOW], "instruction 0: expected an offset"),
        ([(0x15, 0, 1, 1), RET_ALLOW], "instruction 0: expected a jump inside"),
        ([RET_ALLOW, (0x05, 0, 0, 9), RET_ALLOW], "instruction 1: expected a jump inside"),
        ([(0x34, 0, 0, 0), RET_ALLOW], "instruction 0: expected a divisor"),
        ([(0x64, 0, 0, 32), RET_ALLOW], "instruction 0: expected a shift"),
        ([(0x60, 0, 0, 16), RET_ALLOW], "instruction 0: expected one of 16"),
        ([(0x60, 0, 0, 1), RET_ALLOW], "instruction 0: expected memory word 1"),
        ([RET_ALLOW, LOAD_FIRST], "instruction 1: expected the last one to return"),
    ],
)
def test_an_error_names_the_instruction(codes: list[Code], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        parse_bpf(program(*codes))


@pytest.mark.parametrize("data", [b"", b"\x06\0\0\0\0\0\0", program(*[RET_ALLOW] * 4097)])
def test_a_blob_of_the_wrong_size(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.bpf"
    path.write_bytes(data)
    with pytest.raises(ProfileError, match="1 to 4096"):
        read_bpf(path)
    with pytest.raises(ProfileError, match="No such file"):
        read_bpf(tmp_path / "none")


def test_text_does_not_look_like_a_program() -> None:
    assert looks_like_bpf(program(LOAD_FIRST))
    assert not looks_like_bpf(b'{"defaultAction": 1}')
    assert not looks_like_bpf(b"# a unit")
    assert not looks_like_bpf(b"\0")


COMPUTING = [0x00, 0x01, 0x02, 0x03, 0x60, 0x61, 0x07, 0x87, 0x80, 0x81, 0x84] + [
    operation | 4 | x
    for operation in (0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xA0)
    for x in (0, 8)
]
JUMPS = [operation | 5 | x for operation in (0x10, 0x20, 0x30, 0x40) for x in (0, 8)]
LOADS = st.tuples(
    st.just(0x20), st.just(0), st.just(0), st.sampled_from([0, 4, 16, 20, 24, 28, 56, 8, 12])
)
STEPS = st.one_of(
    LOADS,
    st.tuples(st.sampled_from(JUMPS), st.integers(0, 2), st.integers(0, 2), st.integers(0, 9)),
    st.tuples(st.just(0x54), st.just(0), st.just(0), st.sampled_from([1, 3, 7, 0xFF, 1 << 31])),
    st.tuples(st.sampled_from(COMPUTING), st.just(0), st.just(0), st.integers(0, 9)),
)
RETURNS = st.sampled_from(
    [RET_ALLOW, RET_EPERM, (0x06, 0, 0, 0x7FF00003), (0x06, 0, 0, 0x12345678), (0x16, 0, 0, 0)]
)
WORDS = st.integers(0, 8) | st.sampled_from([1 << 31, 1 << 32, (1 << 64) - 1, (1 << 63) + 3])


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(STEPS, st.just(None)) | st.tuples(STEPS, RETURNS), max_size=12),
    RETURNS,
    st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS, WORDS, WORDS), min_size=4, max_size=12),
)
def test_unknown_arguments_end_as_any_known_ones(
    steps: list[tuple[Code, Code | None]], last: Code, calls: list[tuple[int, ...]]
) -> None:
    codes = [code for step, then in steps for code in (step, *([then] if then else []))]
    stores = [(0x02, 0, 0, slot) for slot in range(10)]
    data = program(*stores, *codes, RET_EPERM, RET_ALLOW, last)
    try:
        decision = decision_of(parse_bpf(data), "amd64", "socket")
    except ProfileError as error:
        assert "computing with arguments" in str(error)
        return
    found = regions([tests for tests, _ in decision.cases], Effort())
    for args in (*calls, *(region.witness for region in found)):
        pointer = args[6] if len(args) > 6 else 0
        returned = run(data, AUDIT_ARCH["amd64"], 41, args[:6], pointer)
        padded = (*args, 0, 0, 0, 0, 0, 0)[:6]
        assert returned_as(decision.verdict((*padded, pointer))) == meaning(returned)


def meaning(returned: int) -> int:
    """What the kernel makes of *returned*: unknown actions kill, data counts for two actions."""
    action = returned & 0xFFFF0000
    if action not in CODES.values():
        return CODES[Action.KILL_PROCESS]
    data = returned & 0xFFFF
    if action == CODES[Action.ERRNO]:
        return action | min(data, 4095)
    return returned if action == CODES[Action.TRACE] else action


def returned_as(verdict: Verdict) -> int:
    return CODES[verdict.action] | (verdict.errno or 0)


def test_a_compiled_profile_is_told_by_its_program() -> None:
    arch = table.machine_arch()
    allowed = Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.EQ, 1),))
    base = plain(["read", "write"], arch)
    made = Profile(Action.ERRNO, 1, base.architectures, rules=(*base.rules, allowed))
    code = parse_bpf(compile_filter(made, arch).program)
    effect = effect_of_program(code, arch)
    assert effect.calls["read"] == Decision((), Verdict(Action.ALLOW))
    assert effect.calls["mount"] == Decision((), Verdict(Action.ERRNO, 1))
    assert effect.calls["socket"].verdict((1,)) == Verdict(Action.ALLOW)
    assert effect.calls["socket"].verdict((1 + (1 << 32),)) == Verdict(Action.ERRNO, 1)
    assert effect.default == Decision((), Verdict(Action.ERRNO, 1))
    killed = Verdict(Action.KILL_THREAD)
    assert {gate.verdict(()) for gate in gates_of_program(code, arch).values()} == {killed}
    other = "arm64" if arch == "amd64" else "amd64"
    assert is_filtered(code, arch)
    assert not is_filtered(code, other)


def test_disassembly_says_what_numbers_mean() -> None:
    code = parse_bpf(
        program(
            (0x20, 0, 0, 4),
            (0x15, 1, 0, 0xC000003E),
            (0x06, 0, 0, 0),
            (0x20, 0, 0, 28),
            (0x54, 0, 0, 0xFF),
            (0x1D, 1, 0, 0),
            (0x05, 0, 0, 1),
            RET_EPERM,
            (0x06, 0, 0, 0x00010000),
        )
    )
    lines = list(disassemble(code))
    assert [line.split(maxsplit=1)[1] for line in lines[1:]] == [
        "jeq 0xc000003e → 3, else 2",
        "ret 0x00000000                    ; KILL_THREAD",
        "ld data[28]                       ; argument 1, high half",
        "and 0xff",
        "jeq x → 7, else 6",
        "ja → 8",
        "ret 0x00050001                    ; ERRNO 1",
        "ret 0x00010000                    ; unknown action: kills the process",
    ]
    assert lines[0].endswith("; architecture")


def test_hostile_programs_end_with_an_error() -> None:
    test_each_bit = [
        code for bit in range(20) for code in ((0x45, 0, 1, 1 << bit), (0x04, 0, 0, 0))
    ]
    diamonds: list[Code] = []
    for n in range(60):
        diamonds += [(0x20, 0, 0, 16 + 4 * (n % 12)), (0x45, 0, 1, 1 << (n // 12)), (0x00, 0, 0, 7)]
    with pytest.raises(ProfileError, match="found too many"):
        effect_of_program(parse_bpf(program(*diamonds, RET_ALLOW)), "amd64")
    with pytest.raises(ProfileError, match="instruction 2: expected no computing"):
        effect_of_program(parse_bpf(program(LOAD_FIRST, *test_each_bit, RET_ALLOW)), "amd64")
    by_zero = program((0x01, 0, 0, 0), (0x3C, 0, 0, 0), RET_ALLOW)
    with pytest.raises(ProfileError, match="instruction 1: expected a divisor"):
        effect_of_program(parse_bpf(by_zero), "amd64")
