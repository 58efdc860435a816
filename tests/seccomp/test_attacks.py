"""Attacks: what a profile stops, what this machine stops, and what gets through."""

from __future__ import annotations

import signal
from functools import cache

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.seccomp.attacks import ATTACKS, Outcome, Stop, attempt, outcome, perform
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.syscalls import table

ARCH = table.machine_arch()
NEW_NAMESPACES = 0x7E020000

CONTAINER = (
    "acct add_key bpf clock_settime delete_module finit_module fsopen init_module io_uring_setup "
    "iopl ioperm kexec_load keyctl mount open_by_handle_at perf_event_open personality pivot_root "
    "process_vm_writev ptrace reboot sethostname setns settimeofday swapon unshare userfaultfd"
)


def container_like() -> Profile:
    """Refuses what container runtimes refuse: some calls, some arguments, one with ENOSYS."""
    return Profile(
        Action.ALLOW,
        architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
        rules=(
            Rule(tuple(CONTAINER.split()), Action.ERRNO, 1),
            Rule(("clone3",), Action.ERRNO, 38),
            Rule(("socket",), Action.ERRNO, 97, (Condition(0, Op.EQ, 40),)),
            *(
                Rule(("clone",), Action.ERRNO, 1, (Condition(0, Op.MASKED_EQ, bit, bit),))
                for bit in (1 << n for n in range(32))
                if bit & NEW_NAMESPACES
            ),
        ),
    )


@cache
def against(profile: Profile | None) -> dict[str, Outcome]:
    return {each.attack.name: each for each in attempt(profile, ARCH)}


def test_each_attack_is_one_call_that_there_is() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    for attack in ATTACKS:
        assert table.number(attack.call, "amd64") is not None, attack.name


def test_nothing_stops_them_without_a_profile() -> None:
    found = against(None)
    assert len(found) == len(ATTACKS)
    assert all(each.stop in (Stop.NOBODY, Stop.KERNEL) for each in found.values())
    assert found["ptrace"].without == "succeeds"
    assert found["unshare-mount"].stop is not Stop.PROFILE
    assert found["shell"].without == "runs"
    assert all(not each.under for each in found.values())


def test_a_profile_that_lets_all_through_stops_only_the_gates() -> None:
    found = against(Profile(Action.ALLOW))
    stopped = {name for name, each in found.items() if each.stop is Stop.PROFILE}
    assert stopped == {"x32-gate", "i386-gate"}
    assert found["i386-gate"].under == f"dies of {signal.SIGSYS.name}"
    assert found["ptrace"].got_through()
    assert not found["ptrace"].got_through(["ptrace"])
    assert not found["shell"].got_through()
    assert found["keyctl"].stop is found["process_vm_writev"].stop is Stop.NOBODY


def test_a_profile_like_a_container_runtimes() -> None:
    found = against(container_like())
    stopped = {name for name, each in found.items() if each.stop is Stop.PROFILE}
    named = {a.name for a in ATTACKS if a.call in CONTAINER.split()}
    assert stopped == named | {"clone-user", "clone3-user", "vsock-socket"}
    assert found["clone3-user"].under == "ENOSYS"
    assert found["vsock-socket"].under == "EAFNOSUPPORT"
    assert found["i386-gate"].stop is Stop.NOBODY  # the profile leaves that gate open
    assert found["raw-socket"].stop in (Stop.NOBODY, Stop.KERNEL)


@pytest.mark.parametrize("action", [Action.KILL_PROCESS, Action.KILL_THREAD, Action.TRAP])
def test_a_profile_that_kills_whatever_it_does_not_know(action: Action) -> None:
    """Nothing lies between filter and attack: not even the way out is open."""
    found = against(Profile(action, architectures=("SCMP_ARCH_X86_64",)))
    assert {each.stop for each in found.values()} == {Stop.PROFILE}
    assert {each.under for each in found.values()} == {"dies of SIGSYS"}


def test_a_call_that_the_kernel_lacks_is_not_the_profiles_merit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = [{"returned": -1, "errno": 38}, {"returned": -1, "errno": 1}, {"silent": 1}]
    monkeypatch.setattr(outcome, "ATTACKS", ATTACKS[:3])
    monkeypatch.setattr(outcome, "_perform", lambda *_: results)
    found = attempt(Profile(Action.ALLOW), ARCH)
    assert [each.stop for each in found] == [Stop.KERNEL, Stop.KERNEL, Stop.NOBODY]
    assert [each.without for each in found] == ["ENOSYS", "EPERM", "no answer"]
    found = attempt(Profile(Action.ERRNO, 97), ARCH)
    assert {each.stop for each in found} == {Stop.UNCLEAR}


def test_attacks_that_cannot_be_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "__file__", "/nonexistent/perform.py")
    with pytest.raises(RecorderError, match="carried out"):
        attempt(None, ARCH)
