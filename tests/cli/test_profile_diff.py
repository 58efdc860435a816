"""``gofuzzsec profile diff`` and ``inspect`` on files of every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.formats import read_profile, write_profile
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.seccomp.resolve import Setting, resolve
from gofuzzsec.syscalls import table
from tests.seccomp.published import docker_default

Run = Callable[..., Result]
ARCH = table.machine_arch()
NATIVE = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}[ARCH]


def socket(*families: int) -> tuple[Rule, ...]:
    return tuple(
        Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.EQ, family),))
        for family in families
    )


def made(*rules: Rule, names: str = "read write execve", **more: Any) -> Profile:
    allowed = Rule(tuple(names.split()), Action.ALLOW)
    return Profile(Action.ERRNO, 1, (NATIVE,), rules=(allowed, *rules), **more)


def put(path: Path, profile: Profile, form: str = "oci") -> str:
    path.write_text(write_profile(profile, form).text)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    def write(before: Profile, after: Profile, form: str = "oci") -> tuple[str, str]:
        return put(tmp_path / "a.json", before), put(tmp_path / "b.file", after, form)

    return write


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("form", ["oci", "operator", "operator-v1beta1"])
def test_formats_of_one_profile_are_the_same(
    run: Run, files: Callable[..., tuple[str, str]], form: str
) -> None:
    result = run("profile", "diff", *files(made(*socket(1)), made(*socket(1), name="a"), form))
    assert result.exit_code == 0, result.output
    assert f"do the same on {ARCH}" in result.stdout


def test_a_systemd_unit_is_compared_by_effect(
    run: Run, files: Callable[..., tuple[str, str]]
) -> None:
    result = run("profile", "diff", *files(made(), made(), "systemd"))
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_program_is_compared_with_its_profile(run: Run, tmp_path: Path) -> None:
    profile = made(*socket(1, 2))
    path = put(tmp_path / "a.json", profile)
    program = tmp_path / "a.bpf"
    written = run("profile", "inspect", path, "--bpf", str(program))
    assert written.exit_code == 0, written.output
    assert program.read_bytes() == compile_filter(profile, ARCH).program
    assert run("profile", "diff", path, str(program)).exit_code == 0
    wider = put(tmp_path / "b.json", made(*socket(1, 2, 10)))
    result = run("profile", "diff", str(program), wider)
    assert result.exit_code == 1
    assert "arg0=0xa AF_INET6" in result.stdout


def test_what_changed_is_told_in_words(run: Run, files: Callable[..., tuple[str, str]]) -> None:
    before = made(*socket(1), names="read write execve mount")
    answer = Rule(("ptrace",), Action.KILL_PROCESS)
    after = made(
        *socket(1, 2, 3, 4, 5, 10),
        answer,
        names="read write execve bpf",
        flags=("SECCOMP_FILTER_FLAG_LOG",),
    )
    result = run("profile", "diff", *files(before, after))
    assert result.exit_code == 1
    assert "newly allowed, refused (EPERM) → allowed:\n    bpf\n" in result.stdout
    assert "no longer allowed, allowed → refused (EPERM):\n    mount\n" in result.stdout
    assert "refused (EPERM) → kills the process:\n    ptrace\n" in result.stdout
    assert "flags: nothing → SECCOMP_FILTER_FLAG_LOG" in result.stdout
    (row,) = [line.split() for line in result.stdout.splitlines() if line.startswith("socket")]
    assert row == ["socket", "widened", "arg0=2", "AF_INET", "refused", "(EPERM)", "allowed"]
    assert "and 1 case more" in result.stdout
    assert "4 calls changed: 1 newly allowed, 1 allowed for more arguments" in result.stdout


def test_json_has_every_case(run: Run, files: Callable[..., tuple[str, str]]) -> None:
    after = made(*socket(1, 2, 10), Rule(("bpf",), Action.LOG))
    result = run("profile", "diff", "--json", *files(made(*socket(1)), after))
    log, refused = (
        {"action": "SCMP_ACT_LOG", "errno": None},
        {"action": "SCMP_ACT_ERRNO", "errno": 1},
    )
    allow = {"action": "SCMP_ACT_ALLOW", "errno": None}
    assert objects(result) == [
        {
            "event": "call_difference",
            "arch": ARCH,
            "call": "bpf",
            "change": "allowed",
            "cases": [{"args": {}, "before": refused, "after": log}],
            "more_cases": 0,
        },
        {
            "event": "call_difference",
            "arch": ARCH,
            "call": "socket",
            "change": "widened",
            "cases": [
                {"args": {"0": 2}, "before": refused, "after": allow},
                {"args": {"0": 10}, "before": refused, "after": allow},
            ],
            "more_cases": 0,
        },
        {"event": "diff", "arch": ARCH, "same": False, "calls": {"allowed": 1, "widened": 1}},
    ]


def test_what_is_not_one_calls_counts(run: Run, tmp_path: Path) -> None:
    first = put(tmp_path / "a.json", Profile(Action.ERRNO, 1, ("SCMP_ARCH_X86_64",)))
    open_gates = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64")
    second = put(
        tmp_path / "b.json",
        Profile(Action.ERRNO, 38, open_gates, flags=("SECCOMP_FILTER_FLAG_LOG",)),
    )
    result = run("profile", "diff", "--arch", "amd64", first, second)
    assert result.exit_code == 1
    assert "not known here: refused (EPERM) → refused (ENOSYS)" in result.stdout
    assert "SCMP_ARCH_X86 (getpid tried): kills the thread → refused (ENOSYS)" in result.stdout
    assert "also for: nothing → SCMP_ARCH_AARCH64" in result.stdout
    told = objects(run("profile", "diff", "--arch", "amd64", "--json", first, second))
    general = {each["what"] for each in told if each["event"] == "profile_difference"}
    assert general == {"default", "SCMP_ARCH_X86", "flags", "architectures"}
    nothing = run("profile", "diff", "--arch", "amd64", first, first)
    assert nothing.exit_code == 0


def test_dockers_profile_depends_on_the_setting(run: Run, tmp_path: Path) -> None:
    docker = docker_default()
    admin = resolve(
        read_profile(docker),
        ARCH,
        Setting(caps=frozenset({"CAP_SYS_ADMIN"})),
    )
    other = put(tmp_path / "admin.json", admin)
    result = run("profile", "diff", "--arch", ARCH, str(docker), other)
    assert result.exit_code == 1
    assert "depends on where it is used" in result.stderr
    assert "    bpf clone" not in result.stdout  # clone depends on arguments: it is in the table
    assert "clone" in result.stdout
    same = run("profile", "diff", "--arch", ARCH, str(docker), str(docker))
    assert same.exit_code == 0


def test_inspect_says_what_happens_to_every_call(run: Run, tmp_path: Path) -> None:
    masked = Rule(("clone",), Action.ALLOW, conditions=(Condition(0, Op.MASKED_EQ, 0x7E020000, 0),))
    many = socket(*range(20))
    path = put(tmp_path / "a.json", made(masked, *many))
    result = run("profile", "inspect", path)
    assert result.exit_code == 0, result.output
    assert "3 calls allowed:\n  execve read write\n" in result.stdout
    assert "arg0 & 0x7e020000 = 0x0" in result.stdout
    assert "arg0 = 1 AF_UNIX" in result.stdout
    assert "and 8 cases more" in result.stdout
    program = tmp_path / "a.bpf"
    run("profile", "inspect", path, "--bpf", str(program))
    from_program = run("profile", "inspect", str(program))
    assert "upper half of arg0 = 0x0" in from_program.stdout
    effects = {each["call"]: each for each in objects(run("profile", "inspect", path, "--json"))
               if each["event"] == "call_effect"}  # fmt: skip
    assert effects["socket"]["access"] == "some"
    assert len(effects["socket"]["cases"]) == 20
    assert effects["mount"]["otherwise"] == {"action": "SCMP_ACT_ERRNO", "errno": 1}


def test_inspect_shows_programs(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path / "a.json", made())
    assert 'filter for syscall "read"' in run("profile", "inspect", path, "--pfc").stdout
    listing = run("profile", "inspect", path, "--disassemble").stdout
    assert "; architecture" in listing
    program = tmp_path / "a.bpf"
    run("profile", "inspect", path, "--bpf", str(program))
    assert run("profile", "inspect", str(program), "--disassemble").stdout == listing
    for option in (["--pfc"], ["--bpf", str(tmp_path / "c.bpf")]):
        refused = run("profile", "inspect", str(program), *option)
        assert refused.exit_code == 2
        assert "a BPF program already" in refused.stderr


def test_files_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    good = put(tmp_path / "a.json", made())
    (tmp_path / "b.bpf").write_bytes(b"\x15\0\0\0\0\0\0\0")
    (tmp_path / "c.json").write_text("{}")
    for bad, said in (("b.bpf", "instruction 0"), ("c.json", "c.json:1:1"), ("none", "No such")):
        result = run("profile", "diff", good, str(tmp_path / bad))
        assert result.exit_code == 2
        assert said in result.stderr
