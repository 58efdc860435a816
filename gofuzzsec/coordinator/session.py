"""One run of `gofuzzsec fuzz`: from what the user named to campaigns that share the time."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from gofuzzsec.coordinator.campaign import Campaign
from gofuzzsec.coordinator.choice import Choice, choose
from gofuzzsec.coordinator.events import Event, Finished, Note
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.prepare import Preparation, prepare
from gofuzzsec.coordinator.scratch import scratch_folder
from gofuzzsec.coordinator.share import share_with_go
from gofuzzsec.errors import GofuzzsecError, UsageError, WorkerStartError
from gofuzzsec.store import Store
from gofuzzsec.store.location import campaign_dir
from gofuzzsec.toolchain import (
    build_boosted,
    build_fuzz_binary,
    find_go,
    list_packages,
    open_binary,
)
from gofuzzsec.toolchain.model import FuzzBinary, Go

_MIN_TURN, _MAX_TURN, _OPEN_TURN = 5.0, 60.0, 30.0  # seconds of one target before the next
_TURNS = 3  # turns each target gets, if they are not shorter than the minimum
# Of the time, and seconds: recording what is still pending. The least is what the tests of an
# ordinary package take under a tracer, for without them there is no comparison to show.
_DRAIN_SHARE, _DRAIN_LEAST = 0.2, 60.0


def run(
    options: SessionOptions, emit: Callable[[Event], None], choice: Choice | None = None
) -> Finished:
    """Fuzz what *options* name, telling *emit* what happens.

    *choice* is who records system calls, made here by default, and closed here in any case. Raises
    a GofuzzsecError when nothing could be fuzzed; a target that will not start while others do
    becomes a warning.
    """
    if choice is None:
        choice = choose(options.capture, options.workers)
    with contextlib.closing(choice):
        return _run(options, emit, choice)


def _run(options: SessionOptions, emit: Callable[[Event], None], choice: Choice) -> Finished:
    go, binaries = _binaries(options, emit)
    chosen = _choose(binaries, options.target_regex)
    folder = campaign_dir(options.campaign, options.cwd)
    with (
        Store.create(folder) as store,
        scratch_folder(folder) as scratch,
        _Interrupt() as interrupt,
        contextlib.ExitStack() as stack,
    ):
        shared = Preparation(store, folder, scratch, go, emit, choice)
        contenders = [
            Contender(binary, name, _share(options.executions, len(chosen), index))
            for index, (binary, name) in enumerate(chosen)
        ]
        stack.callback(_close_all, contenders)
        _take_turns(contenders, shared, options, interrupt)
        campaigns = [c.campaign for c in contenders if c.campaign is not None]
        _drain(campaigns, options, interrupt)
        for picture in filter(None, (campaign.toward() for campaign in campaigns)):
            emit(picture)
        if options.share_cache and go is not None:
            share_with_go(store, go, campaigns, emit)
        finished = Finished(
            stats=tuple(campaign.stats() for campaign in campaigns),
            interrupted=interrupt.requested,
        )
    emit(finished)
    return finished


@dataclass(slots=True)
class Contender:
    """One target of a session; its campaign is made when its first turn comes.

    ``limit`` is executions it may begin, None for no limit; ``over`` when it gets no more turns.
    """

    binary: FuzzBinary
    name: str
    limit: int | None
    campaign: Campaign | None = None
    over: bool = False


def _close_all(contenders: list[Contender]) -> None:
    for contender in contenders:
        if contender.campaign is not None:
            contender.campaign.close()


class _Interrupt:
    """Turns the first SIGINT or SIGTERM into a request to finish; the second one raises.

    Signals reach only the main thread, so elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._old: dict[int, object] = {}

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def _binaries(
    options: SessionOptions, emit: Callable[[Event], None]
) -> tuple[Go | None, list[FuzzBinary]]:
    """The fuzz binaries to use, built if need be, and the Go they were built with."""
    if options.binary is not None:
        cwd = options.package_dir or options.cwd
        try:
            go: Go | None = find_go(options.go, options.cwd)
        except GofuzzsecError:
            go = None  # a ready-made binary needs none
        return go, [open_binary(options.binary.absolute(), cwd.absolute())]
    go = find_go(options.go, options.cwd)
    binaries = []
    for package in list_packages(go, options.packages, options.cwd):
        emit(Note("info", f"building {package.import_path} with {go.text}"))
        if options.engine == "stock":
            binaries.append(build_fuzz_binary(go, package, tags=options.tags, race=options.race))
            continue
        binary, reason = build_boosted(go, package, tags=options.tags, race=options.race)
        if reason:
            emit(Note("warning", f"{package.import_path} is fuzzed with stock workers: {reason}"))
        binaries.append(binary)
    return go, binaries


