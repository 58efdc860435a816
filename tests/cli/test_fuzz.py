"""``gofuzzsec fuzz``: from the command line to SessionOptions, and from events to a status.

The session itself is replaced here, since its corners (a second Ctrl-C, a target that makes no
calls) cannot be had on demand; test_end_to_end.py drives the real one.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gofuzzsec.cli import fuzz as command
from gofuzzsec.coordinator import session
from gofuzzsec.coordinator.choice import Choice
from gofuzzsec.coordinator.events import CrashFound, Event, Finished, Note, Started, Stats, Status
from gofuzzsec.coordinator.options import SessionOptions
from tests.cli.conftest import Run

Emit = Callable[[Event], None]
TARGET = "example.org/m.FuzzParse"
STATS = Stats(TARGET, 2.0, 100, 100, 50.0, 10, 3, 1, 0, 1.0, 0)
CRASH = CrashFound(TARGET, "crash", "boom", "p", "r", True)


def answer(
    monkeypatch: pytest.MonkeyPatch,
    *events: Event,
    raised: BaseException | None = None,
    finished: Finished | None = None,
) -> list[SessionOptions]:
    """Have `session.run` say *events*; what it was asked for is put into the list returned."""
    asked: list[SessionOptions] = []
    end = Finished((STATS,)) if finished is None else finished

    def run(options: SessionOptions, emit: Emit, choice: Choice) -> Finished:
        asked.append(options)
        for event in events:
            emit(event)
        if raised is not None:
            raise raised
        emit(end)
        return end

    monkeypatch.setattr(session, "run", run)
    monkeypatch.setattr(command, "choose", lambda capture, workers: Choice())
    return asked


def started() -> Started:
    return Started(TARGET, 2, 1, 0, "strace")


def test_defaults(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch)
    assert run("fuzz", "--capture", "off").exit_code == 0
    here = Path.cwd()
    assert asked == [
        SessionOptions(campaign=here / ".gofuzzsec", cwd=here, capture="off", gogc=400)
    ]


def test_every_option_arrives(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, campaign: Path
) -> None:
    asked = answer(monkeypatch)
    dictionary = tmp_path / "own.dict"
    dictionary.write_text('word="GET"\n"\\x00\\x01"\n')
    result = run(
        *("fuzz", "./a", "encoding/json", "--target", "^FuzzP", "--campaign", str(campaign)),
        *("--time", "1h30m", "--workers", "3", "--hang-timeout", "500ms"),
        *("--memory-limit", "512MiB", "--minimize-time", "0", "--capture", "strace"),
        *("--stop-on-crash", "--share-cache", "--tags", "a,b", "--race", "--go", "/go/bin/go"),
        *("--engine", "stock", "--seed", "7", "--gomaxprocs", "0", "--gogc", "50"),
        *("--dict", str(dictionary), "--dict", str(dictionary)),
    )
    assert result.exit_code == 0, result.output
    assert asked == [
        SessionOptions(
            packages=("./a", "encoding/json"),
            target_regex="^FuzzP",
            campaign=campaign,
            cwd=Path.cwd(),
            seconds=5400.0,
            workers=3,
            hang_timeout=0.5,
            memory_limit=512 << 20,
            minimise_seconds=0.0,
            capture="strace",
            stop_on_crash=True,
            share_cache=True,
            tags="a,b",
            race=True,
            go="/go/bin/go",
            engine="stock",
            seed=7,
            dictionary=(b"GET", b"\x00\x01"),
            gomaxprocs=None,
            gogc=50,
        )
    ]


def test_a_ready_made_binary_and_a_number_of_executions(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = answer(monkeypatch)
    binary = tmp_path / "m.test"
    binary.write_bytes(b"")
    run(
        *("fuzz", "--binary", str(binary), "--package-dir", str(tmp_path), "--time", "1000x"),
        *("--capture", "off"),
    )
    (options,) = asked
    assert (options.binary, options.package_dir) == (binary, tmp_path)
    assert (options.seconds, options.executions) == (None, 1000)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--time", "soon"), "expected a time such as 30s"),
        (("--time", "0s"), "above zero"),
        (("--hang-timeout", "0"), "above zero"),
        (("--memory-limit", "2GB"), "expected a size such as 2GiB"),
        (("--workers", "-1"), "-1"),
        (("--capture", "magic"), "magic"),
        (("--binary", "missing"), "missing"),
        (("--binary", "/bin/true", "./a"), "found both"),
        (("--package-dir", "/"), "give --binary"),
        (("--no-such-option",), "--no-such-option"),
    ],
)
def test_wrong_command_lines(
    run: Run, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], text: str
) -> None:
    asked = answer(monkeypatch)
    result = run("fuzz", *args)
    assert result.exit_code == 2
    assert text in result.stderr
    assert asked == []


def test_status_1_only_for_crashes_found_in_this_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, campaign: Path
) -> None:
    answer(monkeypatch, started(), Status(STATS))
    old = run("fuzz", "--campaign", str(campaign))  # its store holds a crash already
    assert old.exit_code == 0
    answer(monkeypatch, started(), CRASH, Status(STATS))
    new = run("fuzz", "--campaign", str(campaign))
    assert new.exit_code == 1
    assert "CRASH: boom" in new.stdout


def test_it_ends_with_the_comparison_and_where_everything_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, campaign: Path
) -> None:
    answer(monkeypatch, started())
    text = run("fuzz", "--campaign", str(campaign)).stdout
    assert "hand-written tests alone reached this 1 system call:\n  openat\n" in text
    assert "fuzzing added this 1 call:\n  mkdirat\n" in text
    assert text.endswith(f"campaign kept in {campaign}\n")
    answer(monkeypatch, started())
    off = run("fuzz", "--campaign", str(campaign), "--capture", "off").stdout
    assert "hand-written tests" not in off


def test_the_comparison_is_of_the_targets_of_this_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, campaign: Path
) -> None:
    answer(monkeypatch, started(), finished=Finished(()))
    text = run("fuzz", "--campaign", str(campaign)).stdout
    assert "nothing to compare" in text


def test_json_lines_and_nothing_else(
    run: Run, monkeypatch: pytest.MonkeyPatch, campaign: Path
) -> None:
    answer(monkeypatch, Note("info", "building"), started(), Status(STATS), CRASH)
    result = run("fuzz", "--campaign", str(campaign), "--json")
    assert result.exit_code == 1
    found = [json.loads(line)["event"] for line in result.stdout.splitlines()]
    assert found == ["note", "started", "status", "crash", "finished", "comparison"]


@pytest.mark.parametrize(
    ("events", "status"), [((), 130), ((started(),), 0), ((started(), CRASH), 1)]
)
def test_a_second_interrupt_keeps_the_status_of_what_was_found(
    run: Run, monkeypatch: pytest.MonkeyPatch, events: tuple[Event, ...], status: int
) -> None:
    answer(monkeypatch, *events, raised=KeyboardInterrupt())
    assert run("fuzz").exit_code == status


def test_a_terminal_gets_the_live_view(tmp_path: Path, campaign: Path) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(campaign)],
        stdout=follower,
        stderr=follower,
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env={"TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/bin"},
    ) as child:
        os.close(follower)
        text = b""
        try:
            while chunk := os.read(leader, 4096):
                text += chunk
        except OSError:
            pass  # EIO is how a pseudo-terminal says that its other side is closed
        os.close(leader)
    assert child.returncode == 1
    assert b"\x1b[?25l" in text and b"\x1b[?25h" in text
    assert b"CRASH: boom" in text and b"campaign kept in" in text


_PROGRAM = """
import sys
from gofuzzsec.cli import main
from gofuzzsec.coordinator import session
from tests.cli.test_fuzz import CRASH, STATS, started
from gofuzzsec.coordinator.events import Finished, Status
def run(options, emit, choice):
    for event in (started(), Status(STATS), CRASH, Finished((STATS,))):
        emit(event)
    return Finished((STATS,))
session.run = run
main(["fuzz", "--campaign", sys.argv[1]], prog_name="gofuzzsec")
"""
