"""Running somebody's command so that it does not notice.

It has our standard streams, our working directory and environment, and our process group: what the
terminal sends on Ctrl-C or Ctrl-Z reaches both of us, as it does with any job of a shell, so a
signal is passed on only when it cannot have come from there.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType

from gofuzzsec.errors import UsageError
from gofuzzsec.worker.child import dying_with_parent, in_turn

FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_FROM_KEYS = frozenset({signal.SIGINT, signal.SIGQUIT})


def run_attached(
    argv: Sequence[str],
    env: Mapping[str, str],
    prepare: Sequence[Callable[[], None]] = (),
    *,
    interval: float | None = None,
    tick: Callable[[float], None] = lambda seconds: None,
) -> tuple[int, float]:
    """Run *argv* to its end; its status as in ``Popen.returncode``, and the seconds that it took.

    *prepare* are steps of the child before it execs (see `worker.child`); it dies with the thread
    that calls this. *tick* is called every *interval* seconds, with those gone by. Raises
    UsageError when it does not start.
    """
    with _signals() as (caught, woken):
        began = time.monotonic()
        process = _start(argv, env, prepare)
        ended = os.pidfd_open(process.pid)
        due = began + interval if interval else None
        try:
            while process.poll() is None:
                left = None if due is None else max(0.0, due - time.monotonic())
                select.select([ended, woken], [], [], left)
                _pass_on(process, caught, woken)
                if due is not None and interval and time.monotonic() >= due:
                    tick(time.monotonic() - began)
                    due = max(due + interval, time.monotonic())
        finally:
            os.close(ended)
            if process.returncode is None:  # something went wrong on our side
                process.kill()
                process.wait()
    assert process.returncode is not None
    return process.returncode, time.monotonic() - began


def exit_status(status: int) -> int:
    """What a shell makes of ``Popen.returncode``: 128 + n for signal n."""
    return status if status >= 0 else 128 - status


def _start(
    argv: Sequence[str], env: Mapping[str, str], prepare: Sequence[Callable[[], None]]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv, env=dict(env), preexec_fn=in_turn(dying_with_parent(), *prepare)
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"expected to start {argv[0]}, found: {error}; "
            "check that it is there, executable and made for this machine"
        ) from error


@contextlib.contextmanager
def _signals() -> Iterator[tuple[list[int], int]]:
    """The numbers of signals as they come, and a descriptor that is readable when one has.

    A signal that is ignored here stays so, here and in the child. Only the main thread may
    handle signals; elsewhere none come.
    """
    caught: list[int] = []
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    old: dict[signal.Signals, object] = {}
    known = -1
    main = threading.current_thread() is threading.main_thread()
    try:
        if main:
            known = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
            for number in FORWARDED:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    old[number] = signal.signal(number, note)
        yield caught, reading
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if main:
            signal.set_wakeup_fd(known)
        os.close(reading)
        os.close(writing)


def _pass_on(process: subprocess.Popen[bytes], caught: list[int], woken: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(woken, 512)
    while caught:
        number = caught.pop(0)
        if number not in _FROM_KEYS or not _in_foreground():
            process.send_signal(number)


def _in_foreground() -> bool:
    """Whether we are the job of a terminal: it then sends its signals to the program as well."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
