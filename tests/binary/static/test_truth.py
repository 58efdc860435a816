"""The bound contains what programs do: jobrunner, its tests, and the tests of os/exec.

More of the kind, on larger programs, is in ``tests/real``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.syscalls.bound import bound_of
from gofuzzsec.toolchain.model import Go
from tests.binary.static.truth import Reader, observed
from tests.requirements import require_strace

JOBRUNNER = Path(__file__).parents[3] / "examples" / "jobrunner"
JOB = "mkdir a\nwrite a/b hello\nread a/b\nlist a\ncopy a/b c\nremove c\n"


def build(go: Go, cwd: Path, *arguments: str) -> None:
    """Run the go command without cgo, so that all of the program is Go's."""
    subprocess.run(
        [str(go.path), *arguments], cwd=cwd, check=True, env={**os.environ, "CGO_ENABLED": "0"}
    )


@pytest.fixture(scope="session")
def jobrunner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example: its tests write."""
    return shutil.copytree(JOBRUNNER, tmp_path_factory.mktemp("truth") / "jobrunner")


def test_jobrunner_the_program(go: Go, jobrunner: Path, tmp_path: Path) -> None:
    require_strace()
    program = tmp_path / "jobrunner"
    build(go, jobrunner, "build", "-o", str(program), "./cmd/jobrunner")
    (tmp_path / "job").write_text(JOB)
    (tmp_path / "dir").mkdir()
    found = bound_of(CallGraph.read(GoProgram.read(program)), ["main"])

    seen = observed(
        program, [str(tmp_path / "dir"), str(tmp_path / "job")], tmp_path, tmp_path / "log"
    )

    assert {"openat", "mkdirat", "write"} <= seen
    assert not found.is_open
    assert seen <= found.names


def test_jobrunner_its_tests_and_seeds(go: Go, jobrunner: Path, tmp_path: Path) -> None:
    require_strace()
    program = tmp_path / "jobrunner.test"
    build(go, jobrunner, "test", "-c", "-o", str(program), ".")
    graph = CallGraph.read(GoProgram.read(program))

    everything = observed(program, [], jobrunner, tmp_path / "log")
    fuzz = observed(program, ["-test.run=^FuzzRun$"], jobrunner, tmp_path / "fuzzlog")

    assert len(everything) > 30
    assert everything <= bound_of(graph, ["main"]).names
    narrow = bound_of(graph, ["example.com/jobrunner.FuzzRun"])
    assert narrow.reached < bound_of(graph, ["main"]).reached
    # The test binary's own work around the fuzz test is not the fuzz test's.
    assert fuzz - {"getcwd", "setitimer", "getrusage"} <= narrow.names


def test_os_exec(go: Go, tmp_path: Path) -> None:
    require_strace()
    program = tmp_path / "exec.test"
    build(go, tmp_path, "test", "-c", "-o", str(program), "os/exec")
    root = subprocess.run(
        [str(go.path), "env", "GOROOT"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = bound_of(CallGraph.read(GoProgram.read(program)), ["main"])

    seen = observed(program, ["-test.short"], Path(root, "src/os/exec"), tmp_path / "log")

    assert {"execve", "pipe2", "wait4", "waitid"} & seen
    assert [opening.kind for opening in found.opens] == ["exec"]
    assert seen <= found.names


def test_calls_of_other_programs_are_left_out(tmp_path: Path) -> None:
    program = tmp_path / "prog"
    log = f"""\
10 execve("{program}", ["prog"], 0x1) = 0
10 mmap(NULL, 1, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7f0000000000
10 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK <unfinished ...>
11 dup3(3, 0, 0) = 0
11 execve("/bin/true", ["true"], 0x1) = 0
11 brk(NULL) = 0x5500000000
10 <... clone resumed>) = 11
11 vfork() = 12
12 access("/etc", R_OK) = 0
12 execve("{program}", ["prog"], 0x1 <unfinished ...>
12 <... execve resumed>) = 0
12 sysinfo({{}}) = 0
12 syscall_0x1bf(0x1) = 0
12 syscall_0x3e7(0x1) = -1 ENOSYS (Function not implemented)
10 syscall_0xfffffffffffffff5(0x1, 0x25, 0x3fc, 0, 0, 0 <unfinished ...>
10 futex(0x1, FUTEX_WAIT, 1 <unfinished ...>
10 restart_syscall(<... resuming interrupted futex ...>) = 0
"""
    names = Reader(program).read(log)

    assert names == {
        "mmap",
        "clone",
        "dup3",
        "execve",
        "sysinfo",
        "futex",
        "memfd_secret",
        "syscall_0x3e7",
    }
