"""Real workers, well-behaved and otherwise."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gofuzzsec.errors import UsageError, WorkerStartError
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Fuzz, Minimise, Run, Verdict, Worker, WorkerSpec
from tests.worker.conftest import StartWorker

HEAD = "go test fuzz v1\n"


def text(value: str) -> bytes:
    return f'{HEAD}string("{value}")\n'.encode()


def raw(value: str) -> bytes:
    return f'{HEAD}[]byte("{value}")\n'.encode()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_run_reports_coverage_that_depends_on_the_input(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzNested")
    worker.call(Run(), raw("x"))  # the first execution of a process also covers lazy set-up
    plain = worker.call(Run(), raw("x"))
    nested = worker.call(Run(), raw("FUZ"))
    assert plain.verdict is nested.verdict is Verdict.OK
    assert plain.count == 1
    assert plain.coverage is not None and nested.coverage is not None
    assert sum(map(bool, nested.coverage)) > sum(map(bool, plain.coverage))
    assert worker.call(Run(), raw("x")).coverage == plain.coverage


def test_fuzz_stops_at_new_coverage_and_at_its_limit(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzNested")
    worker.call(Run(), raw("x"))
    plain = worker.call(Run(), raw("x")).coverage
    assert plain is not None
    found = worker.call(Fuzz(20.0, 0, plain), raw("x"))
    assert found.verdict is Verdict.OK and found.coverage is not None and found.count > 0
    assert any(new & ~old for new, old in zip(found.coverage, plain, strict=True))
    everything = b"\xff" * len(plain)
    bounded = worker.call(Fuzz(20.0, 7, everything), raw("x"))
    assert (bounded.count, bounded.coverage) == (7, None)


def test_minimise_keeps_the_bits_it_is_told_to(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzNested")
    worker.call(Run(), raw("x"))
    less = worker.call(Run(), raw("FUNNY")).coverage
    more = worker.call(Run(), raw("FUZZY and more")).coverage
    assert less is not None and more is not None
    need = bytes(m & ~n for m, n in zip(more, less, strict=True))
    outcome = worker.call(Minimise(5.0, 0, 0, need), raw("FUZZY and more"))
    assert outcome.verdict is Verdict.OK and outcome.wrote
    assert outcome.data == raw("FUZZ")


@pytest.mark.parametrize(
    ("kind", "verdict", "said"),
    [
        ("fail", Verdict.FAIL, "failed softly"),
        ("fatal", Verdict.FAIL, "failed at once"),
        ("panic", Verdict.FAIL, "panic: assignment to entry in nil map"),
        ("goroutine", Verdict.CRASH, "panic: in a goroutine"),
        ("segv", Verdict.CRASH, "SIGSEGV"),
        ("exit", Verdict.CRASH, "exit status 3"),
        ("killed", Verdict.KILLED, "signal 9"),
    ],
)
def test_each_way_to_fail_is_told_apart(
    worker_of: StartWorker, kind: str, verdict: Verdict, said: str
) -> None:
    worker = worker_of("FuzzTrouble")
    outcome = worker.call(Run(), text(kind))
    assert outcome.verdict is verdict
    assert said in outcome.message
    assert worker.running == (verdict is Verdict.FAIL)
    assert outcome.data == text(kind)
    if not worker.running:
        worker.start()
    assert worker.call(Run(), text("fine")).verdict is Verdict.OK


@pytest.mark.parametrize("kind", ["hang", "spin"])
def test_a_hang_is_seen_by_the_clock_and_shows_its_goroutines(
    worker_of: StartWorker, kind: str
) -> None:
    worker = worker_of("FuzzTrouble", hang_timeout=0.5)
    outcome = worker.call(Run(), text(kind))
    assert outcome.verdict is Verdict.HANG
    assert "example.org/targets.Trouble" in outcome.message
    assert not worker.running


def test_the_alarm_of_stock_binaries_counts_as_a_hang(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzTrouble", hang_timeout=60.0)
    assert worker.call(Run(), text("hang")).verdict is Verdict.HANG


def test_memory_is_limited(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzTrouble", memory_limit=512 << 20)
    outcome = worker.call(Run(), text("oom"))
    assert outcome.verdict is Verdict.OOM


def test_skipping_is_no_failure(worker_of: StartWorker) -> None:
    assert worker_of("FuzzTrouble").call(Run(), text("skip")).verdict is Verdict.OK


def test_a_broken_corpus_file_is_refused_not_blamed(worker_of: StartWorker) -> None:
    outcome = worker_of("FuzzTrouble").call(Run(), b"not a corpus file")
    assert outcome.verdict is Verdict.BROKEN
    assert "refused" in outcome.message


def test_an_input_larger_than_shared_memory_is_refused(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzTrouble", shm_size=1 << 12)
    with pytest.raises(UsageError, match="at most 4096 bytes"):
        worker.call(Run(), text("x" * 5000))
    assert worker.call(Run(), text("fine")).verdict is Verdict.OK


def test_a_target_that_fails_before_fuzz_does_not_start(worker_of: StartWorker) -> None:
    with pytest.raises(WorkerStartError, match=r"expected FuzzRefuses to reach f\.Fuzz"):
        worker_of("FuzzRefuses")


def test_a_name_that_matches_nothing_does_not_start(worker_of: StartWorker) -> None:
    with pytest.raises(WorkerStartError, match="no fuzz tests to fuzz"):
        worker_of("FuzzNothing")


def test_a_file_that_is_no_program_does_not_start(tmp_path: Path) -> None:
    path = tmp_path / "broken.test"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o755)
    worker = Worker(WorkerSpec(path, "FuzzX", tmp_path), tmp_path / "worker")
    with pytest.raises(WorkerStartError, match="Exec format error"):
        worker.start()
    worker.close()


def test_a_binary_built_without_fuzz_has_no_counters(
    go: Go, targets_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plain.test"
    subprocess.run([go.path, "test", "-c", "-o", path, "."], cwd=targets_dir, check=True)
    worker = Worker(WorkerSpec(path, "FuzzNested", targets_dir), tmp_path / "worker")
    worker.start()
    outcome = worker.call(Run(), raw("x"))
    worker.close()
    assert outcome.verdict is Verdict.OK and not outcome.coverage


def test_a_worker_has_its_own_group_tmpdir_and_no_core_dumps(worker_of: StartWorker) -> None:
    worker = worker_of("FuzzNested", memory_limit=1 << 30)
    assert os.getpgid(worker.pid) == worker.pid
    proc = Path(f"/proc/{worker.pid}")
    environment = dict(
        entry.split(b"=", 1) for entry in (proc / "environ").read_bytes().split(b"\0") if entry
    )
    assert environment[b"TMPDIR"].endswith(b"/tmp")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (proc / "limits").open()}
    assert limits["Max core file size"] == "0"
    assert limits["Max data size"] == str(1 << 30)


def test_stop_and_close_leave_no_process_and_no_folder(
    worker_of: StartWorker, tmp_path: Path
) -> None:
    worker = worker_of("FuzzTrouble")
    pid = worker.pid
    worker.send(Run(), text("hang"))
    worker.stop()
    assert not alive(pid)
    worker.close()
    assert not (tmp_path / "worker-0").exists()


_ORPHAN = """
import sys
from pathlib import Path
from gofuzzsec.worker import Run, Worker, WorkerSpec
binary, cwd, scratch = map(Path, sys.argv[1:])
worker = Worker(WorkerSpec(binary, "FuzzTrouble", cwd), scratch)
worker.start()
worker.send(Run(), b'go test fuzz v1\\nstring("spin")\\n')
print(worker.pid, flush=True)
sys.stdin.read()
"""


def test_a_worker_dies_with_its_coordinator(targets: FuzzBinary, tmp_path: Path) -> None:
    places = map(str, (targets.path, targets.cwd, tmp_path / "worker"))
    command = [sys.executable, "-c", _ORPHAN, *places]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watch = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    # Not our child, so it cannot be waited for; its pidfd becomes readable when it is gone.
    assert select.select([watch], [], [], 10)[0], f"worker {pid} outlived its coordinator"
    os.close(watch)
