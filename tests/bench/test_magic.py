"""Reading off when a puzzle was solved."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from bench.magic import (
    GO_FAILING,
    MODULE,
    SOLUTIONS,
    Attempt,
    Printed,
    Puzzle,
    follow,
    line,
    module_copy,
)
from bench.sides import BenchError

CORE = 0


def test_the_first_sight_of_a_failure_counts() -> None:
    printed = Printed(
        (
            (0.1, "fuzz: elapsed: 0s, gathering baseline coverage: 0/1 completed\n"),
            (2.0, "fuzz: minimizing 34-byte fail"),
            (2.5, "ing input file\n"),
            (4.0, "--- FAIL: FuzzX (4.00s)\n"),
        ),
        wall=5.0,
    )
    assert printed.when(GO_FAILING) == 2.5
    assert printed.when(re.compile("no such words")) is None


def test_output_is_taken_down_with_its_time(tmp_path: Path) -> None:
    script = "import time; print('one', flush=True); time.sleep(0.4); print('two')"
    printed = follow([sys.executable, "-c", script], tmp_path, CORE, timeout=20)
    first, second = printed.when(re.compile("one")), printed.when(re.compile("two"))
    assert printed.text == "one\ntwo\n"
    assert first is not None and second is not None
    assert second - first > 0.2
    assert printed.wall >= second


def test_a_process_gets_one_core(tmp_path: Path) -> None:
    script = "import os; print(os.sched_getaffinity(0))"
    assert follow([sys.executable, "-c", script], tmp_path, CORE, 20).text == "{0}\n"


def test_what_does_not_end_is_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(BenchError, match="did not end"):
        follow([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, CORE, 0.3)
    assert time.monotonic() - began < 30


def test_a_line_tells_how_often_and_how_fast() -> None:
    ours = (Attempt(1.5, 3.0, 700), Attempt(None, 11.0, 90_000), Attempt(2.5, 4.0, 900))
    text = line("FuzzX", Puzzle(ours, Attempt(None, 60.0, 123_456)))
    assert text.split() == ["FuzzX", "2/3", "2.00", "4.00", "900", "unsolved", "123,456"]
    assert line("FuzzX", Puzzle(ours[1:2], None)).split() == [
        "FuzzX",
        "0/1",
        "-",
        "11.00",
        "90,000",
    ]


def test_the_examples_stay_as_they_are() -> None:
    with module_copy() as module:
        assert (module / "go.mod").read_bytes() == (MODULE / "go.mod").read_bytes()
        assert MODULE not in module.parents
        assert not (module / "testdata").exists()
        assert (MODULE / SOLUTIONS).exists() and not (module / SOLUTIONS).exists()
    assert not module.exists()
