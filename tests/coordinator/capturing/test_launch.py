"""A command that is followed does not notice: streams, signals, folder and status are its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.coordinator.capturing.launch import exit_status, run_attached
from gofuzzsec.errors import UsageError

RUNNER = (
    "import sys; from gofuzzsec.coordinator.capturing.launch import run_attached, exit_status\n"
    "import os; sys.exit(exit_status(run_attached(sys.argv[1:], os.environ)[0]))"
)


def runner(*argv: str | Path) -> list[str]:
    """A Python process that runs *argv* as a capture would."""
    return [sys.executable, "-c", RUNNER, *map(str, argv)]


def test_streams_folder_and_environment_are_its_own(captured: Path, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    done = subprocess.run(
        runner(captured, "echo"), input=data, capture_output=True, cwd=tmp_path, check=True
    )
    assert done.stdout == data
    assert done.stderr == b"on standard error\n"
    done = subprocess.run(
        runner(captured, "where"),
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "CAPTURED": " yes"},
        check=True,
    )
    assert done.stdout.decode() == f"{tmp_path} yes"


def test_its_status_is_told(captured: Path, tmp_path: Path) -> None:
    assert run_attached([str(captured), "exit", "9"], os.environ)[0] == 9
    status, seconds = run_attached([str(captured), "kill", str(tmp_path)], os.environ)
    assert status == -signal.SIGKILL and exit_status(status) == 137
    assert 0 < seconds < 60


def test_what_cannot_start_is_a_usage_error(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(UsageError, match="expected to start"):
        run_attached([str(script)], os.environ)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(captured: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        runner(captured, "signal"), stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        names = {2: "interrupt", 15: "terminated", 10: "user defined signal 1"}
        assert process.stdout.readline() == f"{names[number]}\n"
        assert process.wait() == 7


def test_a_key_pressed_reaches_it_once(captured: Path) -> None:
    """Ctrl-C at a terminal goes to the whole job: it must not come a second time from us."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, runner(captured, "signal"))
    try:
        said = read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        said += read_until(terminal, b"interrupt")
        _, status = os.waitpid(child, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 7
    assert said.count(b"interrupt") == 1


def read_until(fd: int, wanted: bytes) -> bytes:
    said = b""
    while wanted not in said:
        said += os.read(fd, 1024)
    return said


def test_an_ignored_signal_stays_ignored(captured: Path) -> None:
    """As under nohup."""
    command = "trap '' USR1; exec \"$@\""
    argv = ["/bin/sh", "-c", command, "sh", *runner(captured, "serve")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"a")
        process.stdin.flush()
        assert process.stdout.read(1) == b"a"
        process.send_signal(signal.SIGUSR1)
        process.stdin.write(b"b")
        process.stdin.flush()
        assert process.stdout.read(1) == b"b"
        process.stdin.close()
        assert process.wait() == 0


def test_ticks_come_while_it_runs(captured: Path) -> None:
    reading, writing = os.pipe()
    ticks: list[float] = []

    def tick(seconds: float) -> None:
        ticks.append(seconds)
        if len(ticks) == 3:
            os.close(writing)  # its standard input ends, and so does it

    def prepare() -> None:
        os.dup2(reading, 0)

    status, seconds = run_attached(
        [str(captured), "serve"], os.environ, [prepare], interval=0.02, tick=tick
    )
    os.close(reading)
    assert status == 0
    assert len(ticks) >= 3 and ticks == sorted(ticks) and ticks[-1] <= seconds


def test_it_ends_when_the_tick_fails(captured: Path) -> None:
    """Nothing is left behind by a report that cannot be written."""

    def tick(seconds: float) -> None:
        raise OSError("the disk is full")

    reading, writing = os.pipe()

    def prepare() -> None:
        os.dup2(reading, 0)

    with pytest.raises(OSError, match="disk is full"):
        run_attached([str(captured), "serve"], os.environ, [prepare], interval=0.01, tick=tick)
    os.close(reading)
    with pytest.raises(BrokenPipeError):  # nobody has the other end any more
        os.write(writing, b"x")
    os.close(writing)


def test_other_threads_may_run_commands(captured: Path) -> None:
    """Only the main thread has to do with signals."""
    found: list[int] = []
    thread = threading.Thread(
        target=lambda: found.append(run_attached([str(captured), "exit", "3"], os.environ)[0])
    )
    thread.start()
    thread.join()
    assert found == [3]


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before
