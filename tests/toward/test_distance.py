"""Distances in a program whose control flow is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gofuzzsec.binary.counters import Counters
from gofuzzsec.binary.distance import FAR, distances
from gofuzzsec.binary.static.blocks import blocks_of
from gofuzzsec.syscalls import table
from tests.toward.conftest import Build

DEEP = "example.org/deep."


@pytest.mark.parametrize("kind", ["amd64", "arm64"])
def test_each_condition_is_a_step(
    kind: str, build: Build, counted: Callable[[str], Counters]
) -> None:
    graph, counters = build(kind), counted(kind)
    names = graph.code.units.names
    shut = [u for u, name in enumerate(names) if name.startswith(("testing.", "internal/fuzz."))]
    found = distances(graph, counters, [names.index(DEEP + "FuzzDeep")], shut)
    column = {table.name(n, graph.program.arch): k for k, n in enumerate(found.numbers)}
    assert "umask" not in column, "nothing leads there"
    sync, getppid = found.rows[:, column["sync"]], found.rows[:, column["getppid"]]
    run = list(counters.of(DEEP + "Run"))
    (inside,) = counters.of(DEEP + "deepest")
    assert sync[inside] == 0 and getppid[inside] == FAR
    assert all(sync[list(counters.of(DEEP + "elsewhere"))] == FAR)
    # In Run: the entry, the length, the letters c, d and e, and deepest itself.
    assert sync[run[0]] == max(d for d in sync[run] if d != FAR)
    assert {1, 2, 3} <= set(sync[run].tolist()), "one step nearer with each condition"
    assert getppid[run[0]] < sync[run[0]], "the call behind fewer conditions is nearer"
    (first,) = counters.of(DEEP + "FuzzDeep.func1")[:1]
    assert sync[first] == sync[run[0]] + 1
    assert found.start[column["sync"]] > sync[first]


@pytest.mark.parametrize("kind", ["amd64", "arm64"])
def test_blocks_hold_what_the_function_is_made_of(kind: str, build: Build) -> None:
    graph = build(kind)
    unit = graph.code.units.names.index(DEEP + "Run")
    blocks = blocks_of(graph.space, graph.code, unit, frozenset())
    start, end = int(graph.code.units.starts[unit]), int(graph.code.units.ends[unit])
    assert blocks.starts[0] == start and list(blocks.starts) == sorted(set(blocks.starts))
    assert blocks.at(start) == 0 and blocks.at(end - 1) == len(blocks.starts) - 1
    reached, work = set[int](), [0]
    while work:
        block = work.pop()
        if block not in reached:
            reached.add(block)
            work += blocks.following[block]
    padding = set(range(len(blocks.starts))) - reached
    assert len(reached) > 10 and (not padding or min(padding) > max(reached)), "at the end only"
    assert any(not ways for ways in blocks.following), "some return"
