"""Which process a traced thread belongs to."""

from __future__ import annotations

from gofuzzsec.syscalls.lineage import Lineage
from gofuzzsec.syscalls.trace import Call

THREAD, CHILD = "0x50f00", "0x4111"


def clone(tid: int, flags: str) -> Call:
    return Call(tid, "clone", flags, 0, False, None, True)


def begun() -> Lineage:
    lineage = Lineage()
    lineage.entered(Call(10, "execve", "", 0, True, 0, True))
    return lineage


def test_the_first_thread_is_the_traced_process() -> None:
    process = begun().process(10, 0)
    assert process is not None
    assert process.own


def test_threads_share_the_process_and_children_do_not() -> None:
    lineage = begun()
    for child, flags in ((11, THREAD), (12, CHILD)):
        lineage.entered(clone(10, flags))
        lineage.left(10, child, bracket=3)
    thread, child_process = lineage.process(11, 3), lineage.process(12, 3)
    assert thread == lineage.process(10, 3)
    assert child_process is not None
    assert not child_process.own
    assert child_process.born == 3


def test_a_child_is_placed_before_its_clone_returns() -> None:
    lineage = begun()
    lineage.entered(clone(10, CHILD))
    early = lineage.process(12, 5)
    assert early is not None
    assert not early.own
    lineage.left(10, 12, bracket=6)
    assert lineage.process(12, 6) == early  # it was born in 5


def test_between_two_clones_under_way_nothing_is_guessed() -> None:
    lineage = begun()
    lineage.entered(clone(10, THREAD))
    lineage.left(10, 11, bracket=0)
    lineage.entered(clone(10, THREAD))
    lineage.entered(clone(11, CHILD))
    assert lineage.process(13, 0) is None
    lineage.left(11, 13, bracket=0)
    placed = lineage.process(13, 0)
    assert placed is not None
    assert not placed.own


def test_a_grandchild_keeps_the_bracket_of_the_child() -> None:
    lineage = begun()
    lineage.entered(clone(10, CHILD))
    lineage.left(10, 12, bracket=2)
    lineage.entered(clone(12, CHILD))
    lineage.left(12, 13, bracket=7)
    grandchild = lineage.process(13, 7)
    assert grandchild is not None
    assert grandchild.born == 2


def test_a_failed_clone_makes_nobody_and_an_id_can_be_used_again() -> None:
    lineage = begun()
    lineage.entered(clone(10, CHILD))
    lineage.left(10, -1, bracket=0)
    assert lineage.process(12, 0) is None
    lineage.entered(clone(10, CHILD))
    lineage.left(10, 12, bracket=0)
    lineage.gone(12)
    lineage.gone(10)  # the main thread may end before the process does
    assert lineage.process(12, 0) is None
    assert lineage.process(10, 0) is not None
