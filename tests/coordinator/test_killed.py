"""SIGKILL at any moment: nothing that was reported is gone, and nobody is left behind."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from gofuzzsec.store import Store
from gofuzzsec.toolchain.model import FuzzBinary

_KILLS = 20


def command(binary: FuzzBinary, project: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "gofuzzsec", "fuzz", "--binary", str(binary.path)),
        *("--package-dir", str(project), "--campaign", str(project / "campaign")),
        *("--json", "--workers", "2", *options),
    ]


def lines_until(process: subprocess.Popen[bytes], deadline: float) -> list[dict[str, Any]]:
    """The JSON lines printed before *deadline* (monotonic), then SIGKILL and the rest."""
    assert process.stdout is not None
    printed = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            printed += chunk
    process.send_signal(signal.SIGKILL)
    printed += process.stdout.read()
    process.wait()
    whole = printed[: printed.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def processes_of(binary: FuzzBinary) -> list[int]:
    """Live processes that run *binary*."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "exe").readlink() == binary.path:
                    found.append(int(entry.name))
            except OSError:
                continue  # ended meanwhile, or another user's
    return found


def wait_gone(pids: Collection[int]) -> list[int]:
    """Those of *pids* that are still there after 10 s."""
    left = []
    for pid in pids:
        try:
            watch = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        if not select.select([watch], [], [], 10)[0]:
            left.append(pid)
        os.close(watch)
    return left


def check_kept(store: Store, told: list[dict[str, Any]]) -> None:
    """Everything *told* is in the store and on disk."""
    (target,) = store.targets()
    status = [line for line in told if line["event"] == "status"]
    if status:
        assert store.input_count(target.id) >= status[-1]["corpus"]
    names = {line["name"] for line in told if line["event"] == "syscall"}
    assert names <= {row.name for row in store.syscalls(target.id)}
    paths = {line["path"] for line in told if line["event"] == "crash"}
    assert paths <= {crash.path for crash in store.crashes(target.id)}
    assert all(Path(path).is_file() for path in paths)


def test_nothing_reported_is_lost_and_no_worker_survives(
    targets: FuzzBinary, project: Path, tmp_path: Path
) -> None:
    rng = random.Random(20260101)
    binary = FuzzBinary(
        tmp_path / "killed.test", "", "", None, ("FuzzAllTypes",), project, targets.go_version
    )
    binary.path.write_bytes(targets.path.read_bytes())
    binary.path.chmod(0o755)
    corpus = told_any = 0
    for turn in range(_KILLS):
        # Time begins at the first line, so that most kills fall into the campaign itself. As root
        # auto is bpf, which takes two seconds to load: so not every time.
        capture = "strace" if turn % 5 else "auto"
        process = subprocess.Popen(
            command(binary, project, "--target", "FuzzAllTypes", "--capture", capture),
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        select.select([process.stdout], [], [], 60)
        workers = processes_of(binary)
        told = lines_until(process, time.monotonic() + rng.uniform(0.0, 2.0))
        assert wait_gone(set(workers) | set(processes_of(binary))) == []
        if not (project / "campaign" / "campaign.db").exists():
            continue
        with Store.open_readonly(project / "campaign") as store:
            if not store.targets():
                continue
            check_kept(store, told)
            told_any += bool([line for line in told if line["event"] == "status"])
            now = store.input_count(store.targets()[0].id)
        assert now >= corpus, "what an earlier run kept is still there"
        corpus = now
    assert told_any > _KILLS // 2, "most kills must fall after something was reported"
    assert corpus > 10


def test_one_interrupt_ends_a_campaign_in_order(targets: FuzzBinary, project: Path) -> None:
    process = subprocess.Popen(
        command(targets, project, "--target", "FuzzNested", "--capture", "off"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "status":
            break
    process.send_signal(signal.SIGINT)
    rest = [json.loads(line) for line in process.stdout]
    assert process.wait() == 0
    finished = [line for line in rest if line["event"] == "finished"]
    assert finished and finished[0]["interrupted"]
    with Store.open_readonly(project / "campaign") as store:
        (target,) = store.targets()
        assert store.input_count(target.id) == finished[0]["stats"][0]["corpus"]
        assert store.executions(target.id) == finished[0]["stats"][0]["executions"]


def test_a_worker_killed_from_outside_is_replaced_and_blames_nobody(
    targets: FuzzBinary, project: Path, tmp_path: Path
) -> None:
    binary = tmp_path / "victim.test"
    binary.write_bytes(targets.path.read_bytes())
    binary.chmod(0o755)
    own = FuzzBinary(binary, "", "", None, (), project, "")
    process = subprocess.Popen(
        command(own, project, "--target", "FuzzNested", "--capture", "off", "--time", "6s"),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(json.loads(line))
        if told[-1]["event"] == "status" and len(told) < 8:
            for pid in processes_of(own):
                os.kill(pid, signal.SIGKILL)
    assert process.wait() == 0
    assert not [line for line in told if line["event"] == "crash"]
    assert told[-1]["event"] == "finished"
    assert told[-1]["stats"][0]["session_executions"] > 0
