"""Rules on arguments: what evidence they need, what they let through, and that the kernel does."""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gofuzzsec.seccomp.argument_policy import SAFE, WHY_NOT, Exact
from gofuzzsec.seccomp.arguments import (
    LEVELS,
    MOST_ALTERNATIVES,
    ArgumentRule,
    Level,
    argument_rules,
    unruled,
)
from gofuzzsec.seccomp.bpf import parse_bpf
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.execution import decision_of
from gofuzzsec.seccomp.install import install
from gofuzzsec.seccomp.model import Action, Op, Profile, Rule
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import DECIDING
from gofuzzsec.syscalls.oci import OCI_RUNTIME_CALLS, OCI_VALUES

ARCH = table.machine_arch()
DENIED = errno.EL2NSYNC  # no call of these tests fails so by itself
EXEC, NEWUSER, NEWNET = 4, 0x10000000, 0x40000000


def row(
    name: str, *args: int, source: str = "fuzz", count: int = 1, origin: str = "target"
) -> SyscallRow:
    return SyscallRow(name, origin, source, "", 1.0, count, 1, False, (), args=args)


def rule(name: str, *seen: tuple[int, ...], level: Level = "safe") -> ArgumentRule:
    """The rule for *name* when the evidence shows the values *seen*."""
    rows = [row(name, *values) for values in seen]
    return argument_rules(rows, ARCH, level)[name]


def lets(found: ArgumentRule, *args: int) -> bool:
    return any(all(each.holds(args) for each in case) for case in found.alternatives)


def why_not(name: str, *rows: SyscallRow, level: Level = "safe", **others: Sequence[str]) -> str:
    assert name not in argument_rules(rows, ARCH, level, **others)
    return unruled(rows, ARCH, level, **others)[name]


# -- what a rule lets through ---------------------------------------------------------------------


def test_a_rule_says_what_was_seen_and_how_often() -> None:
    rows = [row("socket", 1, 1, count=3), row("socket", 1, 1, source="tests"), row("socket", 17, 3)]
    found = argument_rules(rows, "amd64", "safe")["socket"]
    assert [(each.text, each.values, each.count) for each in found.seen] == [
        ("AF_UNIX SOCK_STREAM", (1, 1), 4),
        ("AF_PACKET SOCK_RAW", (17, 3), 1),
    ]
    assert found.text == (
        "seen: AF_UNIX SOCK_STREAM (4 times), AF_PACKET SOCK_RAW (1 time); "
        "besides: AF_UNIX SOCK_DGRAM"
    )
    assert [(each.values, each.count) for each in found.besides] == [((1, 2), 0)]
    first, *others = found.rules()
    assert (first.names, first.action, first.comment) == (("socket",), Action.ALLOW, found.text)
    assert all(not each.comment for each in others)
    assert tuple(each.conditions for each in found.rules()) == found.alternatives


def test_what_only_a_removed_input_showed_still_counts() -> None:
    found = argument_rules([row("setns", NEWNET, count=0)], ARCH, "safe")["setns"]
    assert "CLONE_NEWNET (no kept recording)" in found.text
    assert lets(found, 3, NEWNET)


def test_long_lists_are_cut_in_words_only() -> None:
    found = rule("setsockopt", *((0, option) for option in range(1, 11)))
    assert found.text.endswith("IP_RECVOPTS (1 time) and 4 more")
    assert len(found.alternatives) == 10


def test_upper_halves_of_registers_do_not_matter() -> None:
    garbage = 0xDEADBEEF << 32
    found = rule("prctl", (15,))
    assert lets(found, garbage | 15)
    assert not lets(found, garbage | 22)
    assert {each.op for case in found.alternatives for each in case} == {Op.MASKED_EQ}


def test_close_on_exec_of_a_socket_does_not_matter() -> None:
    found = rule("socket", (1, 5))
    for flags in (0, 0x80000, 0x800, 0x80800):
        assert lets(found, 1, 5 | flags)
    assert not lets(found, 1, 5 | 0x1000)
    assert not lets(found, 1, 3)


