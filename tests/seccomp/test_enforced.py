"""Built profiles under the kernel's enforcement: what is in them runs, what is not is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.seccomp import build_profile, document, formats
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.oci import OCI_RUNTIME_CALLS, WITH_NO_NEW_PRIVILEGES
from gofuzzsec.syscalls.process import record_process
from gofuzzsec.toolchain import build_program
from gofuzzsec.toolchain.model import Go
from tests.requirements import missing, require_strace

PROGRAM = """package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "hello":
		fmt.Println("hello")
	case "busy":
		var group sync.WaitGroup
		for i := 0; i < 200; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				data := make([][]byte, 0)
				for j := 0; j < 50; j++ {
					data = append(data, make([]byte, 4096*(1+j%7)))
					runtime.Gosched()
				}
				time.Sleep(time.Duration(len(data)) * time.Microsecond)
			}()
		}
		runtime.GC()
		group.Wait()
		fmt.Println("busy")
	case "mkdir":
		fmt.Println(syscall.Mkdir("/nonexistent/folder", 0o777) == syscall.EPERM)
	case "panic":
		panic("on purpose")
	}
}
"""
NOBODY = 65534


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A folder that other users can read, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def program(go: Go, shared: Path) -> Path:
    return Path(shutil.copy(build_program(go, {"main.go": PROGRAM}, "enforced"), shared))


@pytest.fixture(scope="module")
def baseline(go: Go) -> frozenset[str]:
    require_strace(stacks=True)
    return frozenset(use.name for use in runtime_baseline(go).uses)


def write_profile(path: Path, names: frozenset[str], rows: list[SyscallRow]) -> Path:
    profile = build_profile(
        rows, baseline=names, oci=OCI_RUNTIME_CALLS, arch=table.machine_arch(), unrecorded=0
    )
    path.write_text(formats.write_profile(document(profile), "oci").text)
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def profile(shared: Path, baseline: frozenset[str]) -> Path:
    """The profile of a program that does nothing of its own."""
    return write_profile(shared / "seccomp.json", baseline, [])


def enforce(
    profile: Path, user: str, program: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    as_user = () if user == "-" else ("--user", user)
    launcher: tuple[str | Path, ...] = (
        sys.executable,
        "-m",
        "gofuzzsec.seccomp.launch",
        profile,
        *as_user,
        "--",
    )
    return subprocess.run(
        [*launcher, program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.fixture(params=["as started", "as nobody"])
def user(request: pytest.FixtureRequest) -> str:
    if request.param == "as started":
        return "-"
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    return str(NOBODY)


@pytest.mark.parametrize("word", ["hello", "busy"])
def test_an_ordinary_program_runs(profile: Path, program: Path, user: str, word: str) -> None:
    done = enforce(profile, user, program, word)
    assert (done.returncode, done.stdout) == (0, f"{word}\n"), done.stderr


def test_a_panic_still_says_why(profile: Path, program: Path) -> None:
    done = enforce(profile, "-", program, "panic")
    assert done.returncode == 2
    assert "panic: on purpose" in done.stderr
    assert "main.main" in done.stderr


def test_what_is_not_in_it_is_refused(profile: Path, program: Path, user: str) -> None:
    done = enforce(profile, user, program, "mkdir")
    assert (done.returncode, done.stdout) == (0, "true\n"), done.stderr


def test_evidence_lets_it_through(
    profile: Path, program: Path, shared: Path, baseline: frozenset[str]
) -> None:
    recording = record_process([str(program), "mkdir"], shared)
    rows = [
        SyscallRow(use.name, use.origin.value, "fuzz", "", 1.0, use.count, 1, False, use.stack)
        for use in recording.uses
    ]
    wider = write_profile(shared / "wider.json", baseline, rows)
    grown = set(names_in(wider)) - set(names_in(profile))
    assert grown == {"mkdirat"}
    done = enforce(wider, "-", program, "mkdir")
    assert (done.returncode, done.stdout) == (0, "false\n"), done.stderr  # ENOENT now


def names_in(path: Path) -> list[str]:
    names: list[str] = json.loads(path.read_text())["syscalls"][0]["names"]
    return names


def require_runc(bundle: Path) -> None:
    """A runc that starts containers here; where it cannot without a profile, nothing is learnt."""
    if shutil.which("runc") is None or os.getuid() != 0:
        pytest.skip("needs runc, and root")
    done = run_container(bundle, None, True)
    if done.returncode != 0:
        pytest.skip(f"runc starts no containers here: {done.stderr[-300:]}")


def run_container(
    bundle: Path, profile: Path | None, no_new_privileges: bool
) -> subprocess.CompletedProcess[str]:
    (bundle / "config.json").unlink(missing_ok=True)
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"].update(
        terminal=False,
        args=["/program", "hello"],
        noNewPrivileges=no_new_privileges,
        user={"uid": 1000, "gid": 1000, "additionalGids": [5]},
    )
    # What is not about seccomp, and not to be had inside of many a container, is left out.
    spec["linux"].pop("resources", None)
    kept = ("pid", "ipc", "uts", "mount")
    spaces = spec["linux"]["namespaces"]
    spec["linux"]["namespaces"] = [each for each in spaces if each["type"] in kept]
    mounts = spec["mounts"]
    spec["mounts"] = [each for each in mounts if each["destination"] in ("/proc", "/dev")]
    spec["linux"]["seccomp"] = json.loads(profile.read_text()) if profile is not None else None
    (bundle / "config.json").write_text(json.dumps(spec))
    cgroups = "mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null"
    start = f"{cgroups}; exec runc run gofuzzsec-{os.getpid()}"
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", start],
        cwd=bundle,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_a_container_starts_under_it(
    profile: Path, program: Path, tmp_path: Path, no_new_privileges: bool
) -> None:
    for name in ("proc", "sys", "dev"):
        (tmp_path / "rootfs" / name).mkdir(parents=True)
    static = shutil.copy(program, tmp_path / "rootfs" / "program")
    if b"ld-linux" in Path(static).read_bytes():
        missing("the test program is not static")
    require_runc(tmp_path)
    done = run_container(tmp_path, profile, no_new_privileges)
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


def test_a_container_needs_less_with_no_new_privileges(
    program: Path, shared: Path, baseline: frozenset[str], tmp_path: Path
) -> None:
    """The two lists are kept apart for who wants the smaller profile."""
    (tmp_path / "rootfs").mkdir()
    for name in ("proc", "sys", "dev"):
        (tmp_path / "rootfs" / name).mkdir()
    shutil.copy(program, tmp_path / "rootfs" / "program")
    require_runc(tmp_path)
    smaller = shared / "smaller.json"
    profile = build_profile(
        [],
        baseline=baseline,
        oci=WITH_NO_NEW_PRIVILEGES,
        arch=table.machine_arch(),
        unrecorded=0,
    )
    smaller.write_text(formats.write_profile(document(profile), "oci").text)
    assert run_container(tmp_path, smaller, True).stdout == "hello\n"
    assert run_container(tmp_path, smaller, False).returncode != 0
