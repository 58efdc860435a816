"""What lint finds, and what it does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.dangers import DANGERS, Severity
from gofuzzsec.seccomp.finding import Finding
from gofuzzsec.seccomp.formats import parse_profile, read_profile
from gofuzzsec.seccomp.formats.words import known_calls
from gofuzzsec.seccomp.lint import lint
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule, When, plain
from gofuzzsec.seccomp.resolve import DOCKER_DEFAULT_CAPS, Setting
from tests.seccomp.published import docker_default

DENY = Profile(Action.ERRNO, 1, architectures=("SCMP_ARCH_X86_64",))
EQ, NE, MASKED = Op.EQ, Op.NE, Op.MASKED_EQ
_ALLOW = "SCMP_ACT_ALLOW"


def allow(name: str, *conditions: Condition) -> Rule:
    return Rule((name,), Action.ALLOW, conditions=conditions)


def found(*rules: Rule, profile: Profile = DENY) -> set[tuple[str, str, str]]:
    """(severity, check, call) of what is found in a profile with these rules."""
    findings = lint(replace(profile, rules=rules))
    return {(f.severity.name, f.check, f.call) for f in findings}


def test_a_plain_profile_of_an_ordinary_program_has_no_finding() -> None:
    assert lint(plain(["read", "write", "openat", "futex", "mmap"], "amd64")) == ()


@pytest.mark.parametrize(
    ("name", "check"),
    [(name, danger.check) for danger in DANGERS for name in sorted(danger.calls)],
)
def test_every_dangerous_call_is_known_and_found(name: str, check: str) -> None:
    assert name in known_calls()
    profile = replace(DENY, architectures=(), rules=(allow(name),))
    here = {(f.check, f.call) for f in lint(profile)}
    # Calls of 32-bit machines only are judged nowhere.
    assert (check, name) in here or name in {"umount", "stime"}


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        (allow("clone", Condition(0, MASKED, 0x7E020000, 0)), ""),
        (allow("clone", Condition(0, MASKED, 0x10000000, 0)), ""),
        (allow("clone", Condition(0, MASKED, 0x6E020000, 0)), "user-namespace"),
        (allow("clone", Condition(0, NE, 0x10000000)), "user-namespace"),
        (allow("clone", Condition(0, EQ, 0x11)), ""),
        (allow("clone", Condition(1, EQ, 0)), "user-namespace"),
        (allow("unshare", Condition(0, EQ, 0x20000)), ""),
        (allow("ioctl", Condition(1, EQ, 0x5401)), ""),
        (allow("ioctl", Condition(1, NE, 0x5412)), "terminal"),
        (allow("personality", Condition(0, EQ, 0xFFFFFFFF)), ""),
        (allow("personality", Condition(0, EQ, 0x40000)), "personality"),
        (allow("personality", Condition(0, EQ, 0x20008)), ""),
        (allow("socket", Condition(0, EQ, 1)), ""),
        (allow("socket", Condition(0, EQ, 17)), "raw-socket"),
        (allow("socket", Condition(0, EQ, 2), Condition(1, MASKED, 0xF, 3)), "raw-socket"),
        (allow("socket", Condition(0, EQ, 2), Condition(1, MASKED, 0xF, 1)), ""),
        (allow("socket", Condition(0, EQ, 40)), "rare-socket"),
        (allow("ptrace", Condition(0, EQ, 0)), "trace"),
    ],
)
def test_calls_are_judged_by_their_arguments(rule: Rule, check: str) -> None:
    assert {each for _, each, _ in found(rule)} == ({check} if check else set())


def test_a_filter_that_looks_at_more_than_the_kernel_is_shown() -> None:
    """The kernel's family is an int; the rule forbids one 64-bit number."""
    rules = [allow("socket", Condition(0, Op.GT, 40))]
    (finding,) = (f for f in lint(replace(DENY, rules=tuple(rules))) if f.check == "rare-socket")
    assert "socket is allowed with (0x100000026), of which the kernel takes the" in finding.reason


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (Profile(Action.ALLOW), ("ERROR", "default", "")),
        (Profile(Action.LOG), ("ERROR", "default", "")),
        (Profile(Action.NOTIFY), ("ERROR", "default", "")),
        (Profile(Action.ERRNO, 0), ("ERROR", "default", "")),
        (replace(DENY, default_errno=4095), ("ERROR", "refused", "")),
    ],
)
def test_the_default_action(profile: Profile, expected: tuple[str, str, str]) -> None:
    assert expected in found(allow("read"), profile=profile)
    assert not found(profile=Profile(Action.NOTIFY, listener_path="/run/agent"))


def test_a_default_of_allow_allows_the_dangerous() -> None:
    assert ("ERROR", "bpf", "bpf") in found(profile=Profile(Action.ALLOW))
    refused = Rule(("bpf",), Action.ERRNO)
    assert ("ERROR", "bpf", "bpf") not in found(refused, profile=Profile(Action.ALLOW))


