"""System calls: what an input, a test or a program makes of them, and who made each.

From the bottom: `table` (names and numbers), `trace` (strace's output as values), `lineage`,
`symbols` and `attribution` (which process, which function, who), `sightings` (counted calls of one
input's bracket), `precedents` (what earlier stacks settle). On these stand the recorders: `strace`
for inputs in a fuzz worker, `process` for whole programs, `tests_run` for a package's own tests,
`baseline` for the Go runtime. `compare` says what fuzzing added; `oci` is what a container runtime
needs.
"""

from gofuzzsec.syscalls.model import CallOutcome, Origin, Recorder, Recording, SyscallUse

__all__ = ["CallOutcome", "Origin", "Recorder", "Recording", "SyscallUse"]
