"""What bench.toward makes of the runs of both sides."""

from __future__ import annotations

import json
import math

import pytest

from bench.measure import Measured
from bench.sides import BenchError
from bench.toward import Run, read_run, report, summary

MEASURED = Measured(0, 10.0, 20.0, 1.0, ((100.0, 0.0), (110.0, 20.0)), "cgroup")


def lines(*events: dict[str, object]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def test_a_run_tells_when_each_call_was_made_first() -> None:
    text = lines(
        {"event": "status", "session_executions": 50},
        {"event": "syscall", "name": "read", "time": 101.0},
        {"event": "status", "session_executions": 90},
        {"event": "syscall", "name": "read", "time": 105.0},
        {"event": "syscall", "name": "statx", "time": 105.0},
        {"event": "finished"},
    )
    run = read_run("plain", text, MEASURED)
    assert run.calls == {"read": (2.0, 50), "statx": (10.0, 90)}
    assert (run.cpu, run.executions) == (20.0, 90)
    assert run.last(frozenset({"read"})) == (2.0, 50.0)
    assert run.last(frozenset({"read", "mount"})) == (math.inf, math.inf)


@pytest.mark.parametrize("text", ["Traceback", lines({"event": "status", "session_executions": 1})])
def test_a_run_that_did_not_end_is_no_figure(text: str) -> None:
    with pytest.raises(BenchError):
        read_run("plain", text, MEASURED)


def test_what_a_side_never_reached_counts_with_all_it_used() -> None:
    def run(side: str, statx: float | None) -> Run:
        calls = {"read": (1.0, 10)} | ({} if statx is None else {"statx": (statx, 100)})
        return Run(side, 20.0, 1000, calls)

    runs = [run("plain", None), run("plain", None), run("plain", 18.0)]
    runs += [run("toward", 5.0), run("toward", 4.0), run("toward", None)]
    result = summary("case", runs)
    assert (result.reachable, result.shared) == (2, 1)
    assert math.isinf(result.last["plain"][0]) and result.last["toward"] == (5.0, 100.0)
    assert result.ratio == (4.0, ">")
    assert result.common == {"plain": (1.0, 10.0), "toward": (1.0, 10.0)}
    assert ">4.00" in report([result]) and "> 20.0" in report([result])
    assert summary("case", [run("plain", 3.0), run("toward", None)]).ratio == (0.15, "<")
    both = [run(side, at) for side in ("plain", "toward") for at in (None, None, 3.0)]
    never = summary("case", both)
    assert math.isnan(never.ratio[0]) and " - " in report([never])