def test_internet_families_go_together_and_raw_sockets_do_not() -> None:
    found = rule("socket", (2, 1))
    assert all(lets(found, family, kind) for family in (2, 10) for kind in (1, 2))
    assert not any(lets(found, *args) for args in ((2, 3), (10, 3), (1, 1), (17, 3)))
    assert [each.values for each in found.seen] == [(2, 1)]


def test_what_go_sets_by_itself_goes_together() -> None:
    found = rule("setsockopt", (1, 2))  # a listener on IPv4 that nobody ever called
    assert lets(found, 3, 41, 26)
    assert lets(found, 3, 6, 1)
    assert not lets(found, 3, 1, 26)
    assert not lets(rule("setsockopt", (1, 7)), 3, 6, 1)


def test_new_namespaces_are_refused_and_threads_are_not() -> None:
    found = rule("clone", (0x50F00,), (0x4111,))
    assert lets(found, 0x11)
    assert lets(found, 0x1200011)
    assert not lets(found, NEWUSER | 0x11)
    assert not lets(found, NEWNET | 0x11)
    jailer = rule("clone", (NEWNET | 0x11,))
    assert lets(jailer, NEWNET | 0x11)
    assert not lets(jailer, NEWNET | NEWUSER | 0x11)


@pytest.mark.parametrize(("name", "at"), [("mmap", 2), ("mprotect", 2), ("pkey_mprotect", 2)])
def test_memory(name: str, at: int) -> None:
    def seen(*prots: int) -> list[tuple[int, ...]]:
        return [(prot, 0x22)[: len(DECIDING[name])] for prot in prots]

    never = rule(name, *seen(0, 1, 3))
    assert [lets(never, 0, 0, prot) for prot in range(8)] == [True] * 4 + [False] * 4
    some = rule(name, *seen(3, 5))
    assert [lets(some, 0, 0, prot) for prot in range(8)] == [True] * 6 + [False] * 2
    both = [row(name, *values) for values in seen(7)]
    assert why_not(name, *both) == "memory that is writable and executable was seen"
    assert never.alternatives[0][0].arg == at


def test_all_that_could_be_forbidden_was_seen() -> None:
    everything = 0x7E020000
    assert why_not("clone", row("clone", everything)) == "all it could forbid was seen"


def test_levels() -> None:
    rows = [row("prctl", 15), row("lseek", 0), row("lseek", 1)]
    assert list(argument_rules(rows, ARCH, "safe")) == ["prctl"]
    assert list(argument_rules(rows, ARCH, "all")) == ["lseek", "prctl"]
    assert not argument_rules(rows, ARCH, "none")
    assert not unruled(rows, ARCH, "none")
    found = rule("lseek", (0,), (1,), level="all")
    assert [lets(found, 0, 0, whence) for whence in range(4)] == [True, True, False, False]


# -- when there is none ---------------------------------------------------------------------------


def test_one_row_that_does_not_tell_is_enough() -> None:
    told = row("prctl", 15, count=9)
    silent = row("prctl", source="tests", count=2)
    assert why_not("prctl", told, silent).startswith("values not told by: tests (2); record again")
    assert "baseline" in why_not("prctl", told, row("prctl", source="baseline", origin="runtime"))


def test_values_of_another_table_are_not_told() -> None:
    """Of a store that another gofuzzsec made, or somebody's hand."""
    assert "not told" in why_not("socket", row("socket", 1, 0x80001))
    assert "not told" in why_not("socket", row("socket", 1))
    assert "not told" in why_not("prctl", row("prctl", 1, 2))


def test_the_harness_does_not_count() -> None:
    told = row("prctl", 15)
    harness = row("prctl", origin="harness"), row("prctl", 22, source="harness")
    found = argument_rules([told, *harness], ARCH, "safe")["prctl"]
    assert not lets(found, 22)
    assert argument_rules(harness, ARCH, "safe") == {}


