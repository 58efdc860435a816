"""Source lines of addresses, against what the runtime of the same program says."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from typing import Any

import pytest

from gofuzzsec.binary import Frame, GoProgram
from gofuzzsec.binary.lines import LineTable
from gofuzzsec.toolchain.model import Go
from tests.binary.conftest import built
from tests.binary.programs import Source

Said = Mapping[str, Any]


@pytest.fixture(scope="module", params=["plain", "stripped"])
def told(request: pytest.FixtureRequest, sources: Source, any_go: Go) -> tuple[GoProgram, Said]:
    """A program, and what it says of itself when it runs."""
    path = built(sources, any_go, request.param)
    done = subprocess.run([path], capture_output=True, check=True)
    return GoProgram.read(path), json.loads(done.stdout)


def frame(said: Mapping[str, Any]) -> Frame:
    return Frame(said["Function"], said["File"].removeprefix("?"), said["Line"])


def test_every_address_is_where_the_runtime_says(told: tuple[GoProgram, Said]) -> None:
    program, said = told
    assert len(said["PCs"]) > 1000
    for one in said["PCs"]:
        assert program.frames(one["PC"], call=False)[0] == frame(one), hex(one["PC"])


def test_return_addresses_give_all_inlined_callers(told: tuple[GoProgram, Said]) -> None:
    program, said = told
    inlined = 0
    for chain in said["Chains"]:
        at = 0
        while at < len(chain):
            frames = program.frames(chain[at]["PC"], call=True)
            assert frames == tuple(map(frame, chain[at : at + len(frames)]))
            inlined += len(frames) - 1
            at += len(frames)
    assert inlined >= 6, "deepest and deeper and deep are inlined, twice"


def test_inlined_frames_of_every_variant(variant: GoProgram) -> None:
    (outer,) = variant.functions.named("main.Outer")
    found = [variant.frames(at, call=False) for at in range(outer.address, outer.end)]
    deepest = max(found, key=len)
    names = [f"main.{name}" for name in ("deepest", "deeper", "deep", "Outer")]
    assert [f.function for f in deepest] == names
    trimmed = variant.build.settings.get("-trimpath") == "true"
    assert {f.file.startswith("example.org/probe/main.go") for f in deepest} == {trimmed}
    assert str(deepest[-1]) == f"main.Outer {deepest[-1].file}:{deepest[-1].line}"


def test_names_of_instances(variant: GoProgram) -> None:
    (get,) = variant.functions.named("main.(*Box[...]).Get")
    assert variant.frames(get.address, call=False)[-1].function == "main.(*Box[...]).Get"
    inlined = {
        frame.function
        for at in range(*_span(variant, "main.main"))
        for frame in variant.frames(at, call=False)
    }
    assert "main.Map[...]" in inlined


def _span(program: GoProgram, name: str) -> tuple[int, int]:
    (function,) = program.functions.named(name)
    return function.address, function.end


def test_addresses_of_nothing(plain: GoProgram) -> None:
    assert plain.frames(0, call=True) == ()
    for address in (0, 1, plain.pclntab.module.text - 1, 1 << 62, (1 << 64) - 1):
        assert plain.frames(address, call=False) == ()
    (first,) = plain.functions.named(plain.functions[0].name)
    assert plain.frames(first.address, call=True) == (), "no call comes before the first function"


def test_asking_again_is_cheap_and_what_is_kept_bounded(plain: GoProgram) -> None:
    table = LineTable(plain.pclntab)
    start, end = _span(plain, "main.main")
    began = time.perf_counter()
    for at in range(start, end):
        table.frames(at)
    first = time.perf_counter() - began
    assert table.frames.cache_info().currsize == end - start
    assert table.frames.cache_info().maxsize
    began = time.perf_counter()
    for at in range(start, end):
        table.frames(at)
    assert time.perf_counter() - began < first, "from the cache"
