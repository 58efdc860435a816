"""Where calls stand: needed, possible, impossible."""

from __future__ import annotations

import pytest

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.standing import NO_PROGRAM, Standing, doubts, standings
from gofuzzsec.syscalls.bound import Bound
from tests.seccomp.made import bound, row


def standing(
    name: str, bounds: Bound | list[Bound] | None, *, children_known: bool = False
) -> Standing:
    rows = [row("mkdirat"), row("bpf", origin="harness"), row("swapon", source="harness")]
    found = standings([name], rows, bounds, "amd64", children_known=children_known)
    return found[name].standing


@pytest.mark.parametrize("name", ["mkdirat", "execve", "rt_sigreturn"])
def test_what_was_seen_or_runtimes_and_kernel_need_is_needed_whatever_the_code_says(
    name: str,
) -> None:
    assert standing(name, bound("ptrace")) is Standing.NEEDED


def test_the_baseline_is_needed() -> None:
    found = standings(["futex", "sysfs"], [], bound(), "amd64", baseline=["sysfs"])
    assert found["sysfs"].standing is Standing.NEEDED
    assert found["sysfs"].reasons == ("Go runtime baseline",)


def test_a_closed_bound_of_the_whole_program_makes_calls_impossible() -> None:
    assert standing("ptrace", bound("kexec_load")) is Standing.IMPOSSIBLE
    assert standing("kexec_load", bound("kexec_load")) is Standing.POSSIBLE


@pytest.mark.parametrize("name", ["bpf", "swapon"])
def test_what_only_the_harness_made_is_not_needed(name: str) -> None:
    assert standing(name, bound()) is Standing.IMPOSSIBLE


def test_without_a_program_nothing_is_impossible() -> None:
    assert standing("ptrace", None) is Standing.POSSIBLE
    assert doubts([]) == (NO_PROGRAM,)


@pytest.mark.parametrize("kind", ["c-library", "cgo", "loader", "plugin", "legacy", "newer kind"])
def test_an_open_bound_makes_nothing_impossible(kind: str) -> None:
    found = standings(["ptrace"], [], bound(opens=[kind]), "amd64", children_known=True)["ptrace"]
    assert found.standing is Standing.POSSIBLE
    assert "is open" in found.reasons[0]


def test_a_number_that_cannot_be_told_makes_nothing_impossible() -> None:
    found = standings(["ptrace"], [], bound(unknown=True), "amd64")["ptrace"]
    assert found.standing is Standing.POSSIBLE
    assert "p.any /src/p.go:7" in found.reasons[0]


def test_other_programs_inherit_the_filter_unless_they_are_known() -> None:
    runs = bound("execve", opens=["exec"])
    assert standing("ptrace", runs) is Standing.POSSIBLE
    assert standing("ptrace", runs, children_known=True) is Standing.IMPOSSIBLE
    assert standing("ptrace", [runs, bound("ptrace")], children_known=True) is Standing.POSSIBLE


def test_one_open_bound_of_several_is_enough_for_doubt() -> None:
    assert standing("ptrace", [bound("read"), bound(opens=["plugin"])]) is Standing.POSSIBLE


def test_the_bound_of_a_fuzz_test_says_nothing_of_the_program() -> None:
    found = standings(["ptrace"], [], bound(roots=("example.org/m.FuzzX",)), "amd64")["ptrace"]
    assert found.standing is Standing.POSSIBLE
    assert "example.org/m.FuzzX alone" in found.reasons[0]


def test_places_of_all_programs_and_the_shortest_way_are_told() -> None:
    found = standings(["mount"], [], [bound("mount"), bound("mount")], "amd64")["mount"]
    assert found.where == ("p.mount /src/p.go:3",)
    assert found.path == ("main.main", "p.Do", "p.mount")


def test_a_program_of_another_architecture_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"expected programs for amd64.*arm64"):
        standings(["mount"], [], bound(arch="arm64"), "amd64")