def _choose(binaries: list[FuzzBinary], pattern: str) -> list[tuple[FuzzBinary, str]]:
    """The (binary, target name) pairs whose name *pattern* matches, as `go test -fuzz` would."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"expected a regular expression for --target, found {pattern!r}: {error}"
        ) from error
    every = [(binary, name) for binary in binaries for name in binary.targets]
    chosen = [pair for pair in every if wanted.search(pair[1])]
    if not chosen:
        names = ", ".join(name for _, name in every) or "no fuzz targets at all"
        raise UsageError(f"expected --target to match a fuzz target, found {names}")
    return chosen


def _share(total: int | None, parts: int, index: int) -> int | None:
    if total is None:
        return None
    return total // parts + (1 if index < total % parts else 0)


def _take_turns(
    contenders: list[Contender],
    shared: Preparation,
    options: SessionOptions,
    interrupt: _Interrupt,
) -> None:
    """Give every target its share of the time, in several turns each.

    Raises WorkerStartError when none of them starts.
    """
    problems: list[WorkerStartError] = []
    for contender, seconds in _turns(contenders, options.seconds):
        if interrupt.requested:
            return
        try:
            if contender.campaign is None:
                contender.campaign = prepare(
                    shared, contender.binary, contender.name, options, contender.limit
                )
            contender.campaign.turn(seconds, lambda: interrupt.requested)
        except WorkerStartError as error:
            contender.over = True
            problems.append(error)
            if len(problems) == len(contenders):
                raise
            label = f"{contender.binary.import_path}.{contender.name}"
            shared.emit(Note("warning", f"{label} is left out: {error}"))
            continue
        contender.over = contender.over or contender.campaign.exhausted
        if options.stop_on_crash and contender.campaign.state.new_crashes:
            return


def _turns(
    contenders: list[Contender], seconds: float | None
) -> Iterator[tuple[Contender, float | None]]:
    """Who is next and for how long, until the time or everybody's executions are used up."""
    if len(contenders) == 1:
        yield contenders[0], seconds
        return
    share = None if seconds is None else seconds / len(contenders)
    turn = _OPEN_TURN if share is None else min(max(share / _TURNS, _MIN_TURN), _MAX_TURN)
    used = 0.0  # by each, for every round gives each the same
    while not all(contender.over for contender in contenders):
        length = turn
        if share is not None:
            left = share - used
            if left <= 0.01:
                return
            length = left if left - turn < _MIN_TURN / 2 else turn
        used += length
        for contender in contenders:
            if not contender.over:
                yield contender, length


def _drain(campaigns: list[Campaign], options: SessionOptions, interrupt: _Interrupt) -> None:
    """Let the recorders finish, and say what they could not."""
    allowed = max(_DRAIN_LEAST, _DRAIN_SHARE * (options.seconds or 0.0))
    for campaign in campaigns:
        left = campaign.drain(allowed, lambda: interrupt.requested)
        if left:
            campaign.state.note(
                "warning",
                f"recordings of system calls still to be made: {left}; a profile built now is "
                "incomplete, run the same command again to go on",
            )
