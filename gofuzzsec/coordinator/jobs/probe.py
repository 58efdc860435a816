"""Exact inputs that try out words on an input at the frontier, in a boosted worker."""

from __future__ import annotations

from dataclasses import replace

from gofuzzsec.coordinator.calls import record_calls
from gofuzzsec.coordinator.jobs.crash import crash_job
from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.probing import Prober
from gofuzzsec.coordinator.state import State
from gofuzzsec.coordinator.talk import Job
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import Input
from gofuzzsec.worker import Batch, Verdict
from gofuzzsec.worker.agent_wire import BatchResult, encode_input
from gofuzzsec.worker.protocol import BLAMES_INPUT


def probe_job(state: State, prober: Prober, entry: Entry) -> Job:
    """Run the next inputs that *prober* has for *entry*, and keep what is new in both of two
    further runs."""
    inputs = prober.inputs(entry)
    while inputs:
        outcome = yield Batch(tuple(map(encode_input, inputs)), new_only=True), b""
        state.counts.executions += outcome.count
        results = outcome.report.results if outcome.report is not None else []
        for values, result in zip(inputs, results, strict=False):
            if result.failed:
                failed = replace(outcome, verdict=Verdict.FAIL, message=result.text, report=None)
                yield from crash_job(state, marshal(values), failed)
            elif len(state.pool.fresh_features(result.features)):
                yield from _keep(state, prober, entry, values)
        inputs = inputs[len(results) :]
        if outcome.verdict in BLAMES_INPUT and inputs:
            yield from crash_job(state, marshal(inputs[0]), outcome)
            return
        if outcome.verdict is not Verdict.OK or not results:
            return


def _keep(state: State, prober: Prober, parent: Entry, values: Input) -> Job:
    outcome = yield Batch((encode_input(values),), twice=True), b""
    state.counts.executions += outcome.count
    results: list[BatchResult] = outcome.report.results if outcome.report is not None else []
    for result in results:
        fresh = state.pool.fresh_features(result.features)
        if result.failed or not len(fresh):
            continue
        why = "syscall" if int(fresh[0]) >= state.pool.first_call else "coverage"
        entry = state.keep(
            marshal(values),
            result.features,
            result.exec_ns,
            source="fuzz",
            why=why,
            parent=parent.id,
        )
        parent.finds += 1
        prober.found()
        record_calls(state, entry, result.features, result.stacks, "fuzz")
        state.record(entry, "fuzz")
