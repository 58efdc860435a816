"""All that a campaign's workers do, counted in the kernel whether their inputs are kept or not.

Each worker has a `Following` of its own for the time of a turn, since each has its own marks page.
Worker processes come and go under it; what they did is in the kernel's maps, and so survives them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.bpf.evidence import Symbolizer, recording_of
from gofuzzsec.syscalls.bpf.tracer import Following, Mode, TracedProgram, Tracer
from gofuzzsec.syscalls.model import Recording, SyscallUse, UseKey
from gofuzzsec.worker import Watch


class LiveCalls:
    """Follows the workers of one campaign. `look` may be called by any thread, the rest by the one
    that owns the workers."""

    def __init__(
        self, tracer: Tracer, program: TracedProgram, symbolizer: Symbolizer, workers: int
    ) -> None:
        """*program* is what all *workers* run."""
        self._tracer = tracer
        self._program = program
        self._symbolizer = symbolizer
        self._workers = workers
        self._lock = threading.Lock()  # of both that follow
        self._followings: list[Following] = []
        self._past = Recording(())  # of turns that are over

    def watch(self, worker: int, *, marked: bool) -> Watch:
        """How worker number *worker* is started, between `begin` and `rest`. *marked*: it has an
        agent that reads the marks page."""

        def following() -> Following:
            if not self._followings:
                raise RecorderError("expected a turn that has begun, found none: call begin first")
            return self._followings[worker]

        def claim() -> Callable[[], None]:
            return following().claim()

        def page() -> tuple[int, int]:
            now = following()
            return now.page_fd(), now.page_offset

        return Watch(claim, page if marked else None)

    def begin(self) -> None:
        """Begin to follow; no worker may start before. Does nothing when that is so already.

        Raises RecorderError when the kernel refuses, or has no room for more.
        """
        with self._lock:
            if self._followings:
                return
            made: list[Following] = []
            try:
                for _ in range(self._workers):
                    made.append(
                        self._tracer.follow(self._program, Mode.PROCESS, live=True, marked=True)
                    )
            except BaseException:
                for following in made:
                    following.close()
                raise
            self._followings = made

    def look(self) -> Recording:
        """All calls so far, in all turns; the workers go on meanwhile."""
        with self._lock:
            return self._so_far()

    def rest(self) -> None:
        """The turn is over, and no worker runs: take what they did, and stop following."""
        with self._lock:
            if not self._followings:
                return
            try:
                self._past = self._so_far()
            finally:
                for following in self._followings:
                    following.close()
                self._followings = []

    def _so_far(self) -> Recording:
        return union([self._past, *map(self._recording, self._followings)])

    def _recording(self, following: Following) -> Recording:
        return recording_of(
            following.look(),
            self._symbolizer,
            test_binary=True,
            problems=following.problems(),
        )


def union(recordings: Iterable[Recording]) -> Recording:
    """What several processes did together: counts added, the first stack of each call."""
    uses: dict[UseKey, SyscallUse] = {}
    problems: dict[str, None] = {}
    complete = True
    for recording in recordings:
        complete = complete and recording.complete
        if recording.problem:
            problems[recording.problem] = None
        for use in recording.uses:
            known = uses.get(use.key)
            uses[use.key] = use if known is None else _both(known, use)
    return Recording(tuple(uses[key] for key in sorted(uses)), complete, "; ".join(problems))


def _both(known: SyscallUse, use: SyscallUse) -> SyscallUse:
    return replace(
        known,
        count=known.count + use.count,
        stable=known.stable or use.stable,
        stack=known.stack or use.stack,
    )
