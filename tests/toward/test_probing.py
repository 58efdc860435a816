"""Words on the inputs at the frontier: which are tried, where, and how often."""

from __future__ import annotations

import random

import numpy as np

from gofuzzsec.coordinator.pool import Entry, Pool
from gofuzzsec.coordinator.probing import LEAST, MOST, SLICE, Prober
from gofuzzsec.coordinator.tokens import TokenBook
from gofuzzsec.corpus.values import Input

NONE = np.zeros(0, dtype=np.uint32)


def entry(number: int, *lines: str) -> Entry:
    data = "\n".join(["go test fuzz v1", *lines, ""]).encode()
    return Entry(number, f"{number:016x}", data, 1, NONE)


def prober(*entries: Entry, tokens: tuple[bytes, ...] = ()) -> Prober:
    pool = Pool()
    pool.begin(8)
    for each in entries:
        pool.add(each)
    return Prober(random.Random(1), pool, TokenBook(tokens))


def tried(made: Prober, each: Entry) -> list[Input]:
    found: list[Input] = []
    while inputs := made.inputs(each):
        assert len(inputs) <= SLICE
        found += inputs
    return found


def texts(found: list[Input]) -> list[bytes]:
    return [value.raw for values in found for value in values if isinstance(value.raw, bytes)]


def test_every_word_is_tried_once_in_every_place() -> None:
    short, other = entry(1, 'string("show b")'), entry(2, 'string("put -p,a")')
    made = prober(
        short, other, tokens=(b"all", b"all of it, and more than a word may have of bytes")
    )
    found = texts(tried(made, short))
    # 61 other flags stand for the one that was seen; places: two words, three places to go on.
    words = {b"show", b"b", b"put", b"-p", b"a", b"all"}
    assert len(found) == 5 * (len(words) + 61)
    assert len(set(found)) > len(found) - 10
    assert {b"show b -p", b"show -z b", b"put b", b"show all", b"show b all"} <= set(found)
    assert b"show,a b" in found, "parted as it was where it comes from"
    assert b"-x b" in found and b"show -x" in found, "flags that no input has"
    assert made.next([short], 1 << 30) is None, "all is tried"
    assert made.next([short, other], 1 << 30) is other


def test_the_one_tried_least_comes_next_within_the_share() -> None:
    first, second = entry(1, 'string("a b c d e f g h")'), entry(2, 'string("-a b c d e f g h")')
    made = prober(first, second)
    assert made.next([first, second], 1000) is first
    made.inputs(first)
    assert made.executions == SLICE
    assert made.next([first, second], int(SLICE / MOST) - 50) is None
    assert made.next([first, second], int(SLICE / MOST) + 50) is second


def test_what_finds_nothing_gets_less() -> None:
    many = entry(1, 'string("-a ' + " ".join(f"w{i}" for i in range(80)) + '")')
    made = prober(many)
    for _ in range(60):
        made.inputs(many)
    spent = made.executions
    assert made.next([many], int(spent / MOST) + 50) is None
    made.found()
    assert made.next([many], int(spent / MOST) + 50) is many
    assert LEAST < MOST


def test_other_arguments_stay_and_what_has_no_words_is_left_alone() -> None:
    mixed = entry(1, "int(7)", 'string("go on")', '[]byte("")', "bool(true)")
    found = tried(prober(mixed), mixed)
    assert found
    assert {values[0].raw for values in found} == {7}
    assert {values[3].raw for values in found} == {True}
    numbers = entry(2, "int(7)")
    assert tried(prober(numbers), numbers) == []
    long = entry(3, f'string("{"a " * 2000}")')
    assert tried(prober(long), long) == []
