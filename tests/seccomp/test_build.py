"""What goes into a profile, why, what is warned of, and the file's form."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp import BuiltProfile, build_profile, document
from gofuzzsec.seccomp.arguments import argument_rules
from gofuzzsec.seccomp.formats import parse_profile, write_profile
from gofuzzsec.seccomp.model import Action, Provenance
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import DECIDING
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS
from tests.seccomp.published import oci_seccomp_validator


def row(
    name: str,
    origin: str = "target",
    source: str = "fuzz",
    *,
    first: str = "0123456789abcdef",
    unstable: bool = False,
    kind: str = "",
    outcome: str = "ok",
    label: str = "",
    args: tuple[int, ...] = (),
) -> SyscallRow:
    return SyscallRow(
        name, origin, source, first, 1.0, 3, 1, unstable, (), kind, outcome, label, args
    )


def build(
    rows: Iterable[SyscallRow],
    baseline: Iterable[str] = ("futex",),
    oci: Iterable[str] = ("execve",),
    arch: str = "amd64",
    unrecorded: int = 0,
) -> BuiltProfile:
    return build_profile(list(rows), baseline=baseline, oci=oci, arch=arch, unrecorded=unrecorded)


def text_of(built: BuiltProfile) -> str:
    return write_profile(document(built), "oci").text


def reasons(profile: BuiltProfile, name: str) -> tuple[str, ...]:
    return next((call.reasons for call in profile.calls if call.name == name), ())


def test_every_allowed_call_says_who_needs_it() -> None:
    profile = build(
        [
            row("mkdirat"),
            row("mkdirat", source="tests", first=""),
            row("openat", origin="runtime"),
            row("futex", source="baseline", origin="runtime", first=""),
        ],
        oci=["execve", "futex"],
    )
    assert profile.names == tuple(
        sorted({"mkdirat", "openat", "futex", "execve"} | KERNEL_CALLS.keys())
    )
    assert reasons(profile, "mkdirat") == ("fuzz 0123456789abcdef", "tests")
    assert reasons(profile, "openat") == ("fuzz 0123456789abcdef, Go runtime",)
    assert reasons(profile, "futex") == ("Go runtime baseline", "container runtime")
    assert reasons(profile, "restart_syscall")[0].startswith("kernel: ")
    assert profile.warnings == ()


def test_the_harness_is_no_reason() -> None:
    profile = build(
        [
            row("unlinkat", origin="harness"),
            row("mkdirat", origin="harness"),
            row("mkdirat"),
            row("chroot", source="harness"),
        ]
    )
    assert "unlinkat" not in profile.names
    assert "chroot" not in profile.names
    assert "mkdirat" in profile.names
    assert profile.left_out == ("unlinkat",)


def test_doubtful_evidence_is_allowed_and_warned_of() -> None:
    profile = build(
        [
            row("mkdirat", unstable=True),
            row("openat", unstable=True),
            row("openat", source="seeds"),
            row("chdir", origin="unknown"),
            row("rmdir", origin="unknown"),
            row("rmdir"),
            row("futex", origin="unknown"),
        ]
    )
    assert {"mkdirat", "openat", "chdir", "rmdir"} <= set(profile.names)
    assert "unstable" in reasons(profile, "mkdirat")[0]
    assert "maker unknown" in reasons(profile, "chdir")[0]
    unstable, unknown = profile.warnings
    assert unstable.endswith("runs: mkdirat")
    assert unknown.endswith("made them: chdir")  # futex is the runtime's in any program


def test_missing_evidence_is_warned_of_loudly() -> None:
    (warning,) = build([row("mkdirat")], unrecorded=1).warnings
    assert warning.startswith("EVIDENCE INCOMPLETE: 1 kept input is")
    nothing = build([], baseline=[], unrecorded=12).warnings
    assert len(nothing) == 3
    assert "12 kept inputs are" in nothing[0]
    assert "fuzz with capture on" in nothing[1]
    assert "baseline" in nothing[2]
    many = build(row(name, unstable=True) for name in sorted(table.names("amd64"))[:40]).warnings
    assert many[0].endswith("and 28 more")


def test_kinds_and_outcomes_are_told_where_they_say_something() -> None:
    profile = build(
        [
            row("socket", kind="unix"),
            row("socket", kind="inet", outcome="refused"),
            row("mkdirat", outcome="failed"),
            row("getpid", outcome="untold"),
        ]
    )
    assert reasons(profile, "socket") == ("fuzz 0123456789abcdef [inet refused, unix ok]",)
    assert reasons(profile, "mkdirat") == ("fuzz 0123456789abcdef [failed]",)
    assert reasons(profile, "getpid") == ("fuzz 0123456789abcdef",)


def test_what_was_only_ever_refused_is_allowed_and_marked() -> None:
    profile = build(
        [
            row("clone3", outcome="refused"),
            row("clone3", source="tests", first="", kind="thread", outcome="refused"),
            row("chroot", outcome="refused"),
            row("chroot", source="tests", first=""),
            row("ptrace", outcome="refused", origin="harness"),
            row("setns", outcome="refused"),
            row("setns", origin="harness"),
            row("futex", outcome="refused"),
            row("brk", outcome="refused"),
            row("brk", source="baseline", origin="runtime"),
        ]
    )
    marked = [call.name for call in profile.calls if any("refused;" in r for r in call.reasons)]
    assert marked == ["clone3", "setns"]
    assert reasons(profile, "clone3")[-1] == (
        "tried and refused; allowed so that the program behaves the same"
    )


def test_what_no_kept_input_shows_is_allowed_and_named() -> None:
    profile = build(
        [
            row("bind", source="campaign", first="", label="run 1"),
            row("mkdirat", source="campaign", first=""),
            row("mkdirat"),
            row("futex", source="campaign", first="", origin="runtime"),
            row("unlinkat", source="campaign", first="", origin="harness"),
            row("listen", source="integration", first="", label="./m serve"),
        ]
    )
    assert reasons(profile, "bind") == ("campaign run 1, no kept input",)
    assert reasons(profile, "mkdirat") == ("fuzz 0123456789abcdef",)
    assert reasons(profile, "futex") == (
        "campaign, no kept input, Go runtime",
        "Go runtime baseline",
    )
    assert reasons(profile, "listen") == ("integration ./m serve",)
    assert profile.left_out == ("unlinkat",)
    (warning,) = profile.warnings
    assert warning.endswith("although no kept input shows them: bind")


def test_incomplete_recordings_make_no_complete_profile() -> None:
    rows = [row("mkdirat")]
    (one,) = build_profile(rows, baseline=["futex"], oci=[], arch="amd64", incomplete=1).warnings
    assert one.startswith("NOT A COMPLETE PROFILE: 1 recording may miss calls")
    both = build_profile(
        rows, baseline=["futex"], oci=[], arch="amd64", incomplete=7, unrecorded=1
    ).warnings
    assert [text.partition(":")[0] for text in both] == [
        "EVIDENCE INCOMPLETE",
        "NOT A COMPLETE PROFILE",
    ]


@pytest.mark.parametrize(
    ("arch", "name"), [("amd64", "teleport"), ("arm64", "open"), ("arm64", "arch_prctl")]
)
def test_a_call_the_architecture_has_not_is_an_error(arch: str, name: str) -> None:
    for rows, baseline, oci in (([row(name)], [], []), ([], [name], []), ([], [], [name])):
        with pytest.raises(ProfileError, match=name):
            build(rows, baseline, oci, arch)


def test_another_architecture_is_an_error() -> None:
    with pytest.raises(ProfileError, match="riscv64"):
        build([], arch="riscv64")


@pytest.mark.parametrize(
    ("arch", "scmp"), [("amd64", "SCMP_ARCH_X86_64"), ("arm64", "SCMP_ARCH_AARCH64")]
)
def test_the_file_is_what_the_specification_says(arch: str, scmp: str) -> None:
    profile = build([row("mkdirat")], oci=OCI_RUNTIME_CALLS, arch=arch)
    found = json.loads(text_of(profile))
    oci_seccomp_validator().validate(found)
    assert found["defaultAction"] == "SCMP_ACT_ERRNO"
    assert found["defaultErrnoRet"] == 1
    assert found["architectures"] == [scmp]
    (entry,) = found["syscalls"]
    assert entry["action"] == "SCMP_ACT_ALLOW"
    assert entry["names"] == sorted(set(entry["names"]))
    assert ("uretprobe" in entry["names"]) is (arch == "amd64")


def test_rules_on_arguments_and_provenance_are_in_the_profile() -> None:
    assert [each.label for each in DECIDING["socket"]] == ["domain", "type"]
    rows = [row("socket", args=(1, 1)), row("socket", args=(2, 2)), row("mkdirat")]
    built = build(rows)
    told = Provenance((("tool", "gofuzzsec 0.1.0"), ("completeness", "2 calls seen; no bound")))
    profile = document(built, argument_rules(rows, "amd64", "safe"), told)
    assert profile.provenance == told and profile.default_action is Action.ERRNO
    plain, *ruled = profile.rules
    assert "socket" not in plain.names and "mkdirat" in plain.names and not plain.conditions
    assert {rule.names for rule in ruled} == {("socket",)} and len(ruled) > 1
    assert all(rule.action is Action.ALLOW for rule in ruled)
    for args, allowed in (((1, 1), True), ((2, 2), True), ((17, 3), False), ((16, 3), False)):
        assert any(all(c.holds(args) for c in rule.conditions) for rule in ruled) is allowed
    back = parse_profile(write_profile(profile, "oci").text, "oci")
    assert back.provenance == told and len(back.rules) == len(profile.rules)


def test_a_profile_of_ruled_calls_alone_has_no_empty_rule() -> None:
    built = build_profile([row("socket", args=(1, 1))], baseline=[], oci=[], arch="amd64")
    every = {call.name: rule for call in built.calls for rule in [
        argument_rules([row("socket", args=(1, 1))], "amd64", "safe")["socket"]
    ]}  # fmt: skip
    assert all(rule.names and rule.conditions for rule in document(built, every).rules)


ROWS = st.lists(
    st.builds(
        row,
        st.sampled_from(sorted(table.names("amd64"))),
        st.sampled_from(["target", "runtime", "harness", "unknown"]),
        st.sampled_from(["tests", "seeds", "fuzz", "baseline", "harness", "campaign"]),
        unstable=st.booleans(),
        kind=st.sampled_from(["", "unix"]),
        outcome=st.sampled_from(["ok", "refused", "untold"]),
    )
)


@given(rows=ROWS, shuffled=st.randoms())
def test_the_same_evidence_gives_the_same_file(rows: list[SyscallRow], shuffled: object) -> None:
    profile = build(rows)
    again = list(rows)
    shuffled.shuffle(again)  # type: ignore[attr-defined]
    assert text_of(build(again)) == text_of(profile)
    allowed = set(profile.names)
    for each in rows:
        needed = each.origin != "harness" and each.source != "harness"
        assert not needed or each.name in allowed
    assert not allowed & set(profile.left_out)
    assert all(call.reasons for call in profile.calls)
