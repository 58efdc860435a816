"""Ground truth: what is reported as inside of a function's window is exactly what was made there,
by its goroutine, the goroutines and processes that it starts, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain.model import Go
from tests.go_versions import OLDEST, release
from tests.syscalls.bpf.truths import Counts, Truth, build, counted, names_in, told

# Name of the case in truth/main.go, and how many calls at a time.
CASES = {
    "grow": "5",
    "gc": "3",
    "hop": "20",
    "both": "20",
    "recursion": "5",
    "recovered": "5",
    "recovers": "5",
    "goexit": "5",
    "handed": "5",
    "nested": "5",
}


def exact(tracer: Tracer, truth: Truth, case: str, amount: str) -> dict[str, Counts]:
    """Run a case and hold what the recorder says against what the program says."""
    following = truth.follow(tracer)
    said = truth.run(following, case, amount)
    calls = following.take()
    assert following.problems() == ()
    assert following.claims == 1
    for window, where in enumerate(("inside", "deeper")):
        assert counted(calls, window, names_in(said)) == said[where]
    assert not any(call.stack_lost or call.windows == 0 for call in calls)
    following.close()
    return said


def test_calls_of_64_goroutines_half_of_them_inside(tracer: Tracer, truth: Truth) -> None:
    said = exact(tracer, truth, "spread", "200000")
    assert sum(said["inside"].values()) == 100_000
    assert sum(said["outside"].values()) == 100_010


@pytest.mark.parametrize("case", CASES)
def test_what_makes_others_lose_track(tracer: Tracer, truth: Truth, case: str) -> None:
    said = exact(tracer, truth, case, CASES[case])
    assert sum(said["inside"].values()) > 0 and sum(said["outside"].values()) > 0


@pytest.mark.parametrize("flags", [("-buildmode=pie",), ("-ldflags=-s -w",)])
def test_other_kinds_of_binary(
    tracer: Tracer, go: Go, truth_folder: Path, flags: tuple[str, ...]
) -> None:
    other = Truth.of(build(go, "truth", truth_folder, *flags))
    for case in ("spread", "recovered", "goexit", "nested"):
        exact(tracer, other, case, "6400" if case == "spread" else CASES[case])


def test_the_oldest_go(tracer: Tracer, truth_folder: Path) -> None:
    old = Truth.of(build(release(OLDEST), "truth", truth_folder, "-trimpath"))
    for case in ("spread", "grow", "recovered", "goexit", "nested"):
        exact(tracer, old, case, "6400" if case == "spread" else CASES[case])


def test_another_process_of_the_same_program(tracer: Tracer, truth: Truth) -> None:
    with subprocess.Popen(
        [truth.path, "stay", "5000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as beside:
        assert beside.stdout is not None and beside.stdout.readline()
        one, two = truth.follow(tracer), truth.follow(tracer)
        said_one = truth.run(one, "both", "5")
        told(truth.path, "both", "7")
        said_two = truth.run(two, "nested", "3")
        calls_one, calls_two = one.take(), two.take()
        beside.communicate(b"x")
    names = names_in(said_one)
    assert counted(calls_one, 0, names) == said_one["inside"]
    assert counted(calls_two, 0, names) == said_two["inside"]
    assert counted(calls_two, 1, names) == said_two["deeper"]
    assert one.take() == []
    one.close()
    two.close()


def test_programs_started_inside_and_outside(tracer: Tracer, truth: Truth, tmp_path: Path) -> None:
    copy = tmp_path / "another"
    copy.write_bytes(truth.path.read_bytes())  # to the kernel, and so to us, another program
    copy.chmod(0o755)
    following = truth.follow(tracer)
    truth.run(following, "children", "100", str(truth.path), str(copy))
    calls = following.take()
    assert following.problems() == ()
    # Two goroutines start each program inside; what these do is a child's, whole.
    assert counted(calls, 0, {"getsid"}, place="child") == {"getsid//ok": 2 * 2 * 100}
    assert sum(call.count for call in calls if call.place == "child") > 400
    tasks = following.processes()
    names = {tasks[call.process].name for call in calls if call.place == "child"}
    assert {truth.path.name, copy.name} <= names
    following.close()


def test_another_program_in_its_own_place(tracer: Tracer, truth: Truth, tmp_path: Path) -> None:
    copy = tmp_path / "another"
    copy.write_bytes(truth.path.read_bytes())
    copy.chmod(0o755)
    following = truth.follow(tracer)
    said = truth.run(following, "becomes", "50", str(copy))
    calls = following.take()
    assert counted(calls, 0, names_in(said)) == said["inside"]
    begun = {"execve//begun": 1}
    assert {k: v for k, v in counted(calls, 0, {"execve"}).items() if "begun" in k} == begun
    assert counted(calls, 0, {"getsid"}, place="child") == {"getsid//ok": 50}
    following.close()


def test_a_killed_process(tracer: Tracer, truth: Truth) -> None:
    following = truth.follow(tracer)
    with subprocess.Popen(
        [truth.path, "stay", "500"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=following.claim(),
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
        process.wait()
        said = json.loads(line)
    calls = following.take()
    assert counted(calls, 0, names_in(said)) == said["inside"]
    following.close()
    for name in ("processes", "threads", "goroutines", "frames", "points", "tasks"):
        assert tracer.program.map(name).items() == [], name


@pytest.mark.parametrize("flags", [(), ("-buildmode=pie",)])
def test_calls_of_c_code(
    tracer: Tracer, go: Go, truth_folder: Path, c_truth: Truth, flags: tuple[str, ...]
) -> None:
    truth = Truth.of(build(go, "ctruth", truth_folder, *flags)) if flags else c_truth
    assert truth.traced.c_points is not None
    following = truth.follow(tracer)
    said = truth.run(following, "calls", "40")
    calls = following.take()
    assert following.problems() == ()
    assert counted(calls, 0, {"getsid"}, place="c") == said["inside c"]
    assert counted(calls, 0, {"getsid"}) == said["inside go"]
    following.close()


def test_more_different_calls_than_there_is_room_for(tracer: Tracer, truth: Truth) -> None:
    following = truth.follow(tracer, room=8)
    truth.run(following, "nested", "50")
    assert any("for lack of room" in problem for problem in following.problems())
    assert len(following.take()) == 8
    following.close()


def test_from_inside_a_pid_namespace(truth: Truth) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from gofuzzsec.syscalls.bpf.tracer import Tracer\n"
        "from tests.syscalls.bpf.test_windows import exact\n"
        "from tests.syscalls.bpf.truths import Truth\n"
        "import os; assert os.getpid() < 10, os.getpid()\n"
        "tracer = Tracer.open(slots=1)\n"
        "said = exact(tracer, Truth.of(Path(sys.argv[1])), 'nested', '5')\n"
        "print(sum(said['inside'].values()))\n"
    )
    argv = ["unshare", "-pf", "--mount-proc", sys.executable, "-c", script, str(truth.path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "750\n"), done.stderr
