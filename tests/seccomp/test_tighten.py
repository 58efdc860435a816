"""Existing profiles made smaller."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp import tighten as module
from gofuzzsec.seccomp.arguments import ArgumentRule
from gofuzzsec.seccomp.check import Finding, check
from gofuzzsec.seccomp.effect import allowed_names, differences, effects, verdict
from gofuzzsec.seccomp.formats import normal, read_profile
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.seccomp.resolve import Setting, resolve
from gofuzzsec.seccomp.standing import Standing
from gofuzzsec.seccomp.tighten import Change, Tightened, Unseen, Wish, tighten
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS
from tests.seccomp.made import TARGET, bound, row
from tests.seccomp.published import docker_default

AF_UNIX, AF_INET, AF_VSOCK, STREAM = 1, 2, 40, 1
ALWAYS = tuple(sorted({*OCI_RUNTIME_CALLS, *KERNEL_CALLS}))
GROWS = {"allowed", "widened", "changed"}
CLOSED = (bound("mount", "socket"),)


def profile(
    *rules: Rule, names: tuple[str, ...] = ("ptrace", "mount", "mkdirat"), **more: object
) -> Profile:
    allowed = Rule((*ALWAYS, *names), Action.ALLOW)
    fields = {"default_action": Action.ERRNO, "default_errno": 1} | more
    return Profile(rules=(allowed, *rules), **fields)  # type: ignore[arg-type]


def tightened(given_profile: Profile, *rows: SyscallRow, **wish: object) -> Tightened:
    wanted = Wish(**({"bounds": CLOSED} | wish))  # type: ignore[arg-type]
    return tighten(given_profile, tuple((TARGET, each) for each in rows), "amd64", wanted)


def change(result: Tightened, name: str) -> Change:
    (found,) = [each for each in result.changes if each.name == name]
    return found


def test_needed_stays_possible_stays_and_impossible_goes() -> None:
    result = tightened(profile(), row("mkdirat"))
    assert allowed_names(result.profile, "amd64") == {*ALWAYS, "mkdirat", "mount"}
    assert change(result, "ptrace").standing is Standing.IMPOSSIBLE
    assert (change(result, "ptrace").was, change(result, "ptrace").becomes) == (
        "allowed",
        "refused",
    )
    assert "nothing reachable" in change(result, "ptrace").why[0]
    assert not change(result, "mkdirat").changed
    assert change(result, "mount").standing is Standing.POSSIBLE
    assert not change(result, "mount").changed


def test_possible_calls_are_logged_or_denied_as_wished() -> None:
    logged = tightened(profile(), unseen=Unseen.LOG)
    assert verdict(logged.profile, "amd64", "mount").action is Action.LOG
    assert change(logged, "mount").becomes == "allowed, logged"
    assert "by way of p.mount" in change(logged, "mount").why[0]
    denied = tightened(profile(), unseen=Unseen.DENY)
    assert verdict(denied.profile, "amd64", "mount").errno == 1
    assert change(denied, "mount").becomes == "refused"
    assert verdict(denied.profile, "amd64", "execve").lets_through


@pytest.mark.parametrize(
    "bounds", [(), (bound(opens=["cgo"]),), (bound("execve", opens=["exec"]),)]
)
def test_an_open_or_missing_bound_takes_nothing_out(bounds: tuple[object, ...]) -> None:
    given_profile = profile(architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"))
    result = tightened(given_profile, row("mkdirat"), bounds=bounds)
    assert differences(given_profile, result.profile, "amd64") == ()
    assert result.profile.architectures == given_profile.architectures
    assert result.doubts
    assert not any(each.changed for each in result.changes)


def test_arguments_are_narrowed_to_what_was_seen_and_never_beyond_what_was_allowed() -> None:
    rows = [row("socket", (AF_UNIX, STREAM), count=3), row("socket", (AF_VSOCK, STREAM))]
    below = Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.LT, 38),))
    result = tightened(profile(below), *rows)
    assert verdict(result.profile, "amd64", "socket", (AF_UNIX, STREAM)).lets_through
    assert not verdict(result.profile, "amd64", "socket", (AF_INET, STREAM)).lets_through
    assert not verdict(result.profile, "amd64", "socket", (AF_VSOCK, STREAM)).lets_through
    assert "AF_UNIX SOCK_STREAM (3 times)" in change(result, "socket").why[0]
    (missing,) = result.missing
    assert (missing.name, missing.values) == ("socket", (AF_VSOCK, STREAM))


def test_arguments_stay_when_nobody_asked_or_values_are_not_known() -> None:
    everything = profile(names=("socket",))
    seen = row("socket", (AF_UNIX, STREAM))
    for result in (tightened(everything, seen, args="none"), tightened(everything, row("socket"))):
        assert effects(result.profile, "amd64")["socket"].access == "always"
    assert "not told by" in change(tightened(everything, row("socket")), "socket").why[-1]


def test_what_cannot_be_joined_stays_as_it_is() -> None:
    odd = Rule(
        ("socket",),
        Action.ALLOW,
        conditions=(Condition(0, Op.MASKED_EQ, 1 << 40, 1 << 40), Condition(1, Op.LT, 1 << 40)),
    )
    given_profile = profile(odd)
    result = tightened(given_profile, row("socket", (AF_UNIX, STREAM)))
    assert effects(result.profile, "amd64")["socket"] == effects(given_profile, "amd64")["socket"]
    assert "cannot be joined" in change(result, "socket").why[-1]


def test_a_rule_that_says_no_more_than_the_profile_changes_nothing() -> None:
    once = tightened(profile(names=("socket",)), row("socket", (AF_UNIX, STREAM)))
    again = tightened(once.profile, row("socket", (AF_UNIX, STREAM)))
    assert change(once, "socket").changed
    assert not change(again, "socket").changed
    assert normal(again.profile) == normal(once.profile)


def test_what_is_missing_is_named_and_added_only_when_asked() -> None:
    rows = [row("bpf"), row("socket", (AF_UNIX, STREAM))]
    enosys = Rule(("bpf",), Action.ERRNO, 38)
    result = tightened(profile(enosys), *rows)
    assert [(each.name, each.finding) for each in result.missing] == [
        ("socket", Finding.REFUSED),
        ("bpf", Finding.UNSURE),
    ]
    assert verdict(result.profile, "amd64", "bpf").errno == 38
    wider = tightened(profile(enosys), *rows, add_missing=True)
    assert wider.added == ("socket",)
    assert verdict(wider.profile, "amd64", "socket", (AF_UNIX, STREAM)).lets_through
    assert not verdict(wider.profile, "amd64", "socket", (AF_INET, STREAM)).lets_through
    assert "--add-missing" in change(wider, "socket").why[0]
    assert change(wider, "socket").was == "refused"


def test_missing_values_are_added_beside_those_that_were_allowed() -> None:
    inet = Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.EQ, AF_INET),))
    rows = [row("socket", (AF_UNIX, STREAM)), row("socket", (AF_INET, STREAM))]
    wider = tightened(profile(inet), *rows, add_missing=True)
    for domain in (AF_UNIX, AF_INET):
        assert verdict(wider.profile, "amd64", "socket", (domain, STREAM)).lets_through
    unknown = tightened(profile(), row("socket"), add_missing=True)
    assert effects(unknown.profile, "amd64")["socket"].access == "always"


def test_a_default_that_lets_through_stays_and_the_rest_is_refused_by_rules() -> None:
    given_profile = Profile(Action.ALLOW, rules=(Rule(("bpf",), Action.ERRNO, 1),))
    result = tightened(given_profile, row("mkdirat"), row("socket", (AF_UNIX, STREAM)))
    assert result.profile.default_action is Action.ALLOW
    assert verdict(result.profile, "amd64", "ptrace").errno == 1
    assert verdict(result.profile, "amd64", "mkdirat").lets_through
    assert effects(result.profile, "amd64")["socket"].access == "always"
    assert "under a default that lets" in change(result, "socket").why[-1]
    logged = tightened(given_profile, unseen=Unseen.LOG)
    assert verdict(logged.profile, "amd64", "mount").action is Action.LOG


def test_other_architectures_and_their_calls_go_with_a_closed_bound() -> None:
    given_profile = profile(
        names=("socketcall",), architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    )
    result = tightened(given_profile)
    assert result.profile.architectures == ("SCMP_ARCH_X86_64",)
    assert not any("socketcall" in rule.names for rule in result.profile.rules)
    assert change(result, "SCMP_ARCH_X86").becomes == "refused"


def test_rules_that_refuse_stay_and_comments_of_what_is_kept_too() -> None:
    refusal = Rule(("clone3",), Action.ERRNO, 38, comment="old kernels")
    kept = Rule(("mount", "ptrace"), Action.ALLOW, comment="ours")
    result = tightened(profile(refusal, kept, names=()))
    assert refusal in result.profile.rules
    assert any(r.names == ("mount",) and r.comment == "ours" for r in result.profile.rules)


@pytest.mark.parametrize("caps", [frozenset(), frozenset({"CAP_SYS_ADMIN"})])
def test_dockers_default_profile(caps: frozenset[str]) -> None:
    docker = resolve(read_profile(docker_default()), "amd64", Setting(caps=caps, kernel=(6, 1)))
    rows = [row("socket", (AF_UNIX, STREAM)), row("mkdirat"), row("clone", (0x50F00,))]
    result = tightened(docker, *rows, bounds=(bound("mkdirat", "kill", "splice"),))
    before, after = allowed_names(docker, "amd64"), allowed_names(result.profile, "amd64")
    assert after < before
    assert {"mkdirat", "kill", "splice", "socket", "clone", "execve"} <= after
    assert len(after) < 60 < len(before)
    assert not {each.kind for each in differences(docker, result.profile, "amd64")} & GROWS
    assert not verdict(result.profile, "amd64", "socket", (AF_INET, STREAM)).lets_through


@pytest.mark.parametrize(("domain", "seen"), [(AF_INET, AF_UNIX), (3, 3)])
def test_a_rule_that_refuses_what_is_needed_or_allows_more_is_not_used(
    monkeypatch: pytest.MonkeyPatch, domain: int, seen: int
) -> None:
    """The rules come from elsewhere; no evidence is known to make them wrong."""
    wrong = ArgumentRule("socket", ((Condition(0, Op.EQ, domain),),), ())
    monkeypatch.setattr(module, "argument_rules", lambda *_, **__: {"socket": wrong})
    monkeypatch.setattr(module, "both", lambda first, second: list(second))
    below = profile(Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.LT, 3),)))
    evidence = row("socket", (seen, STREAM))
    result = tightened(below, evidence)
    assert effects(result.profile, "amd64")["socket"] == effects(below, "amd64")["socket"]
    assert "could refuse what is needed" in change(result, "socket").why[-1]
    monkeypatch.setattr(module._Tightening, "_undone", lambda self, plans, missing: {})
    with pytest.raises(ProfileError, match="bug in gofuzzsec"):
        tightened(below, evidence)


_CALLS = ["socket", "mount", "ptrace", "personality", "clone", "mprotect", "prctl", "futex"]
_VALUES = st.sampled_from([0, 1, 2, 3, 40, 0x50F00, 0x7E020000, 0xFFFFFFFF, 1 << 32])
_CONDITIONS = st.builds(Condition, st.integers(0, 2), st.sampled_from(list(Op)), _VALUES, _VALUES)
_RULES = st.builds(
    Rule,
    st.lists(st.sampled_from(_CALLS), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from([Action.ALLOW, Action.ALLOW, Action.LOG, Action.ERRNO, Action.KILL_PROCESS]),
    conditions=st.lists(_CONDITIONS, max_size=2, unique_by=lambda c: c.arg).map(tuple),
)
_ROWS = st.builds(
    lambda name, args: row(name, args[:2] if name == "socket" else args[:1]),
    st.sampled_from(_CALLS),
    st.tuples(st.sampled_from([0, 1, 2, 7]), st.sampled_from([1, 2])),
)


@settings(max_examples=30)
@given(
    st.builds(
        Profile,
        st.sampled_from([Action.ERRNO, Action.KILL_PROCESS, Action.ALLOW]),
        rules=st.lists(_RULES, max_size=4).map(tuple),
    ),
    st.lists(_ROWS, max_size=5),
    st.builds(
        Wish,
        bounds=st.sampled_from([(), CLOSED, (bound("ptrace", opens=["cgo"]),)]),
        unseen=st.sampled_from(list(Unseen)),
        args=st.sampled_from(["safe", "all", "none"]),
    ),
)
def test_it_never_lets_through_more_and_never_refuses_what_was_needed_and_allowed(
    given_profile: Profile, rows: list[SyscallRow], wish: Wish
) -> None:
    pairs = tuple((TARGET, each) for each in rows)
    result = tighten(given_profile, pairs, "amd64", wish)
    grown = differences(given_profile, result.profile, "amd64")
    assert not {each.name for each in grown if each.kind in GROWS}
    before = {(t.name, t.values) for t in check(given_profile, pairs, "amd64")}
    after = {(t.name, t.values) for t in check(result.profile, pairs, "amd64")}
    assert after <= before
    assert result.profile.default_action is given_profile.default_action
