"""The launcher that is written as machine code."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest
from capstone import CS_ARCH_ARM64, CS_ARCH_X86, CS_MODE_64, CS_MODE_ARM, Cs

from gofuzzsec.binary.elf import read_elf
from gofuzzsec.errors import RecorderError
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.launcher import write_launcher
from gofuzzsec.seccomp.model import Action, Profile, Rule
from gofuzzsec.syscalls import table

ARCH = table.machine_arch()
START = 64 + 56  # behind the headers


def launcher(path: Path, profile: Profile, wish: tuple[int, ...] = ()) -> Path:
    compiled = compile_filter(profile, ARCH)
    write_launcher(path, compiled.program, compiled.flags, ARCH, wish)
    return path


def run(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_the_program_runs_under_the_filter(tmp_path: Path) -> None:
    profile = Profile(Action.ALLOW, rules=(Rule(("mkdir", "mkdirat"), Action.ERRNO, errno.EIO),))
    path = launcher(tmp_path / "launcher", profile)
    done = run(path, "/bin/mkdir", tmp_path / "new", env={"LC_ALL": "C"})
    assert (done.returncode, "Input/output error" in done.stderr) == (1, True)
    script = 'echo "$0 $1 $WORD"; grep NoNewPrivs /proc/self/status'
    done = run(path, "/bin/sh", "-c", script, "a b", "c", env={"WORD": "d"})
    assert done.stdout == "a b c d\nNoNewPrivs:\t1\n"


def test_a_recorder_is_asked_first(tmp_path: Path) -> None:
    """A prctl that the filter would not let through."""
    prctl = Profile(Action.ALLOW, rules=(Rule(("prctl",), Action.KILL_PROCESS),))
    path = launcher(tmp_path / "launcher", prctl, (0x1234, 2**64 - 1, 5))
    assert run(path, "/bin/true").returncode == 0


def test_without_filter_or_program_nothing_runs(tmp_path: Path) -> None:
    path = launcher(tmp_path / "launcher", Profile(Action.ALLOW))
    assert run(path, "/no/such/program").returncode == 125
    assert run(path).returncode == 125
    write_launcher(path, b"\xff" * 8, 0, ARCH)
    assert run(path, "/bin/true").returncode == 125


def test_a_profile_that_refuses_execve(tmp_path: Path) -> None:
    refuse = Profile(Action.ALLOW, rules=(Rule(("execve",), Action.ERRNO),))
    assert run(launcher(tmp_path / "launcher", refuse), "/bin/true").returncode == 125
    kill = Profile(Action.KILL_PROCESS)
    assert run(launcher(tmp_path / "launcher", kill), "/bin/true").returncode == -31


@pytest.mark.parametrize(
    ("program", "arch"),
    [(b"", ARCH), (b"1234567", ARCH), (bytes(8 * 4097), ARCH), (bytes(8), "s390x")],
)
def test_what_is_no_filter(tmp_path: Path, program: bytes, arch: str) -> None:
    with pytest.raises(RecorderError, match="expected a filter"):
        write_launcher(tmp_path / "launcher", program, 0, arch)


def disassembled(path: Path, arch: str) -> list[str]:
    data = path.read_bytes()
    machine = Cs(CS_ARCH_ARM64, CS_MODE_ARM) if arch == "arm64" else Cs(CS_ARCH_X86, CS_MODE_64)
    return [f"{each.mnemonic} {each.op_str}" for each in machine.disasm(data[START:], 0)]


def test_the_code_for_the_machine_that_was_not_there(tmp_path: Path) -> None:
    """arm64 by its disassembly: registers, numbers, and where a failed filter goes."""
    path = tmp_path / "launcher"
    write_launcher(path, bytes(range(8)), 2, "arm64", (1, 2, 3))
    assert read_elf(path).arch == "arm64"
    code = disassembled(path, "arm64")
    calls = [index for index, text in enumerate(code) if text == "svc #0"]
    assert len(calls) == 5
    numbers = [code[index - 4] for index in calls]
    assert numbers == [f"mov x8, #{n:#x}" for n in (0xA7, 0xA7, 0x115, 0xDD, 0x5E)]
    branch = calls[2] + 1
    assert code[branch] == f"cbnz x0, #{(calls[3] + 1) * 4:#x}"
    assert code[branch + 1 : branch + 5] == [
        "ldr x0, [sp, #0x10]",
        "add x1, sp, #0x10",
        "ldr x3, [sp]",
        "add x2, x1, x3, lsl #3",
    ]
    assert code[calls[3] + 1] == "mov x0, #0x7d"


def test_the_code_for_amd64(tmp_path: Path) -> None:
    path = tmp_path / "launcher"
    write_launcher(path, bytes(range(8)), 2, "amd64")
    code = disassembled(path, "amd64")
    assert code.count("syscall ") == 4
    jump = next(index for index, text in enumerate(code) if text.startswith("jne"))
    assert code[jump + 1 : jump + 5] == [
        "mov rdi, qword ptr [rsp + 0x10]",
        "lea rsi, [rsp + 0x10]",
        "mov rcx, qword ptr [rsp]",
        "lea rdx, [rsp + rcx*8 + 0x10]",
    ]
    assert "ud2 " in code
