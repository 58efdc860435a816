"""Following a process with the kernel's recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gofuzzsec.coordinator.capturing.merge import merge_paths
from gofuzzsec.coordinator.capturing.model import Window
from gofuzzsec.coordinator.capturing.program import Program, Watched
from gofuzzsec.syscalls.attribution import package_of
from gofuzzsec.syscalls.bpf.calls import Where
from gofuzzsec.syscalls.bpf.evidence import recording_of
from gofuzzsec.syscalls.bpf.symbolize import Symbolizer
from gofuzzsec.syscalls.bpf.tracer import Following, KernelCall, Mode, Tracer
from gofuzzsec.syscalls.model import SyscallUse

_COUNTERS = ("internal/coverage/", "runtime/coverage")
_Uses = dict[KernelCall, tuple[SyscallUse, ...]]


class KernelWatch:
    """Follows one process and all that it starts, from its `steps` until `close`.

    Owns a slot of the tracer. With functions to watch, only what is called inside them counts, and
    each has a window; else the whole process is one.
    """

    name = "bpf"

    def __init__(
        self, tracer: Tracer, program: Program, watched: Watched, *, test_binary: bool
    ) -> None:
        self._bits: dict[str, int] = {}  # instances of a generic function share their name
        for bit, name in enumerate(watched.names):
            self._bits[name] = self._bits.get(name, 0) | 1 << bit
        self._test_binary = test_binary
        self._symbolizer = Symbolizer(program.go) if program.go is not None else None
        mode = Mode.FUNCTIONS if watched.probes else Mode.PROCESS
        self._mode, self._program = mode, program
        self._following: Following = tracer.follow(program.traced, mode, watched.probes)

    def command(self, argv: Sequence[str]) -> Sequence[str]:
        """What to run in place of *argv*: nothing else."""
        return argv

    def steps(self) -> Sequence[Callable[[], None]]:
        """What the child has to do before it execs."""
        return (self._following.claim(),)

    def look(self) -> tuple[Window, ...]:
        """The calls so far: all together first, then function by function."""
        return self._windows(self._following.look())

    def finish(self) -> tuple[Window, ...]:
        """The same at the end."""
        left = self._following.running()
        processes = "a process that it" if left == 1 else f"{left} processes that it"
        verb = "runs" if left == 1 else "run"
        problem = f"{processes} started still {verb}, and what comes is not recorded"
        return self._windows(self._following.take(), [problem] if left else [])

    def close(self) -> None:
        """Take all probes away. Safe to call twice."""
        self._following.close()

    def _windows(
        self, calls: Sequence[KernelCall], problems: Sequence[str] = ()
    ) -> tuple[Window, ...]:
        problems = (*self._following.problems(), *problems)
        inside = [
            self._placed(call) for call in calls if call.windows or self._mode is Mode.PROCESS
        ]
        uses = {call: self._uses(call) for call in inside}
        everything = self._window("", inside, uses, problems)
        each = [
            self._window(name, [call for call in inside if call.windows & bits], uses, problems)
            for name, bits in self._bits.items()
        ]
        return (everything, *each)

    def _placed(self, call: KernelCall) -> KernelCall:
        """A script that starts the program is no start-up of it, but a program by itself. A child
        that runs the same program built with -cover writes its counters like its parent."""
        if call.place is Where.STARTUP and not self._program.started:
            task = self._following.processes()[call.process]
            return call if task.own else replace(call, place=Where.CHILD)
        if call.place is Where.CHILD and self._writes_counters(call):
            return replace(call, place=Where.GOROUTINE)
        return call

    def _writes_counters(self, call: KernelCall) -> bool:
        if self._symbolizer is None or not call.addresses:
            return False
        packages = (package_of(frame.function) for frame in self._symbolizer.stack(call))
        return any(package.startswith(_COUNTERS) for package in packages)

    def _window(
        self, name: str, calls: Sequence[KernelCall], uses: _Uses, problems: Sequence[str]
    ) -> Window:
        recording = recording_of(
            calls, self._symbolizer, test_binary=self._test_binary, problems=tuple(problems)
        )
        known = {use.key for use in recording.uses}
        paths = merge_paths(
            use
            for call in calls
            for use in uses[call]
            # What is a call only as long as nothing else shows it is not one here.
            if use.key in known
        )
        return Window(name, recording, paths)

    def _uses(self, call: KernelCall) -> tuple[SyscallUse, ...]:
        """One call path by itself."""
        recording = recording_of(
            [call], self._symbolizer, test_binary=self._test_binary, problems=()
        )
        return recording.uses
