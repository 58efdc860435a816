"""What a profile does, held against the programs that libseccomp makes of it."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gofuzzsec.errors import ProfileError, RecorderError
from gofuzzsec.seccomp.effect import (
    CallEffect,
    Verdict,
    allowed_names,
    default_verdict,
    differences,
    effects,
    named_effects,
    same_effect,
    verdict,
)
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.execution import AUDIT_ARCH
from gofuzzsec.seccomp.install import install
from gofuzzsec.seccomp.model import Action, ArchMap, Condition, Op, Profile, Rule, When, plain
from gofuzzsec.seccomp.regions import Effort, regions
from gofuzzsec.syscalls import table
from tests.seccomp.bpf_machine import run

MOST = (1 << 64) - 1
EPERM = Verdict(Action.ERRNO, 1)
ALLOW = Verdict(Action.ALLOW)
CALL = "socket"
CODES = {
    Action.KILL_PROCESS: 0x80000000,
    Action.KILL_THREAD: 0,
    Action.TRAP: 0x00030000,
    Action.ERRNO: 0x00050000,
    Action.NOTIFY: 0x7FC00000,
    Action.TRACE: 0x7FF00000,
    Action.LOG: 0x7FFC0000,
    Action.ALLOW: 0x7FFF0000,
}

VALUES = st.one_of(
    st.integers(0, 7),
    st.sampled_from([0xFFFFFFFF, 1 << 32, (1 << 32) + 1, MOST, MOST - 1, 0x80000000]),
    st.integers(0, MOST),
)
OPS = st.sampled_from([Op.EQ, Op.EQ, Op.EQ, Op.MASKED_EQ, Op.MASKED_EQ, *Op])
CONDITIONS = st.builds(Condition, st.integers(0, 2), OPS, VALUES, VALUES)
ACTIONS = st.sampled_from(
    [
        (Action.ALLOW, None),
        (Action.ERRNO, 1),
        (Action.ERRNO, None),
        (Action.ERRNO, 38),
        (Action.LOG, None),
        (Action.KILL_PROCESS, None),
        (Action.KILL_THREAD, None),
        (Action.TRACE, 7),
        (Action.TRAP, None),
    ]
)


def rule(
    action: Action, *conditions: Condition, errno: int | None = None, name: str = CALL
) -> Rule:
    return Rule((name,), action, errno, conditions)


def profile(*rules: Rule, default: Action = Action.ERRNO, errno: int | None = None) -> Profile:
    return Profile(default, errno, rules=rules)


@st.composite
def rules(draw: st.DrawFn, few: bool = False) -> Rule:
    action, errno = (Action.ALLOW, None) if few else draw(ACTIONS)
    conditions = draw(st.lists(CONDITIONS, max_size=3))
    return Rule((CALL,), action, errno, tuple(conditions))


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    few = draw(st.booleans())  # what allows only, as real profiles; or anything at all
    action, errno = draw(ACTIONS)
    return Profile(action, errno, rules=tuple(draw(st.lists(rules(few), max_size=4))))


ARGS = st.tuples(VALUES, VALUES, VALUES)


def code(found: Verdict) -> int:
    return CODES[found.action] | (found.errno or 0)


def judged(made: bytes, args: tuple[int, ...]) -> int:
    arch = table.machine_arch()
    number = table.number(CALL, arch)
    assert number is not None
    return run(made, AUDIT_ARCH[arch], number, args)


def witnesses(effect: CallEffect) -> list[tuple[int, ...]]:
    tests = [tests for tests, _ in effect.decision.cases]
    return [region.witness for region in regions(tests, Effort())]


NOT_ZERO = Condition(0, Op.NE, 0)
TWISTED = profile(
    rule(Action.ALLOW, NOT_ZERO),
    rule(Action.ALLOW, Condition(0, Op.NE, 1), Condition(1, Op.NE, 0)),
)
DISPUTED = profile(
    rule(Action.ALLOW, Condition(0, Op.NE, 1)),
    rule(Action.ERRNO, Condition(0, Op.NE, 2), errno=5),
)


@settings(max_examples=150, deadline=None)
@given(profiles(), st.lists(ARGS, min_size=3, max_size=8))
@example(TWISTED, [(2, 0, 0), (2, 1, 0)])
@example(DISPUTED, [(3, 0, 0), (1 << 32, 0, 0)])
def test_the_kernel_gets_a_program_that_does_the_same(
    made: Profile, more: list[tuple[int, ...]]
) -> None:
    arch = table.machine_arch()
    try:
        program = compile_filter(made, arch).program
    except ProfileError:
        with pytest.raises(ProfileError):
            effects(made, arch)
        return
    effect = effects(made, arch)[CALL]
    near = [
        tuple((value + step) & MOST for value, step in zip(args, steps, strict=False))
        for args in witnesses(effect)
        for steps in ((1, 0, 0), (-1, 1, 1), (1 << 32, 0, -1))
    ]
    for args in (*witnesses(effect), *more, *near):
        assert code(effect.verdict(args)) == judged(program, args), args
        assert code(verdict(made, arch, CALL, args)) == judged(program, args), args


@settings(max_examples=80, deadline=None)
@given(profiles(), profiles(), st.lists(ARGS, min_size=5, max_size=10))
def test_differences_are_those_of_the_programs(
    before: Profile, after: Profile, more: list[tuple[int, ...]]
) -> None:
    arch = table.machine_arch()
    try:
        first = compile_filter(before, arch).program
        second = compile_filter(after, arch).program
    except ProfileError:
        return
    found = {each.name: each for each in differences(before, after, arch)}
    difference = found.get(CALL)
    assert difference or not found or default_verdict(before) != default_verdict(after)
    for departure in difference.departures if difference else ():
        assert judged(first, departure.args) == code(departure.before) != code(departure.after)
        assert judged(second, departure.args) == code(departure.after)
    near = witnesses(effects(before, arch)[CALL]) + witnesses(effects(after, arch)[CALL])
    tried = {(judged(first, args), judged(second, args)) for args in (*near, *more)}
    told = {(code(d.before), code(d.after)) for d in (difference.departures if difference else ())}
    assert {pair for pair in tried if pair[0] != pair[1]} <= told
    again = {each.name for each in differences(after, before, arch)}
    assert again == found.keys()


NARROW = profile(rule(Action.ALLOW, Condition(0, Op.EQ, 1)))
FAMILIES = profile(*(rule(Action.ALLOW, Condition(0, Op.EQ, value)) for value in (1, 2, 10)))
ALL = profile(rule(Action.ALLOW))
NONE = profile()


@pytest.mark.parametrize(
    ("before", "after", "kind", "witness"),
    [
        (NONE, ALL, "allowed", ()),
        (NONE, NARROW, "allowed", (1,)),
        (NARROW, FAMILIES, "widened", (2,)),
        (FAMILIES, NARROW, "narrowed", (2,)),
        (FAMILIES, NONE, "refused", (1,)),
        (NARROW, profile(rule(Action.ALLOW, Condition(0, Op.EQ, 2))), "changed", (2,)),
        (NONE, profile(rule(Action.ERRNO, errno=38)), "answer", ()),
        (ALL, profile(rule(Action.LOG)), "answer", ()),
        (FAMILIES, profile(rule(Action.ALLOW, Condition(0, Op.LE, MOST))), "widened", (0,)),
    ],
)
def test_how_a_call_changed_has_a_name_and_a_witness(
    before: Profile, after: Profile, kind: str, witness: tuple[int, ...]
) -> None:
    (difference,) = differences(before, after, "amd64")
    assert (difference.name, difference.kind, difference.witness_args) == (CALL, kind, witness)
    assert difference.before == verdict(before, "amd64", CALL, witness)
    assert difference.after == verdict(after, "amd64", CALL, witness)
    assert not same_effect(before, after, "amd64")


def test_every_case_of_a_difference_is_there() -> None:
    (difference,) = differences(NARROW, FAMILIES, "amd64")
    assert [each.args for each in difference.departures] == [(2,), (10,)]
    assert difference.tested == (0,)


def test_order_grouping_and_redundancy_are_no_difference() -> None:
    scattered = profile(
        rule(Action.ALLOW, Condition(0, Op.EQ, 10)),
        rule(Action.ALLOW, Condition(0, Op.EQ, 2)),
        rule(Action.ERRNO, Condition(0, Op.EQ, 1)),  # as the default: no rule
        rule(Action.ALLOW, Condition(0, Op.MASKED_EQ, MOST, 1)),
        rule(Action.ALLOW, Condition(0, Op.EQ, 2)),
        rule(Action.ALLOW, name="no_such_call"),
    )
    assert same_effect(scattered, FAMILIES, "amd64")
    masked = profile(rule(Action.ALLOW, Condition(0, Op.MASKED_EQ, 0, 0)))
    assert same_effect(masked, ALL, "amd64")


def test_a_repeated_argument_makes_alternatives_as_in_runc() -> None:
    between = profile(rule(Action.ALLOW, Condition(0, Op.EQ, 3), Condition(0, Op.EQ, 5)))
    effect = effects(between, "amd64")[CALL]
    assert [effect.verdict((n,)) == ALLOW for n in (3, 4, 5)] == [True, False, True]


def test_access_is_exact() -> None:
    both = [rule(Action.ALLOW, Condition(0, op, 7)) for op in (Op.EQ, Op.NE)]
    whole = effects(profile(*both), "amd64")
    assert whole[CALL].access == "always"
    assert whole["read"].access == "never"
    assert effects(NARROW, "amd64")[CALL].access == "some"
    never = profile(rule(Action.ERRNO, Condition(0, Op.EQ, 1), errno=9))
    assert effects(never, "amd64")[CALL].access == "never"
    assert allowed_names(NARROW, "amd64") == {CALL}


def test_calls_the_architecture_has_not() -> None:
    odd = plain(["open", "read"], "arm64")
    assert "open" not in effects(odd, "arm64")
    assert verdict(odd, "arm64", "open") == EPERM
    assert verdict(odd, "arm64", "read") == ALLOW
    assert set(effects(odd, "amd64")) == table.names("amd64")


def test_only_resolved_profiles_have_an_effect() -> None:
    conditional = Rule((CALL,), Action.ALLOW, includes=When(caps=("CAP_SYS_ADMIN",)))
    for made in (
        Profile(Action.ERRNO, rules=(conditional,)),
        Profile(Action.ERRNO, arch_map=(ArchMap("SCMP_ARCH_X86_64", ()),)),
    ):
        with pytest.raises(ProfileError, match="resolve it"):
            effects(made, "amd64")


def test_what_libseccomp_refuses_is_an_error_that_says_so() -> None:
    same = Condition(0, Op.EQ, 1)
    contradiction = profile(rule(Action.ALLOW, same), rule(Action.ERRNO, same, errno=5))
    with pytest.raises(ProfileError, match=f"rule for {CALL}"):
        effects(contradiction, "amd64")
    for errno in (4095, 70000):
        with pytest.raises(ProfileError, match="errno"):
            effects(profile(rule(Action.ERRNO, errno=errno)), "amd64")


def test_rules_from_which_libseccomp_does_not_return() -> None:
    first = Condition(0, Op.LE, 5)
    endless = profile(
        rule(Action.ALLOW, first, Condition(2, Op.LE, 7)),
        rule(Action.ALLOW, first, Condition(2, Op.EQ, 7)),
    )
    with pytest.raises(ProfileError, match="does not return"):
        effects(endless, "amd64")
    harmless = profile(
        rule(Action.ALLOW, first, Condition(2, Op.EQ, 7)),
        rule(Action.ALLOW, Condition(0, Op.LE, 3), Condition(2, Op.EQ, 8)),
    )
    assert effects(harmless, "amd64")[CALL].verdict((5, 0, 7)) == ALLOW


def test_entangled_masks_end_with_an_error() -> None:
    triples = [0b111 << shift for shift in range(60)]
    masked = [Condition(0, Op.MASKED_EQ, mask * 5 & MOST, mask & mask * 5) for mask in triples]
    with pytest.raises(ProfileError, match="combinations"):
        differences(NONE, profile(*(rule(Action.ALLOW, each) for each in masked)), "amd64")


def test_many_alternatives_are_fast_enough_to_tell() -> None:
    values = [rule(Action.ALLOW, Condition(1, Op.EQ, 7919 * n)) for n in range(1000)]
    (difference,) = differences(profile(*values[:-1]), profile(*values), "amd64")
    assert (difference.kind, difference.witness_args) == ("widened", (0, 7919 * 999))


def test_regions_of_masks_and_orders_are_those_that_exist() -> None:
    tests = effects(
        profile(
            rule(Action.ALLOW, Condition(0, Op.MASKED_EQ, 3, 1)),
            rule(Action.ALLOW, Condition(0, Op.MASKED_EQ, 1, 0)),
        ),
        "amd64",
    )[CALL].decision.cases
    found = regions([tests for tests, _ in tests], Effort())
    assert {region.holding for region in found} == {0b01, 0b10, 0b00}
    assert {region.witness for region in found} == {(0,), (1,), (3,)}


def test_calls_of_other_architectures_have_stand_ins() -> None:
    twisted = tuple(
        Rule(("socketcall", "open"), each.action, each.errno, each.conditions)
        for each in TWISTED.rules
    )
    found = named_effects(profile(*twisted))
    here = effects(TWISTED, "amd64")[CALL]
    for name in ("socketcall", "open"):
        assert found[name].tree is not None
        for args in ((0, 0), (2, 0), (2, 1), (1, 1), (1, 0)):
            assert found[name].verdict(args) == here.verdict(args)


def test_more_rules_than_libseccomp_is_given() -> None:
    many = [rule(Action.ALLOW, Condition(0, Op.NE, value)) for value in range(101)]
    with pytest.raises(ProfileError, match="at most 100 rules"):
        effects(profile(*many), "amd64")


@pytest.mark.parametrize("python", ["/bin/false", "/none/such"])
def test_a_trial_that_cannot_be_made_is_an_error(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    first = Condition(0, Op.GE, 123_456)  # rules that no other test has: answers are remembered
    doubtful = profile(
        rule(Action.ALLOW, first, Condition(2, Op.LE, 7)),
        rule(Action.ALLOW, first, Condition(2, Op.LE, 8)),
    )
    with pytest.raises(RecorderError, match="to try rules"):
        effects(doubtful, "amd64")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.lists(CONDITIONS, max_size=2), st.integers(1, 99)), max_size=3),
    st.lists(ARGS, min_size=3, max_size=6),
)
def test_the_kernel_answers_so(
    given_rules: list[tuple[list[Condition], int]], more: list[tuple[int, ...]]
) -> None:
    """Calls really made under the filter; sched_yield looks at no argument."""
    arch = table.machine_arch()
    made = profile(
        *(
            rule(Action.ERRNO, *conditions, errno=errno, name="sched_yield")
            for conditions, errno in given_rules
        ),
        default=Action.ALLOW,
    )
    try:
        effect = effects(made, arch)["sched_yield"]
    except ProfileError:
        return
    tried = [*witnesses(effect), *more]
    expected = [effect.verdict(args).errno or 0 for args in tried]
    assert answers_under(compile_filter(made, arch).program, tried) == expected


def answers_under(program: bytes, calls: list[tuple[int, ...]]) -> list[int]:
    """The errno of sched_yield with each of *calls* in a child that has *program* as its filter."""
    number = table.number("sched_yield", table.machine_arch())
    assert number is not None
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        install(program)
        found = bytearray()
        for args in calls:
            six = [ctypes.c_uint64(each) for each in (*args, 0, 0, 0)[:6]]
            refused = libc.syscall(ctypes.c_long(number), *six) != 0
            found.append(ctypes.get_errno() if refused else 0)
        os.write(writer, bytes(found))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        told = answers.read()
    os.waitpid(child, 0)
    return list(told)
