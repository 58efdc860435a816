"""A profile against evidence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.check import Finding, Trouble, check, known_bits, possible_verdicts
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.effect import effects, verdict
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule, When, plain
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS
from tests.seccomp.made import TARGET, row

AF_UNIX, AF_INET, STREAM, CLOEXEC = 1, 2, 1, 0x80000
ALWAYS = (*OCI_RUNTIME_CALLS, *KERNEL_CALLS)


def profile(*rules: Rule, names: Sequence[str] = ALWAYS, default: Action = Action.ERRNO) -> Profile:
    allowed = Rule(tuple(names), Action.ALLOW)
    return Profile(default, 1 if default is Action.ERRNO else None, rules=(allowed, *rules))


def troubles(given_profile: Profile, *rows: SyscallRow) -> tuple[Trouble, ...]:
    return check(given_profile, [(TARGET, each) for each in rows], "amd64")


def only_unix(op: Op = Op.EQ) -> Rule:
    condition = Condition(0, op, AF_UNIX) if op is Op.EQ else Condition(0, op, 7, AF_UNIX)
    return Rule(("socket",), Action.ALLOW, conditions=(condition,))


def test_nothing_is_wrong_with_a_profile_that_allows_it_all() -> None:
    assert troubles(profile(names=(*ALWAYS, "mkdirat")), row("mkdirat")) == ()


def test_a_needed_call_without_a_rule_is_refused_and_the_earliest_evidence_comes_first() -> None:
    late, early = row("mkdirat", first_at=9.0), row("mkdirat", source="tests", first_at=2.0)
    (found,) = troubles(profile(), late, early)
    assert (found.name, found.finding, found.verdict) == (
        "mkdirat",
        Finding.REFUSED,
        Verdict(Action.ERRNO, 1),
    )
    assert found.evidence == ((TARGET, early), (TARGET, late))
    assert found.doubt == ""


@pytest.mark.parametrize("action", [Action.LOG, Action.ALLOW])
def test_a_call_that_is_logged_is_let_through(action: Action) -> None:
    assert troubles(profile(Rule(("mkdirat",), action)), row("mkdirat")) == ()
    assert troubles(profile(default=action), row("mkdirat")) == ()


def test_calls_of_the_harness_are_not_needed() -> None:
    rows = [row("bpf", origin="harness"), row("swapon", source="harness")]
    assert troubles(profile(), *rows) == ()


@pytest.mark.parametrize("op", [Op.EQ, Op.MASKED_EQ])
def test_values_that_are_known_are_tried(op: Op) -> None:
    rules = profile(only_unix(op))
    assert troubles(rules, row("socket", (AF_UNIX, STREAM))) == ()
    (found,) = troubles(rules, row("socket", (AF_INET, STREAM)))
    assert (found.finding, found.values) == (Finding.REFUSED, (AF_INET, STREAM))
    assert found.witness[0] == AF_INET


def test_values_that_are_not_known_are_a_doubt_where_they_decide() -> None:
    (found,) = troubles(profile(only_unix()), row("socket"))
    assert found.finding is Finding.UNSURE
    assert "its arguments are not known" in found.doubt
    assert not verdict(profile(only_unix()), "amd64", "socket", found.witness).lets_through
    assert troubles(profile(names=(*ALWAYS, "socket")), row("socket")) == ()
    (found,) = troubles(profile(), row("socket"))
    assert found.finding is Finding.REFUSED


def test_bits_that_evidence_leaves_out_are_a_doubt_where_they_decide() -> None:
    no_cloexec = Condition(1, Op.MASKED_EQ, CLOEXEC, 0)
    rules = profile(Rule(("socket",), Action.ALLOW, conditions=(no_cloexec,)))
    (found,) = troubles(rules, row("socket", (AF_UNIX, STREAM)))
    assert found.finding is Finding.UNSURE
    assert "part of its arguments" in found.doubt
    assert found.witness[1] & CLOEXEC


def test_refusals_come_before_doubts() -> None:
    rows = [row("socket"), row("swapon")]
    found = troubles(profile(only_unix()), *rows)
    assert [(each.name, each.finding) for each in found] == [
        ("swapon", Finding.REFUSED),
        ("socket", Finding.UNSURE),
    ]


def test_what_no_recording_has_to_show_is_needed_too() -> None:
    names = [name for name in ALWAYS if name not in ("execve", "rt_sigreturn", "getrandom")]
    found = check(profile(names=names), [], "amd64", baseline=["madvise"])
    told = {each.name: (each.finding, each.reason.partition(" (")[0]) for each in found}
    assert told == {
        "execve": (Finding.REFUSED, "the container runtime"),
        "rt_sigreturn": (Finding.REFUSED, "the kernel"),
        "madvise": (Finding.REFUSED, "the Go runtime"),
        "getrandom": (Finding.UNSURE, "the kernel"),
    }


def test_a_call_refused_for_the_program_and_the_container_runtime_is_told_once() -> None:
    names = [name for name in ALWAYS if name != "execve"]
    (found,) = troubles(profile(names=names), row("execve"))
    assert found.evidence


def test_enosys_is_what_an_older_kernel_says() -> None:
    rules = profile(Rule(("clone3",), Action.ERRNO, 38))
    (found,) = troubles(rules, row("clone3"))
    assert found.finding is Finding.UNSURE
    assert "older kernel" in found.doubt


@pytest.mark.parametrize("action", [Action.NOTIFY, Action.TRACE])
def test_another_process_may_allow_it(action: Action) -> None:
    (found,) = troubles(profile(Rule(("bpf",), action)), row("bpf"))
    assert (found.finding, "another process" in found.doubt) == (Finding.UNSURE, True)


def test_probes_are_not_the_programs() -> None:
    names = [name for name in ALWAYS if name not in ("uprobe", "uretprobe")]
    assert troubles(profile(names=names)) == ()


def test_a_profile_that_is_not_resolved_is_refused() -> None:
    conditional = profile(Rule(("bpf",), Action.ALLOW, includes=When(caps=("CAP_BPF",))))
    with pytest.raises(ProfileError, match="resolve"):
        troubles(conditional)


def test_evidence_of_another_architecture_is_refused() -> None:
    with pytest.raises(ProfileError, match="arm64"):
        check(plain([], "arm64"), [(TARGET, row("open"))], "arm64")


_VALUES = st.sampled_from([0, 1, 2, 40, 0xFFFFFFFF]) | st.integers(0, 50)
_CONDITIONS = st.builds(Condition, st.integers(0, 1), st.sampled_from(list(Op)), _VALUES, _VALUES)


@given(
    st.lists(st.lists(_CONDITIONS, min_size=1, max_size=2).map(tuple), max_size=3),
    st.tuples(_VALUES, _VALUES),
    st.sampled_from([0, CLOEXEC, 0x800]),
)
def test_the_verdict_on_real_arguments_is_always_among_the_possible(
    alternatives: list[tuple[Condition, ...]], values: tuple[int, int], left_out: int
) -> None:
    rules = [Rule(("socket",), Action.ALLOW, conditions=each) for each in alternatives]
    given_profile = profile(*rules)
    domain, kind = values[0], values[1] & ~0x80800
    effect = effects(given_profile, "amd64")["socket"]
    possible = dict(possible_verdicts(effect.decision, known_bits("socket", (domain, kind))))
    real = verdict(given_profile, "amd64", "socket", (domain, kind | left_out))
    assert real in possible
    for each, witness in possible.items():
        assert effect.verdict(witness) == each
        assert witness[:1] == (domain,) or not witness
