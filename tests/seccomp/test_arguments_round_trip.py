"""A real program: recorded, given rules on what it asks for, and run under them by the kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gofuzzsec.seccomp.arguments import argument_rules, unruled
from gofuzzsec.seccomp.formats import write_profile
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.process import trace_process
from gofuzzsec.syscalls.table import machine_arch
from gofuzzsec.toolchain.model import Go
from tests.conftest import MakeModule
from tests.requirements import require_strace
from tests.seccomp.test_arguments import profile_of

PROGRAM = """package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func prctl(option uintptr) error {
	if _, _, errno := syscall.Syscall6(syscall.SYS_PRCTL, option, 0, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func memory(protection int) error {
	_, err := syscall.Mmap(-1, 0, 4096, protection, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	return err
}

func start(flags uintptr) error {
	command := exec.Command("/bin/true")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	return command.Run()
}

func socket(family, kind int) error {
	_, err := syscall.Socket(family, kind|syscall.SOCK_CLOEXEC, 0)
	return err
}

func main() {
	rw := syscall.PROT_READ | syscall.PROT_WRITE
	steps := map[string]func() error{
		"unix":      func() error { return socket(syscall.AF_UNIX, syscall.SOCK_STREAM) },
		"dumpable":  func() error { return prctl(3) },
		"memory":    func() error { return memory(rw) },
		"child":     func() error { return start(0) },
		"packet":    func() error { return socket(syscall.AF_PACKET, syscall.SOCK_RAW) },
		"slack":     func() error { return prctl(30) },
		"code":      func() error { return memory(rw | syscall.PROT_EXEC) },
		"namespace": func() error { return start(syscall.CLONE_NEWUTS) },
	}
	for _, word := range os.Args[1:] {
		fmt.Println(word, steps[word]() == nil)
	}
}
"""
USUAL = ("unix", "dumpable", "memory", "child")
NEW = ("packet", "slack", "code", "namespace")


@pytest.fixture
def program(go: Go, module: MakeModule) -> Path:
    root = module({"main.go": PROGRAM})
    subprocess.run([go.path, "build", "-p", "1", "-o", root / "program", "."], cwd=root, check=True)
    return root / "program"


def test_what_was_seen_goes_on_and_the_rest_does_not(program: Path, tmp_path: Path) -> None:
    require_strace(stacks=True)
    recording = trace_process([str(program), *USUAL], tmp_path).recording
    assert recording.complete, recording.problem
    rows = [
        SyscallRow(
            use.name, use.origin.value, "integration", "", 1.0, use.count, 0, False, (), use.kind,
            use.outcome.value, args=use.args,
        )
        for use in recording.uses
    ]  # fmt: skip
    rules = argument_rules(rows, machine_arch(), "safe")
    assert rules.keys() >= {"socket", "prctl", "clone", "mmap"}, unruled(
        rows, machine_arch(), "safe"
    )
    profile = tmp_path / "profile.json"
    profile.write_text(write_profile(profile_of(*rules.values()), "oci").text)
    launch = [sys.executable, "-m", "gofuzzsec.seccomp.launch", str(profile), "--"]
    done = subprocess.run(
        [*launch, program, *USUAL, *NEW], capture_output=True, text=True, check=False
    )
    expected = [f"{word} true" for word in USUAL] + [f"{word} false" for word in NEW]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected), done.stderr
    free = subprocess.run([program, *NEW], capture_output=True, text=True, check=True)
    assert {"slack true", "code true"} <= set(free.stdout.splitlines())  # the others need root
