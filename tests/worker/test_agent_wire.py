"""What travels between coordinator and agent: there and back, and whatever else may come."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gofuzzsec
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.errors import ProtocolError
from gofuzzsec.worker import Batch, Plan, PlanItem, agent_wire
from gofuzzsec.worker.agent_wire import (
    Sights,
    decode_input,
    decode_loops,
    decode_records,
    encode_batch,
    encode_input,
    encode_plan,
)
from tests.strategies import inputs

KINDS = st.lists(st.sampled_from(list(GoType)), min_size=1, max_size=8)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def block(data: bytes) -> bytes:
    return u32(len(data)) + data


def features(*found: int) -> bytes:
    return u32(len(found)) + struct.pack(f"<{len(found)}I", *found)


def record(kind: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    return struct.pack("<II", kind, 8 + len(body)) + body


FIND = record(
    1, u32(0), u64(7), u64(1500), features(16, 3), features(3), block(b"in"), block(b"at")
)
FAIL = record(2, u64(99), u64(7), block("boom \xff".encode()), block(b"in"))
SOLVED = record(3, u32(5))
AGAIN = record(4, u64(99), u64(12))
ITEM = record(5, u64(7), u64(1000), u32(2), u32(1))
RESULT = record(6, u32(1), u64(80), features(8), block(b"text"), block(b""))
TOKEN = record(7, block(b"PNG"))
SIGHTS = record(8, u64(1000), u32(2), u32(1), u32(30), u32(16384), u32(31))
ALL = FIND + FAIL + SOLVED + AGAIN + ITEM + RESULT + TOKEN + SIGHTS


# -- inputs -------------------------------------------------------------------------------------


@given(KINDS.flatmap(lambda kinds: st.tuples(st.just(kinds), inputs(kinds))))
def test_inputs_come_back_as_they_were(case: tuple[list[GoType], tuple[Value, ...]]) -> None:
    kinds, values = case
    wire = encode_input(values)
    assert decode_input(wire, kinds) == values
    *ends, last = struct.unpack_from(f"<{len(kinds)}I", wire)
    assert sorted(ends) == ends and 4 * len(kinds) + last == len(wire)


def test_negative_numbers_and_odd_floats_keep_their_bits() -> None:
    values = (
        Value(GoType.INT8, -1),
        Value(GoType.INT64, -(1 << 63)),
        Value(GoType.UINT64, (1 << 64) - 1),
        Value(GoType.RUNE, -5),
        Value(GoType.FLOAT64, 0x7FF8_0000_DEAD_BEEF),
        Value(GoType.BOOL, True),
    )
    wire = encode_input(values)
    assert wire[24:] == bytes.fromhex(
        "ff 0000000000000080 ffffffffffffffff fbffffff efbeadde0000f87f 01"
    )
    assert decode_input(wire, [value.type for value in values]) == values


@given(KINDS, st.binary(max_size=80))
def test_what_is_no_input_is_refused_or_is_one(kinds: Sequence[GoType], wire: bytes) -> None:
    try:
        values = decode_input(wire, kinds)
    except ProtocolError:
        return
    assert [value.type for value in values] == list(kinds)
    assert decode_input(encode_input(values), kinds) == values


@pytest.mark.parametrize(
    ("wire", "kinds"),
    [
        (b"", [GoType.STRING]),
        (u32(5) + b"1234", [GoType.STRING]),
        (u32(3) + u32(2) + b"123", [GoType.STRING, GoType.BYTES]),
        (u32(3) + b"123", [GoType.INT]),
        (u32(0), [GoType.BOOL]),
    ],
)
def test_wires_that_fit_no_input(wire: bytes, kinds: list[GoType]) -> None:
    with pytest.raises(ProtocolError, match="expected an input of the target"):
        decode_input(wire, kinds)


# -- requests -----------------------------------------------------------------------------------


def test_how_a_plan_is_laid_out() -> None:
    plan = Plan(
        items=(PlanItem(7, 1000, True, b"abc"), PlanItem(8, 0, False, b"")),
        seed=-1,
        limit=50,
        seconds=0.25,
        max_len=4096,
        solve=True,
        solve_budget=99,
        known=b"\x01\x02",
        tokens=((b"user", False), (b"auto", True)),
    )
    head = struct.pack("<7Q", (1 << 64) - 1, 50, 250_000_000, 1, 4096, 99, 2)
    tokens = u32(4) + b"user" + u32(4 | 1 << 31) + b"auto"
    items = u64(7) + u32(1000) + u32(1) + block(b"abc") + u64(8) + u32(0) + u32(0) + block(b"")
    assert encode_plan(plan) == head + u64(2) + b"\x01\x02" + u64(16) + tokens + items


def test_how_a_batch_is_laid_out() -> None:
    batch = Batch((b"abc", b""), twice=True, known=b"\xff")
    assert encode_batch(batch) == u64(2) + u64(1) + u64(1) + b"\xff" + block(b"abc") + block(b"")
    assert encode_batch(Batch(())) == u64(0) * 3


def test_both_sides_agree_on_the_layout() -> None:
    source = (Path(gofuzzsec.__file__).parent / "agent/fuzz/wire.go").read_text()
    numbers = {
        name: int(value, 0) for name, value in re.findall(r"^\t(ag\w+)\s+= (\w+)", source, re.M)
        if value != "iota"
    }  # fmt: skip
    ours = {
        name: value for name, value in vars(agent_wire).items() if isinstance(value, int)
    }  # fmt: skip

    def python_name(go_name: str) -> str:
        words = re.findall(r"[A-Z][a-z]*", go_name)
        head, *rest = words
        name = "_".join(rest).upper()
        return {"Record": f"_{name}", "Word": name}.get(head, f"{head.upper()}_{name}")

    seen = {python_name(name): value for name, value in numbers.items() if name != "agMagic"}
    assert numbers["agMagic"] == agent_wire.MAGIC
    for name, value in seen.items():
        if name in ours:
            assert ours[name] == value, name
    assert {
        "_FIND",
        "_INCIDENCE",
        "_TOKEN",
        "REQUEST_PLAN",
        "END_STOP",
    } <= seen.keys() & ours.keys()
    (words,) = re.findall(r"^const \(\n(\tagWordCount .*?)^\tagWords$", source, re.M | re.S)
    order = [python_name(name) for name in re.findall(r"^\t(agWord\w+)", words, re.M)]
    names = {"MAGIC": "MAGIC_AT"}
    assert [ours[names.get(name, name)] for name in order] == list(range(len(order)))


# -- answers ------------------------------------------------------------------------------------


def test_every_record_is_read() -> None:
    report = decode_records(memoryview(ALL + AGAIN))
    (find,) = report.finds
    assert (find.number, find.parent, find.exec_ns) == (0, 7, 1500)
    assert find.features.tolist() == [3, 16] and find.fresh.tolist() == [3]
    assert (find.wire, find.stacks) == (b"in", "at")
    (failure,) = report.failures
    assert (failure.key, failure.parent, failure.wire) == (99, 7, b"in")
    assert failure.text == "boom \xff"
    assert report.solved == [5] and report.tokens == [b"PNG"]
    assert report.again == {99: 24}
    (item,) = report.items
    assert (item.id, item.executions, item.finds, item.solved) == (7, 1000, 2, True)
    (result,) = report.results
    assert (result.failed, result.exec_ns, result.text, result.stacks) == (True, 80, "text", "")
    assert result.features.tolist() == [8] and result.features.dtype == np.uint32
    assert report.sights == [Sights(1000, ((1, 30), (16384, 31)))]


def test_texts_of_any_bytes_are_read() -> None:
    report = decode_records(memoryview(record(2, u64(1), u64(2), block(b"\xff\xfe"), block(b""))))
    assert report.failures[0].text == "��"


def test_numbers_too_large_to_be_true_are_cut() -> None:
    huge = u64((1 << 64) - 1)
    area = record(4, u64(1), huge) + record(5, u64(1), huge, u32(0), u32(0))
    area += record(6, u32(0), huge, features(), block(b""), block(b""))
    report = decode_records(memoryview(area))
    most = agent_wire.MOST
    assert (report.again, report.items[0].executions) == ({1: most}, most)
    assert report.results[0].exec_ns == most < 1 << 63, "a store holds 64-bit signed integers"


def test_the_times_of_a_loop() -> None:
    times = record(6, *(u64(number) for number in range(10)))
    assert decode_loops(memoryview(TOKEN + times)) == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))
    for area in (TOKEN, times[:-1], record(6, u64(1))):
        with pytest.raises(ProtocolError, match=r"from the agent|of the agent's"):
            decode_loops(memoryview(area))


@pytest.mark.parametrize(
    "area",
    [
        ALL[:-1],
        ALL + b"\0" * 7,
        u32(1) + u32(7),
        u32(1) + u32(0),
        u32(3) + u32(1 << 31),
        record(99),
        record(0),
        record(3),
        record(7, u32(1 << 31), b"x"),
        record(6, u32(0), u64(0), u32(1 << 30)),
        record(8, u64(5), u32(1 << 31)),
        record(8, u64(5), u32(2), u32(1), u32(1)),
    ],
)
def test_areas_that_make_no_sense(area: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected a"):
        decode_records(memoryview(area))


@given(st.data())
def test_damaged_areas_raise_nothing_else(data: st.DataObject) -> None:
    area = bytearray(ALL)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(area) - 1))
        area[at] = data.draw(st.integers(0, 255))
    del area[data.draw(st.integers(0, len(area))) :]
    try:
        report = decode_records(memoryview(area))
    except ProtocolError:
        return
    sizes = [find.features.nbytes + len(find.wire) for find in report.finds]
    sizes += [len(token) for token in report.tokens]
    assert sum(sizes) <= len(area), "what is read takes no more than what was there"


@given(st.binary(max_size=200))
def test_areas_of_any_bytes_raise_nothing_else(area: bytes) -> None:
    try:
        decode_records(memoryview(area))
    except ProtocolError as error:
        assert "from the agent" in str(error) or "of the agent's" in str(error)
