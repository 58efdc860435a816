"""The measurement of `capture -f` counts what it says."""

from __future__ import annotations

from bench.capture import HEADER, PROGRAM, Cost, line, measure, run, work_for
from gofuzzsec import toolchain
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_bpf


def test_the_cost_of_a_call(go: Go) -> None:
    require_bpf()
    program = toolchain.build_program(go, PROGRAM, "benchcapture")
    work = work_for(program, 1e5)
    assert 1e4 < run(program, "framed", 100, work) < 1e7
    tracer = Tracer.open(slots=1)
    try:
        # It raises when the recorder sees fewer calls than the function makes.
        cost = measure(tracer, program, "calling", 2000, 0, 1)
    finally:
        tracer.close()
    assert cost.with_it > cost.without > 0


def test_the_table() -> None:
    cost = Cost(without=10_000, with_it=18_000)
    assert (cost.ratio, cost.trap) == (1.8, 8_000)
    assert len(line("100,000", cost)) == len(HEADER)