def test_what_the_container_runtime_does() -> None:
    found = rule("prctl", (15,))
    assert all(lets(found, option) for option in (8, 24, 47))
    alone = argument_rules([row("prctl", 15)], ARCH, "safe", oci=())["prctl"]
    assert not any(lets(alone, option) for option in (8, 24, 47))
    why = why_not("openat", row("openat", 0), level="all")
    assert why == "the container runtime makes it too, with values that are not known"
    assert "openat" in argument_rules([row("openat", 0)], ARCH, "all", oci=())
    for name, values in OCI_VALUES.items():
        assert name in OCI_RUNTIME_CALLS
        assert {len(each) for each in values} == {len(DECIDING[name])}


def test_what_the_kernel_and_others_do() -> None:
    assert "the kernel decides" in why_not("getrandom", row("getrandom", 0), level="all")
    assert "besides the evidence" in why_not("setns", row("setns", 0), untold=["setns"])
    assert "behind a pointer" in why_not("clone3", row("clone3"))


def test_too_many_values_are_data() -> None:
    for level in LEVELS[:2]:
        most = MOST_ALTERNATIVES[level]
        rows = [row("setsockopt", 0, option) for option in range(most + 1)]
        assert why_not("setsockopt", *rows, level=level).startswith(f"{most + 1} different values")
        assert "setsockopt" in argument_rules(rows[:-1], ARCH, level)


def test_what_is_left_to_the_level_all_says_why() -> None:
    assert why_not("bpf", row("bpf", 5)) == f"left to --args all: {WHY_NOT['bpf']}"
    assert "may change with" in why_not("lseek", row("lseek", 0))
    assert "read" not in unruled([row("read")], ARCH, "all")


def test_calls_of_another_architecture_have_none() -> None:
    assert argument_rules([row("arch_prctl", 0x1002)], "arm64", "all") == {}
    assert "arch_prctl" in argument_rules([row("arch_prctl", 0x1002)], "amd64", "all")


def test_the_policy_is_about_calls_with_values() -> None:
    assert set(SAFE) | set(WHY_NOT) <= set(DECIDING)
    assert not set(SAFE) & set(WHY_NOT)
    for name, policy in SAFE.items():
        assert policy.why
        if isinstance(policy, Exact):
            values = [*policy.always, *(value for group in policy.together for value in group)]
            assert all(len(value) == len(DECIDING[name]) for value in values)


# -- what libseccomp and the kernel make of it ----------------------------------------------------


def profile_of(*rules: ArgumentRule) -> Profile:
    """Everything is let through, the calls of *rules* as far as they say."""
    others = table.names(ARCH) - {each.name for each in rules}
    free = Rule(tuple(sorted(others)), Action.ALLOW)
    return Profile(Action.ERRNO, DENIED, rules=(free, *(r for each in rules for r in each.rules())))


_WORDS = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 10, 15, 16, 38, 0x22, 0x5401, 0x541B, NEWUSER])
_ARGS = st.tuples(*[st.one_of(_WORDS, st.integers(0, 2**64 - 1)) for _ in range(4)])


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(name for name in SAFE if table.number(name, ARCH) is not None)),
    seen=st.lists(st.tuples(_WORDS, _WORDS), min_size=1, max_size=6),
    asked=st.lists(_ARGS, min_size=1, max_size=20),
)
def test_libseccomp_makes_of_it_what_it_says(
    name: str, seen: list[tuple[int, int]], asked: list[tuple[int, ...]]
) -> None:
    specs = DECIDING[name]
    rows = [
        row(name, *(v & each.mask for v, each in zip(pair, specs, strict=False))) for pair in seen
    ]
    rules = argument_rules(rows, ARCH, "safe")
    if name not in rules:
        assert name in unruled(rows, ARCH, "safe")
        return
    program = parse_bpf(compile_filter(profile_of(rules[name]), ARCH).program)
    made = decision_of(program, ARCH, name)
    shown = [registers(name, each.args) for each in rows]
    for args in [*shown, *asked]:
        verdict = made.verdict(args)
        assert verdict.action.lets_through == lets(rules[name], *args), (args, rules[name])
    assert all(lets(rules[name], *args) for args in shown)


