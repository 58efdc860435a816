"""Every way from one function to another is followed, and no other function is blamed for it."""

from __future__ import annotations

import pytest

from gofuzzsec.syscalls.bound import Bound, bound_of
from tests.binary.static.conftest import Graphs

WAYS = {
    "viaClosure": {"acct"},
    "viaFunctionValue": {"adjtimex"},
    "viaMethodValue": {"clock_settime"},
    "viaMethodExpression": {"delete_module"},
    "viaInterface": {"get_mempolicy"},
    "viaAssertion": {"kexec_load"},
    "viaEmbedding": {"migrate_pages"},
    "viaGenerics": {"mq_open"},
    "viaGoroutine": {"nfsservctl"},
    "viaDefer": {"perf_event_open"},
    "viaRecover": {"personality"},
    "viaSlice": {"pivot_root"},
    "viaArray": {"quotactl"},
    "viaStruct": {"reboot"},
    "viaPointers": {"request_key"},
    "viaReflection": {"setfsuid"},
    "viaLinkname": {"setfsgid"},
    "viaAssembly": {"settimeofday"},
    "viaAssemblyWrapper": {"sethostname"},
    "viaWrappers": {"setpriority"},
    "viaMethodWrapper": {"setregid"},
    "viaChoice": {
        "swapoff", "swapon", "syslog", "umount2", "vhangup", "vmsplice", "times", "tee", "sync",
        "setreuid",
    },
    "viaVariable": {"mlockall"},
}  # fmt: skip
"""The calls that each function of ``shapes`` leads to, and nothing else in the program does."""

MARKS = frozenset().union(*WAYS.values())

INITIALISED = "setdomainname"
"""A table that is filled when the program starts: in every bound."""


def bound(shapes: Graphs, kind: str, *roots: str) -> Bound:
    """The bound of ``shapes`` from functions of its."""
    return bound_of(shapes(kind), [f"main.{root}" for root in roots])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["amd64", "arm64"])
def test_each_way_leads_to_its_call_and_to_no_other(shapes: Graphs, kind: str, way: str) -> None:
    found = bound(shapes, kind, way)

    assert found.names & MARKS == WAYS[way]
    assert INITIALISED in found.names
    assert not found.is_open


@pytest.mark.parametrize("kind", ["pie", "stripped", "arm64-stripped", "oldest"])
def test_every_way_is_followed_however_the_program_was_built(shapes: Graphs, kind: str) -> None:
    graph = shapes(kind)
    for way, calls in WAYS.items():
        found = bound_of(graph, [f"main.{way}"])
        if way == "viaVariable" and "stripped" in kind:
            # Nothing tells that the variable is no part of something that is written.
            assert f"main.{way}" in {unknown.place.function for unknown in found.unknown}
        else:
            assert calls <= found.names, way


@pytest.mark.parametrize("kind", ["pie", "oldest"])
def test_symbols_keep_ways_apart(shapes: Graphs, kind: str) -> None:
    for way in ("viaInterface", "viaSlice", "viaGoroutine", "viaWrappers", "viaChoice"):
        assert bound(shapes, kind, way).names & MARKS == WAYS[way]


def test_a_function_without_calls_has_those_of_the_runtime(shapes: Graphs) -> None:
    found = bound(shapes, "amd64", "nothing")

    assert found.names & MARKS == frozenset()
    assert {"futex", "mmap", "exit_group", "rt_sigreturn", "clone"} <= found.names
    assert not found.names & {"execve", "socket", "openat2"}
    assert any("initialisation" in text for text in found.assumes)


@pytest.mark.parametrize("kind", ["amd64", "arm64", "stripped", "arm64-stripped", "pie", "oldest"])
@pytest.mark.parametrize("root", ["unknownNumber", "unknownVariable", "unknownByValue"])
def test_a_number_that_is_not_constant_is_said(shapes: Graphs, kind: str, root: str) -> None:
    found = bound(shapes, kind, root)

    assert found.is_open
    places = {unknown.place.function for unknown in found.unknown}
    # syscall.RawSyscall, called by value, makes the call that somebody asks it for.
    assert places & {f"main.{root}", "syscall.RawSyscall"}


def test_unknown_numbers_do_not_leak(shapes: Graphs) -> None:
    assert not bound(shapes, "amd64", "viaClosure").unknown
    assert not bound(shapes, "amd64", "viaMethodWrapper").unknown


def test_the_whole_program_has_it_all(shapes: Graphs) -> None:
    found = bound_of(shapes("amd64"), ["main"])

    assert found.names >= MARKS
    assert found.is_open
    assert found.reached <= found.functions


def test_the_way_is_told_function_by_function(shapes: Graphs) -> None:
    found = bound(shapes, "amd64", "viaWrappers")

    assert found.path_to("setpriority") == ("main.viaWrappers",)
    (place,) = found.call("setpriority").sites
    assert place.function == "main.viaWrappers"
    assert place.file.endswith("main.go")
    path = bound(shapes, "amd64", "viaClosure").path_to("acct")
    assert path == ("main.viaClosure", "main.viaClosure.func1")


def test_the_graph_answers_for_lists(shapes: Graphs) -> None:
    graph = shapes("amd64")
    (function,) = graph.program.functions.named("main.viaInterface")
    (quiet,) = graph.program.functions.named("main.nothing")
    (blind,) = graph.program.functions.named("main.unknownNumber")

    assert graph.reaches_syscall(function)
    assert not graph.reaches_syscall(quiet)
    assert function.address in graph.functions_reaching()
    assert 239 in graph.calls_of(function)  # get_mempolicy
    assert None in graph.calls_of(graph.program.functions.named("main.unknownVariable")[0])
    assert {f.name for f in graph.callees(function)} >= {"main.callDoer", "main.(*known).Do"}
    assert not graph.calls_of(quiet)
    assert graph.reaches_syscall(blind)
