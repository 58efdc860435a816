"""Child processes: bounded output, bounded time, nobody left behind."""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.toolchain.process import Child, Completed, Kept, run

ENV = dict(os.environ)
HERE = Path("/")


def shell(text: str, timeout: float = 20, limit: int = 1 << 20, merge: bool = False) -> Completed:
    return run(
        ["/bin/sh", "-c", text], cwd=HERE, env=ENV, timeout=timeout, limit=limit, merge=merge
    )


def ends(pid: int) -> bool:
    """Whether the process goes away (it was killed, so it will at once)."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 10)[0])
    finally:
        os.close(fd)


@given(st.lists(st.binary(max_size=60)), st.integers(2, 80))
def test_kept_holds_both_ends(chunks: list[bytes], limit: int) -> None:
    kept = Kept(limit)
    for chunk in chunks:
        kept.add(chunk)
    whole = b"".join(chunks)
    half = limit // 2
    if len(whole) <= 2 * half:
        assert kept.data() == whole
        assert whole.endswith(kept.recent(5))
        assert kept.lost == 0
    else:
        assert kept.lost == len(whole) - 2 * half
        assert kept.data().startswith(whole[:half])
        assert kept.data().endswith(whole[-half:])
        assert str(kept.lost) in kept.text()


def test_status_and_streams() -> None:
    done = shell("echo out; echo err >&2; exit 3")
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.output == "out\nerr"
    assert done.ending == "exit status 3"


def test_merged_output_keeps_its_order() -> None:
    done = shell("echo 1; echo 2 >&2; echo 3", merge=True)
    assert done.stdout == b"1\n2\n3\n"
    assert done.stderr == b""


def test_death_by_signal() -> None:
    done = shell("kill -SEGV $$")
    assert done.status == -11
    assert done.ending == "death by signal 11"


def test_timeout_kills_the_whole_group() -> None:
    begun = time.monotonic()
    done = shell("sleep 1000 & echo $!; exec sleep 1000", timeout=0.3)
    assert time.monotonic() - begun < 15
    assert done.status is None
    assert "time limit" in done.ending
    assert ends(int(done.stdout))


def test_leftover_children_neither_delay_nor_survive() -> None:
    begun = time.monotonic()
    done = shell("sleep 1000 & echo $!", timeout=100)  # the child keeps the pipe open
    assert time.monotonic() - begun < 15
    assert done.status == 0
    assert ends(int(done.stdout))


def test_endless_output_costs_bounded_memory() -> None:
    done = shell("exec yes", timeout=0.5, limit=1000)
    assert done.status is None
    assert len(done.stdout) < 1100
    assert done.lost > 1000
    assert "bytes left out" in done.output


def test_output_larger_than_a_pipe_is_complete() -> None:
    program = "import sys; sys.stdout.write('x' * 900_000); sys.stderr.write('y' * 900_000)"
    done = run([sys.executable, "-c", program], cwd=HERE, env=ENV, timeout=60)
    assert (len(done.stdout), len(done.stderr), done.lost) == (900_000, 900_000, 0)


def test_missing_program() -> None:
    with pytest.raises(FileNotFoundError):
        run(["/nonexistent/program"], cwd=HERE, env=ENV, timeout=1)


def test_close_twice_and_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), Child(["sleep", "1000"], cwd=HERE, env=ENV) as child:
        raise ZeroDivisionError
    assert child.close() == -9
    assert ends(child.pid)
