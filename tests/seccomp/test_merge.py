"""Merging: the union of what is let through, on each architecture by itself."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.effect import allowed_names, effects, same_effect
from gofuzzsec.seccomp.formats import parse_profile, read_profile, write_profile
from gofuzzsec.seccomp.merge import Merged, merge
from gofuzzsec.seccomp.model import (
    Action,
    ArchMap,
    Condition,
    Op,
    Profile,
    Provenance,
    Rule,
    When,
    plain,
)
from gofuzzsec.seccomp.resolve import Setting, covers, resolve
from gofuzzsec.seccomp.union import Part
from tests.seccomp.published import docker_default

AMD64, ARM64 = "SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"
DENY = Profile(Action.ERRNO, 1)


def allow(*names: str, **conditions: int) -> Rule:
    """A rule that allows *names* where arguments (``a0`` …) have these values."""
    tests = tuple(Condition(int(key[1:]), Op.EQ, value) for key, value in conditions.items())
    return Rule(names, Action.ALLOW, conditions=tests)


def merged(*profiles: Profile) -> Merged:
    return merge([Part(f"p{number}", profile) for number, profile in enumerate(profiles)])


_CONDITIONS = st.lists(
    st.builds(
        Condition,
        st.integers(0, 1),
        st.sampled_from([Op.EQ, Op.MASKED_EQ]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=2,
    unique_by=lambda condition: condition.arg,
).map(tuple)
_RULES = st.lists(
    st.builds(
        Rule,
        st.lists(st.sampled_from(["read", "openat", "socket"]), min_size=1, max_size=2).map(tuple),
        st.sampled_from([Action.ALLOW, Action.ALLOW, Action.LOG, Action.ERRNO, Action.TRAP]),
        conditions=_CONDITIONS,
    ),
    max_size=3,
).map(tuple)
_PROFILES = st.builds(
    Profile,
    st.sampled_from([Action.ERRNO, Action.KILL_PROCESS]),
    architectures=st.sampled_from([(), (AMD64,), (ARM64,), (AMD64, ARM64)]),
    rules=_RULES,
)


@given(st.lists(_PROFILES, min_size=1, max_size=3))
@settings(deadline=None, max_examples=40)
def test_it_lets_through_what_any_part_does_and_nothing_else(parts: list[Profile]) -> None:
    try:
        found = merged(*parts).profile
    except ProfileError:  # refused by name: no union, or no profile that libseccomp takes
        assume(False)
    again = parse_profile(write_profile(found, "oci").text, "oci")
    for arch in ("amd64", "arm64"):
        those = [effects(resolve(part, arch), arch) for part in parts if covers(part, arch)]
        if not those:
            continue
        whole = effects(resolve(again, arch), arch)
        for name in ("read", "openat", "socket"):
            for args in itertools.product(range(5), repeat=2):
                expected = any(part[name].verdict(args).lets_through for part in those)
                assert whole[name].verdict(args).lets_through == expected


def test_a_call_of_one_architecture_stays_there() -> None:
    found = merged(plain(["read", "getpid"], "amd64"), plain(["read", "getppid"], "arm64")).profile
    assert found.architectures == (ARM64, AMD64)
    assert allowed_names(resolve(found, "amd64"), "amd64") == {"read", "getpid"}
    assert allowed_names(resolve(found, "arm64"), "arm64") == {"read", "getppid"}
    assert [(r.names, r.includes.arches) for r in found.rules] == [
        (("read",), ()),
        (("getpid",), ("amd64",)),
        (("getppid",), ("arm64",)),
    ]
    with pytest.raises(ProfileError, match="resolve it for one architecture"):
        write_profile(replace(found, name="x"), "operator")


def test_calls_that_only_one_architecture_has_need_no_condition() -> None:
    found = merged(plain(["read", "open"], "amd64"), plain(["read", "openat"], "arm64")).profile
    assert [(r.names, r.includes.arches) for r in found.rules] == [
        (("open", "read"), ()),
        (("openat",), ("arm64",)),
    ]


def test_the_same_calls_everywhere_need_no_condition() -> None:
    found = merged(plain(["read"], "amd64"), plain(["read"], "arm64")).profile
    assert found.rules == (Rule(("read",), Action.ALLOW),)


def test_argument_rules_are_united() -> None:
    one = replace(DENY, rules=(replace(allow("socket", a0=1), comment="AF_UNIX (3)"),))
    two = replace(DENY, rules=(allow("socket", a0=2), replace(allow("socket", a0=1), comment="x")))
    found = merged(one, two).profile
    assert [(r.conditions[0].value, r.comment) for r in found.rules] == [
        (1, "AF_UNIX (3); x"),
        (2, ""),
    ]
    assert merged(one, replace(DENY, rules=(allow("socket"),))).profile.rules == (
        Rule(("socket",), Action.ALLOW, comment="AF_UNIX (3)"),
    )


def test_the_answer_of_a_refusal_is_kept_where_nobody_allows() -> None:
    enosys = Rule(("clone3",), Action.ERRNO, 38)
    one, two = replace(DENY, rules=(enosys, allow("read"))), replace(DENY, rules=(allow("read"),))
    assert enosys in merged(one, two).profile.rules
    assert merged(one, replace(DENY, rules=(allow("clone3"),))).profile.rules == (
        allow("clone3", "read"),
    )
    other = replace(DENY, rules=(Rule(("clone3",), Action.ERRNO, 1), allow("read")))
    assert "clone3 is refused in different ways" in merged(one, other).notes[0]
    kill = Rule(("socket",), Action.KILL_PROCESS, conditions=(Condition(0, Op.EQ, 40),))
    mixed = replace(DENY, rules=(kill, allow("socket", a0=1)))
    assert merged(mixed, mixed).profile.rules == mixed.rules
    found = merged(mixed, replace(DENY, rules=(allow("socket", a0=2),)))
    assert "refusals of socket" in found.notes[0]
    assert all(rule.action == Action.ALLOW for rule in found.profile.rules)


def test_writing_down_is_kept_only_where_all_do() -> None:
    log = replace(DENY, rules=(Rule(("read",), Action.LOG),))
    assert merged(log, log).profile.rules[0].action == Action.LOG
    assert merged(log, replace(DENY, rules=(allow("read"),))).profile.rules == (allow("read"),)


def test_the_strictest_default_holds_and_is_told() -> None:
    kill = Profile(Action.KILL_PROCESS, rules=(allow("read"),))
    found = merged(DENY, kill)
    assert found.profile.default_action == Action.KILL_PROCESS
    assert found.notes == (
        "what nothing allows now ends with SCMP_ACT_KILL_PROCESS; in p0 it was SCMP_ACT_ERRNO (1)",
    )
    with pytest.raises(ProfileError, match="refuse by default, found p1 with SCMP_ACT_LOG"):
        merged(DENY, Profile(Action.LOG))


def test_provenance_of_all_is_kept() -> None:
    one = plain(["read"], "amd64", Provenance((("tool", "a"), ("build-id", "1"))))
    found = merged(one, plain(["write"], "amd64", Provenance((("tool", "a"),)))).profile
    assert found.provenance.entries == (
        ("merged", "p0"),
        ("tool", "a"),
        ("build-id", "1"),
        ("merged", "p1"),
        ("tool", "a"),
    )
    text = write_profile(found, "oci").text
    assert parse_profile(text, "oci").provenance == found.provenance


def test_flags_and_listeners() -> None:
    flags = "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
    one = replace(DENY, flags=flags, listener_path="/a", name="x")
    found = merged(one, replace(DENY, name="x")).profile
    assert found.flags == ("SECCOMP_FILTER_FLAG_LOG",)
    assert (found.listener_path, found.name) == ("/a", "x")
    assert merged(one, one).profile.flags == flags
    with pytest.raises(ProfileError, match="expected one listener path"):
        merged(one, replace(DENY, listener_path="/b"))


def test_a_gate_that_one_keeps_shut_gets_none_of_its_calls() -> None:
    shut = plain(["read", "write"], "amd64")
    gated = replace(plain(["read"], "amd64"), architectures=(AMD64, "SCMP_ARCH_X86"))
    with pytest.raises(ProfileError, match=r"SCMP_ARCH_X86 in p1 only: merged, p0's write would"):
        merged(shut, gated)
    found = merged(plain(["read"], "amd64"), gated).profile
    assert found.architectures == ("SCMP_ARCH_X86", AMD64)
    other = replace(plain(["read", "chown32"], "arm64"), architectures=(ARM64, "SCMP_ARCH_ARM"))
    both = merged(gated, other).profile
    assert both.arch_map == (
        ArchMap(ARM64, ("SCMP_ARCH_ARM",)),
        ArchMap(AMD64, ("SCMP_ARCH_X86",)),
    )
    assert replace(allow("chown32"), includes=When(arches=("arm64",))) in both.rules


def test_docker_default_merged_with_itself_is_itself() -> None:
    found = read_profile(docker_default())
    setting = Setting(kernel=(6, 1))
    both = merge([Part("a", found), Part("b", found)], setting)
    assert "SCMP_ARCH_S390X" in both.notes[0]
    for arch in ("amd64", "arm64"):
        assert same_effect(
            resolve(found, arch, setting), resolve(both.profile, arch, setting), arch
        )


def test_what_has_no_union_is_an_error() -> None:
    with pytest.raises(ProfileError, match="expected at least one profile"):
        merge([])
    with pytest.raises(ProfileError, match="expected profiles for amd64 or arm64"):
        merged(replace(DENY, architectures=("SCMP_ARCH_S390X",)))
    twice = (Condition(0, Op.NE, 1), Condition(0, Op.NE, 2))
    odd = replace(DENY, rules=(Rule(("read",), Action.ALLOW, conditions=twice),))
    assert merged(odd).profile.rules
    bad = replace(DENY, rules=(allow("read", a0=1), Rule(("read",), Action.ERRNO, 4095)))
    with pytest.raises(ProfileError, match=r"^p1: "):
        merged(DENY, bad)


def test_rules_that_libseccomp_would_twist_are_refused() -> None:
    """Alone each means what it says; beside each other they do not (see `compiled`)."""
    one = Rule(("read",), Action.ALLOW, conditions=(Condition(0, Op.NE, 0),))
    two = Rule(("read",), Action.ALLOW, conditions=(Condition(0, Op.NE, 1), Condition(1, Op.NE, 0)))
    with pytest.raises(ProfileError, match="expected rules of read that can be united"):
        merged(replace(DENY, rules=(one,)), replace(DENY, rules=(two,)))
