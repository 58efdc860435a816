"""Fuzz worker processes: the wire protocol, shared memory, and one worker's life from start to
death. `harvest` asks a binary for its seeds. Nothing here knows what the bytes mean."""

from gofuzzsec.worker.agent_wire import Batch, Loop, Plan, PlanItem, Report
from gofuzzsec.worker.process import Watch, WorkerSpec
from gofuzzsec.worker.protocol import Fuzz, Minimise, Outcome, Request, Run, Verdict
from gofuzzsec.worker.worker import Worker

__all__ = [
    "Batch",
    "Fuzz",
    "Loop",
    "Minimise",
    "Outcome",
    "Plan",
    "PlanItem",
    "Report",
    "Request",
    "Run",
    "Verdict",
    "Watch",
    "Worker",
    "WorkerSpec",
]
