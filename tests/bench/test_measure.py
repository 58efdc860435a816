"""The bench must count every process, or its ratios flatter whoever kills its children."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench import measure
from bench.measure import Measured, run_measured

BURN = "import time\nwhile time.process_time() < {}: pass\n"
FAMILY = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {BURN.format(60)!r}])
used = 0
while used < 40:  # hundredths of a second of the child
    time.sleep(0.01)
    fields = open(f"/proc/{{child.pid}}/stat").read().rpartition(")")[2].split()
    used = int(fields[11]) + int(fields[12])
child.kill()
if "reap" in sys.argv: child.wait()
"""


@pytest.mark.parametrize("last_word", ["reap", "leave"])
@pytest.mark.parametrize("method", ["cgroup", "rusage"])
def test_a_killed_childs_time_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, last_word: str
) -> None:
    if method == "rusage":
        monkeypatch.setattr(measure, "_make_group", lambda: None)
    done = run_measured(
        [sys.executable, "-c", FAMILY, last_word],
        cwd=tmp_path, env=os.environ, output=tmp_path / "output", timeout=60,
    )  # fmt: skip
    if done.method != method:
        pytest.skip("a cgroup v2 group cannot be made here (not root, or no cgroup2 mount)")
    assert done.status == 0, (tmp_path / "output").read_text()
    assert 0.4 <= done.cpu - done.main_cpu < 5
    assert done.course[0][1] == 0 and done.course[-1][1] == done.cpu


def test_what_outlives_the_command_is_killed(tmp_path: Path) -> None:
    start = f"subprocess.Popen([sys.executable, '-c', {BURN.format(60)!r}])"
    family = f"import subprocess, sys; print({start}.pid)"
    output = tmp_path / "output"
    run_measured(
        [sys.executable, "-c", family], cwd=tmp_path, env=os.environ, output=output, timeout=9
    )
    state = Path(f"/proc/{int(output.read_text())}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_time_at_interpolates_the_course() -> None:
    done = Measured(0, 20.0, 30.0, 1.0, ((100.0, 0.0), (110.0, 10.0), (120.0, 30.0)), "cgroup")
    assert done.time_at(0.0) == 100.0
    assert done.time_at(5.0) == 105.0
    assert done.time_at(20.0) == 115.0
    assert done.time_at(30.0) == float("inf")


def test_cpu_at_is_time_at_the_other_way_round() -> None:
    done = Measured(0, 20.0, 30.0, 1.0, ((100.0, 0.0), (110.0, 10.0), (120.0, 30.0)), "cgroup")
    assert [done.cpu_at(when) for when in (90.0, 100.0, 105.0, 115.0, 120.0, 130.0)] == [
        0.0, 0.0, 5.0, 20.0, 30.0, 30.0,
    ]  # fmt: skip
