"""How one fuzz binary is recorded by bpf: what its probes need, and who is followed with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.binary import GoProgram
from gofuzzsec.coordinator.capture import Capture
from gofuzzsec.syscalls.bpf.evidence import Symbolizer
from gofuzzsec.syscalls.bpf.live import LiveCalls
from gofuzzsec.syscalls.bpf.recorder import BpfRecorder
from gofuzzsec.syscalls.bpf.tracer import Mode, TracedProgram, Tracer
from gofuzzsec.worker import WorkerSpec


@dataclass(frozen=True, slots=True)
class Kernel:
    """``program`` is the fuzz binary as ``tracer`` follows it; ``symbolizer`` names its code."""

    tracer: Tracer
    program: TracedProgram
    symbolizer: Symbolizer

    @classmethod
    def of(cls, tracer: Tracer, binary: Path) -> Kernel:
        """Read *binary*. Raises BinaryError when it lacks what the probes need, RecorderError when
        the kernel refuses them."""
        program = GoProgram.read(binary)
        traced = TracedProgram.of(program)
        tracer.follow(traced, Mode.INPUTS).close()  # has all probes that will be needed
        return cls(tracer, traced, Symbolizer(program))

    def capture(self, spec: WorkerSpec, scratch: Path) -> Capture:
        """A thread that records inputs of *spec*'s target, beside the campaign."""

        def recorder() -> BpfRecorder:
            return BpfRecorder(spec, scratch, self.tracer, self.program, self.symbolizer)

        return Capture("bpf", recorder)

    def live(self, workers: int) -> LiveCalls:
        """Who follows so many workers of the campaign itself."""
        return LiveCalls(self.tracer, self.program, self.symbolizer, workers)