def registers(name: str, values: Sequence[int]) -> tuple[int, ...]:
    """Arguments of *name* that show *values*, with garbage in the upper halves."""
    args = [0, 0, 0, 0]
    for each, value in zip(DECIDING[name], values, strict=True):
        args[each.arg] = value | 7 << 40
    return tuple(args)


def in_a_child(profile: Profile, calls: Sequence[tuple[str, tuple[int, ...]]]) -> list[bool]:
    """Which of *calls* the kernel lets through under *profile*, made in a process of their own."""
    compiled = compile_filter(profile, ARCH)
    numbers = [table.number(name, ARCH) for name, _ in calls]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            install(compiled.program, compiled.flags)
            made = ctypes.CDLL(None, use_errno=True).syscall
            through = []
            for number, (_, args) in zip(numbers, calls, strict=True):
                ctypes.set_errno(0)
                made(ctypes.c_long(number or -1), *map(ctypes.c_ulong, args))
                through.append(ctypes.get_errno() != DENIED)
            os.write(writing, json.dumps(through).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    found: list[bool] = json.loads(answer)
    return found


def test_the_kernel_lets_through_just_what_was_seen() -> None:
    rules = (
        rule("socket", (1, 1), (16, 3)),
        rule("prctl", (15,), (16,)),
        rule("mprotect", (0,), (3,)),
        rule("mmap", (3, 0x22)),
        rule("clone", (0x50F00,)),
        rule("unshare", (0x200,)),
        rule("setns", (NEWNET,)),
        rule("ioctl", (0x5413,)),
        rule("setsockopt", (1, 2)),
        rule("getsockopt", (1, 3)),
        rule("keyctl", (0,)),
    )
    nowhere, garbage = 2**64 - 1, 0x5A5A5A5A << 32
    asked: list[tuple[str, tuple[int, ...], bool]] = [
        ("socket", (1, 1 | 0x80000, 0), True),
        ("socket", (garbage | 1, garbage | 1, 0), True),
        ("socket", (16, 3, 0), True),
        ("socket", (2, 1, 0), False),
        ("socket", (17, 3, 0), False),
        ("socket", (1, 5, 0), False),
        ("prctl", (garbage | 16, 0, 0, 0, 0), True),
        ("prctl", (3, 0, 0, 0, 0), False),
        ("mprotect", (0, 0, 3), True),
        ("mprotect", (0, 0, 0x01000000 | 3), True),
        ("mprotect", (0, 0, 5), False),
        ("mmap", (0, 0, 1, 0x22, nowhere, 0), True),
        ("mmap", (0, 0, garbage | EXEC, 0x22, nowhere, 0), False),
        ("clone", (0x800, 0, 0, 0, 0), True),  # CLONE_SIGHAND without CLONE_VM: no process is made
        ("clone", (NEWUSER | 0x800, 0, 0, 0, 0), False),
        ("unshare", (0,), True),
        ("unshare", (NEWUSER,), False),
        ("unshare", (0x80,), False),
        ("setns", (nowhere, NEWNET), True),
        ("setns", (nowhere, NEWUSER), False),
        ("ioctl", (nowhere, garbage | 0x5401, 0), True),
        ("ioctl", (nowhere, 0x5412, 0), False),  # TIOCSTI
        ("setsockopt", (nowhere, 1, 2, 0, 0), True),
        ("setsockopt", (nowhere, 1, 26, 0, 0), False),
        ("getsockopt", (nowhere, 1, 4, 0, 0), True),
        ("getsockopt", (nowhere, 6, 1, 0, 0), False),
        ("keyctl", (0, 0, 0), True),
        ("keyctl", (11, 0, 0), False),
        ("getppid", (), True),
    ]
    found = in_a_child(profile_of(*rules), [(name, args) for name, args, _ in asked])
    wrong = [each for each, through in zip(asked, found, strict=True) if each[2] != through]
    assert wrong == []
