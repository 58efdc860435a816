"""Compiling profiles for the kernel, and running programs under them."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gofuzzsec.errors import ProfileError, RecorderError
from gofuzzsec.seccomp import install
from gofuzzsec.seccomp.enforce import compile_filter, load, with_calls
from gofuzzsec.seccomp.formats import write_profile
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.syscalls import table

ARCH = table.machine_arch()
_libc = ctypes.CDLL(None, use_errno=True)


def profile(*rules: Rule, default: Action = Action.ALLOW, **others: object) -> Profile:
    return Profile(default, rules=rules, **others)  # type: ignore[arg-type]


def outcome(chosen: Profile, *calls: tuple[str, int], log_only: bool = False) -> list[str]:
    """What each call (by name, with one argument) gives in a child under *chosen*: a value, an
    errno's name, or the signal that ends it."""
    compiled = compile_filter(chosen, ARCH, log_only=log_only)
    numbers = [(table.number(name, ARCH), argument) for name, argument in calls]
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            install.install(compiled.program, compiled.flags)
            for number, argument in numbers:
                value = _libc.syscall(number, ctypes.c_long(argument), 0, 0, 0)
                text = errno.errorcode[ctypes.get_errno()] if value == -1 else str(value)
                os.write(write, f"{text}\n".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        lines = file.read().split()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return [*lines, *([f"signal {-code}"] if code < 0 else [])]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(("getppid",), Action.ERRNO), ["EPERM"]),
        (Rule(("getppid",), Action.ERRNO, 97), ["EAFNOSUPPORT"]),
        (Rule(("getppid",), Action.KILL_PROCESS), ["signal 31"]),
        (Rule(("getppid",), Action.KILL_THREAD), ["signal 31"]),
        (Rule(("getppid",), Action.TRAP), ["signal 31"]),
        (Rule(("getppid",), Action.TRACE, 5), ["ENOSYS"]),
        (Rule(("getppid",), Action.NOTIFY), ["ENOSYS"]),
        (Rule(("getppid",), Action.LOG), [str(os.getpid())]),
        (Rule(("getppid",), Action.ALLOW), [str(os.getpid())]),
    ],
)
def test_actions(rule: Rule, expected: list[str]) -> None:
    assert outcome(profile(rule), ("getppid", 0)) == expected


def test_conditions_and_the_default() -> None:
    chosen = profile(
        Rule(("getpriority",), Action.ERRNO, 5, (Condition(0, Op.EQ, 1),)),
        Rule(("personality",), Action.ERRNO, 6, (Condition(0, Op.MASKED_EQ, 0x10, 0x10),)),
    )
    calls = [("getpriority", 0), ("getpriority", 1), ("personality", 0x10), ("personality", 0)]
    first, *rest, last = outcome(chosen, *calls)
    assert first.isdigit() and last.isdigit()
    assert rest == ["EIO", "ENXIO"]


def test_one_argument_compared_twice_is_two_rules_as_in_runc() -> None:
    both = (Condition(0, Op.GT, 1), Condition(0, Op.LT, 1))
    chosen = profile(Rule(("getpriority",), Action.ERRNO, 5, both))
    assert outcome(chosen, ("getpriority", 2), ("getpriority", 0)) == ["EIO", "EIO"]


def test_a_rule_with_the_default_action_changes_nothing() -> None:
    chosen = profile(Rule(("getppid",), Action.ALLOW))
    assert outcome(chosen, ("getppid", 0)) == [str(os.getpid())]


def test_names_of_nowhere_are_skipped_and_told() -> None:
    rule = Rule(("getppid", "socketcall", "no_such_call"), Action.ERRNO)
    compiled = compile_filter(profile(rule), ARCH)
    assert compiled.skipped == ("no_such_call", "socketcall")
    both = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_S390X")
    newest = Rule(("no_such_call", "listmount"), Action.ERRNO)
    compiled = compile_filter(profile(rule, newest, architectures=both), "amd64")
    assert compiled.skipped == ("no_such_call",)
    assert set(compiled.untranslated) <= {"listmount"}  # by the age of libseccomp


def test_calls_newer_than_libseccomp_are_taken_by_number() -> None:
    newest = max(table.names(ARCH), key=lambda name: table.number(name, ARCH) or 0)
    assert outcome(profile(Rule((newest,), Action.ERRNO, 77)), (newest, 0)) == ["EBADFD"]


def test_other_gates_are_filtered_where_the_profile_names_them() -> None:
    rule = Rule(("getpid",), Action.ERRNO, 95)
    gates = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    with_gate = compile_filter(profile(rule, architectures=gates), "amd64")
    without = compile_filter(profile(rule), "amd64")
    assert len(with_gate.program) > len(without.program)


def test_logging_lets_everything_through() -> None:
    strict = profile(
        Rule(("getpriority",), Action.KILL_PROCESS), default=Action.ERRNO, default_errno=1
    )
    found = outcome(strict, ("getppid", 0), ("getpriority", 0), log_only=True)
    assert found[0] == str(os.getpid())
    assert found[1].isdigit()


def test_more_calls_go_before_what_the_profile_says() -> None:
    rule = Rule(("getppid", "getpriority"), Action.ERRNO, conditions=(Condition(1, Op.EQ, 0),))
    wider = with_calls(profile(rule), ["getppid"], ARCH)
    found = outcome(wider, ("getppid", 0), ("getpriority", 0))
    assert found == [str(os.getpid()), "EPERM"]
    assert with_calls(wider, [], ARCH) is wider


def test_what_cannot_be_compiled() -> None:
    with pytest.raises(ProfileError, match="which this machine is"):
        compile_filter(profile(), "arm64" if ARCH == "amd64" else "amd64")
    with pytest.raises(ProfileError, match="FLAG_NONE"):
        compile_filter(profile(flags=("SECCOMP_FILTER_FLAG_NONE",)), ARCH)


def test_a_machine_without_libseccomp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    with pytest.raises(RecorderError, match="install the package libseccomp2"):
        compile_filter(profile(), ARCH)


def test_load_is_for_good() -> None:
    child = os.fork()
    if not child:
        try:
            load(profile(Rule(("getppid",), Action.ERRNO, 95)), ARCH)
            _libc.syscall(table.number("getppid", ARCH))
            os._exit(ctypes.get_errno())
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 95


def test_no_filter_is_no_filter() -> None:
    with pytest.raises(OSError, match="no filter for this machine"):
        install.install(b"")
    with pytest.raises(OSError, match="no filter for this machine"):
        install.install(b"1234567")


def launched(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gofuzzsec.seccomp.launch", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_launcher(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    rule = Rule(("mkdir", "mkdirat", "socketcall"), Action.ERRNO, 95)
    path.write_text(write_profile(profile(rule), "oci").text)
    folder = tmp_path / "new"
    done = launched(path, "--", "mkdir", folder)
    assert done.returncode == 1
    assert "Operation not supported" in done.stderr
    assert "skipped: socketcall" in done.stderr
    assert launched(path, "--log", "--", "mkdir", folder).returncode == 0
    assert folder.is_dir()


def test_the_launcher_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text("{")
    assert launched(path, "--", "true").returncode == 2
    path.write_text(write_profile(profile(Rule(("execve",), Action.ERRNO)), "oci").text)
    refused = launched(path, "--", "true")
    assert (refused.returncode, "cannot start under the profile" in refused.stderr) == (125, True)
    nothing = launched(path, "--", "no-such-program")
    assert (nothing.returncode, "no-such-program" in nothing.stderr) == (2, True)