def test_gates_for_other_architectures() -> None:
    gated = replace(DENY, architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"))
    findings = lint(gated)
    assert [f.check for f in findings] == ["gate", "gate"]
    call = Rule(("socketcall",), Action.ALLOW)
    assert ("ERROR", "gate-socket", "socketcall") in found(call, profile=gated)
    assert ("ERROR", "gate-socket", "socketcall") not in found(call)
    arm = Profile(Action.ERRNO, architectures=("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"))
    assert {f.arches for f in lint(arm)} == {("arm64",)}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            (allow("read"), Rule(("read",), Action.ERRNO, 2)),
            ("ERROR", "contradiction", "read"),
        ),
        ((Rule(("read",), Action.ERRNO, 2), allow("read")), ("WARNING", "unreachable", "read")),
        ((allow("read"), allow("read", Condition(0, EQ, 1))), ("WARNING", "unreachable", "read")),
        ((allow("read"), allow("read")), ("NOTE", "duplicate", "read")),
        ((Rule(("read", "read"), Action.ALLOW),), ("NOTE", "duplicate", "read")),
        ((Rule(("read",), Action.ERRNO),), ("NOTE", "no-effect", "")),
        ((Rule(("read",), Action.ERRNO, 0),), ("WARNING", "success", "")),
        ((allow("read", Condition(0, Op.LT, 0)),), ("WARNING", "unreachable", "")),
        (
            (allow("read", Condition(0, NE, 1), Condition(0, NE, 2)),),
            ("ERROR", "same-argument", ""),
        ),
        ((allow("read", Condition(0, MASKED, 1, 2)),), ("WARNING", "mask", "")),
        (
            (
                allow("read", Condition(0, EQ, 1)),
                Rule(("read",), Action.KILL_PROCESS, conditions=(Condition(1, EQ, 1),)),
            ),
            ("WARNING", "contradiction", "read"),
        ),
        (
            (
                allow("read", Condition(0, NE, 0)),
                allow("read", Condition(0, NE, 1), Condition(1, NE, 0)),
            ),
            ("WARNING", "libseccomp", "read"),
        ),
    ],
)
def test_rules_that_do_not_do_what_they_say(
    rules: tuple[Rule, ...], expected: tuple[str, str, str]
) -> None:
    assert expected in found(*rules)


def test_rules_that_exclude_each_other_are_no_contradiction() -> None:
    one = allow("read", Condition(0, EQ, 1))
    two = Rule(("read",), Action.KILL_PROCESS, conditions=(Condition(0, EQ, 2),))
    assert found(one, two) == set()


def test_words_that_no_machine_answers_to() -> None:
    rule = replace(allow("read"), excludes=When(arches=("x86_64",), caps=("CAP_SYS_ADMN",)))
    findings = lint(replace(DENY, rules=(rule,)))
    assert {f.reason.split("'")[1] for f in findings} == {"CAP_SYS_ADMN", "x86_64"}
    fine = replace(rule, excludes=When(arches=("amd64",), caps=("CAP_SYS_ADMIN",)))
    assert lint(replace(DENY, rules=(fine,))) == ()


def test_places_are_those_of_the_file() -> None:
    text = (
        '{"defaultAction": "SCMP_ACT_ERRNO",\n "architectures": ["SCMP_ARCH_X86_64",'
        ' "SCMP_ARCH_X32"],\n "syscalls": [\n'
        '  {"names": ["read"], "action": "SCMP_ACT_ALLOW"},\n'
        '  {"names": ["write",\n    "bpf"], "action": "SCMP_ACT_ALLOW"}]}'
    )
    findings = lint(parse_profile(text, "oci"))
    assert [(f.check, f.place) for f in findings] == [("bpf", (6, 5)), ("gate", (2, 2))]
    allowing = json.dumps({"defaultAction": _ALLOW}, indent=1)
    assert lint(parse_profile(allowing, "oci"))[0].place == (2, 2)


def test_docker_default() -> None:
    profile = read_profile(docker_default())
    findings = lint(profile, Setting(kernel=(6, 1)))
    assert {f.call for f in findings if f.severity == Severity.ERROR} == {
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "socketcall",
    }
    assert all(f.place and f.arches for f in findings)
    ordered = [-f.severity for f in findings]
    assert ordered == sorted(ordered)
    admin = Setting(DOCKER_DEFAULT_CAPS | {"CAP_SYS_ADMIN"}, (6, 1))
    assert {"mount", "bpf", "clone", "clone3", "setns"} <= {f.call for f in lint(profile, admin)}


def test_only_the_architectures_that_are_asked_for() -> None:
    assert lint(plain(["bpf"], "amd64"))[0].arches == ("amd64",)
    assert lint(replace(DENY, architectures=(), rules=(allow("bpf"),)))[0].arches == (
        "amd64",
        "arm64",
    )
    assert lint(plain(["bpf"], "amd64"), arches=["arm64"])[0].arches == ("arm64",)
    with pytest.raises(ProfileError, match="found one for SCMP_ARCH_S390X"):
        lint(replace(DENY, architectures=("SCMP_ARCH_S390X",)))


def test_findings_are_equal_whatever_they_hold_for() -> None:
    one = Finding(Severity.NOTE, "a", "b", None, "c", "d", ("amd64",))
    assert one == replace(one, arches=("arm64",))
