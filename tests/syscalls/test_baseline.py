"""The Go runtime's own calls, as observed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import baseline
from gofuzzsec.syscalls.arguments import DECIDING
from gofuzzsec.syscalls.baseline import Scenario, runtime_baseline
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.toolchain import build_program, cache_dir
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_strace

EXPECTED = {
    "clone",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "eventfd2",
    "execve",
    "exit",
    "exit_group",
    "futex",
    "madvise",
    "mmap",
    "munmap",
    "nanosleep",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "sigaltstack",
    "tgkill",
    "write",
}
NOT_THE_RUNTIMES = {"accept4", "bind", "connect", "kill", "listen", "pipe2", "socket"}


def test_has_what_the_runtime_does_and_not_what_the_program_does(go: Go) -> None:
    require_strace(stacks=True)
    recording = runtime_baseline(go)
    names = {use.name for use in recording.uses}
    assert recording.complete
    assert names >= EXPECTED
    assert not names & NOT_THE_RUNTIMES
    assert {use.origin for use in recording.uses} == {Origin.RUNTIME}
    maps = {use.args for use in recording.uses if use.name == "mmap"}
    assert (3, 0x22) in maps  # readable and writable; private, of no file
    # The loader of the program that links the C library maps code, and nothing writable with it.
    assert not any(protection & 4 and protection & 2 for protection, _ in maps)
    assert not [use for use in recording.uses if use.name in DECIDING and not use.args]


def test_is_observed_once(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    require_strace(stacks=True)
    first = runtime_baseline(go)
    monkeypatch.setattr(baseline, "_observe", lambda programs: pytest.fail("observed again"))
    assert runtime_baseline(go) == first


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'[["read", "", "ok", [], "many"]]',
        b'[["read", "", "lost", [], 1]]',
        b'[["read", "", "ok", 1, 1]]',
        b'[["read", "", "ok", 1]]',
    ],
)
def test_a_damaged_cache_is_observed_anew(
    go: Go, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: bytes
) -> None:
    require_strace()
    monkeypatch.setattr(baseline, "_observe", lambda programs: {("futex", "", "ok", (129,)): 2})
    monkeypatch.setattr(baseline, "cache_dir", lambda: tmp_path)
    (use,) = runtime_baseline(go).uses
    (cached,) = (tmp_path / "baselines").iterdir()
    cached.write_bytes(damage)
    assert runtime_baseline(go).uses == (use,)
    assert cached.read_bytes() != damage
    assert cache_dir() != tmp_path


def test_a_scenario_that_ends_in_another_way_is_an_error(
    go: Go, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    require_strace()
    program = build_program(go, baseline._sources("main.go", "nonetwork.go"), "baseline")
    with pytest.raises(RecorderError, match="'exit' to end with 4, found 3"):
        baseline._observe([(program, [Scenario("exit", status=4)])])
