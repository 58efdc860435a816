"""How complete: counted from made evidence, bounds and sights, where the answer is known."""

from __future__ import annotations

import pytest

from gofuzzsec.report.profiles.build import argument_text, completeness_text, unseen_text
from gofuzzsec.seccomp.arguments import argument_rules, unruled
from gofuzzsec.seccomp.completeness import (
    NO_SAMPLE,
    NO_SIGHTS,
    Completeness,
    Facts,
    completeness,
)
from gofuzzsec.store.model import Statements, SyscallRow
from gofuzzsec.syscalls.bound_model import Bound, Opening, Place, PossibleCall, UnknownCall

PLACE = Place("m.Copy", "/m/copy.go", 7)


def row(
    name: str, origin: str = "target", source: str = "fuzz", args: tuple[int, ...] = ()
) -> SyscallRow:
    return SyscallRow(name, origin, source, "0123", 1.0, 3, 1, False, (), "", "ok", "", args)


def possible(name: str, *path: str) -> PossibleCall:
    return PossibleCall(name, 1, (PLACE,), path or ("m.FuzzX", "m.Copy"))


def bound(*calls: PossibleCall, root: str = "m.FuzzX", **more: object) -> Bound:
    settings: dict[str, object] = {"unknown": (), "opens": (), "assumes": (), **more}
    return Bound("amd64", "go1.26", (root,), calls, reached=5, functions=9, **settings)  # type: ignore[arg-type]


COVER = {"m.FuzzX": (3, 4), "m.Copy": (2, 10), "m.Link": (0, 6)}
SIGHTS = [
    (1000, {"openat": 900, "openat (read): ok": 900, "futex": 9, "futex: ok": 9}),
    (1000, {"openat": 950, "openat (read): ok": 949, "openat (read): errno": 1}),
]


def facts(**more: object) -> Facts:
    settings: dict[str, object] = {
        "name": "m.FuzzX", "is_fuzz_test": True,
        "rows": [row("openat"), row("futex", "runtime"), row("mkdirat", "harness")], **more,
    }  # fmt: skip
    return Facts(**settings)  # type: ignore[arg-type]


def found(*targets: Facts, **more: object) -> Completeness:
    settings: dict[str, object] = {"baseline": ["futex"], "allowed": ["openat", "futex"], **more}
    return completeness(targets or (facts(),), **settings)  # type: ignore[arg-type]


def test_seen_is_what_runs_showed_beside_the_runtime_and_the_harness() -> None:
    made = found(facts(rows=[*facts().rows, row("brk", "runtime", "baseline"), row("bind")]))
    assert made.seen == ("bind", "openat")
    assert made.runtime == ("brk", "futex")
    shared = found(facts(rows=[row("futex"), row("epoll_wait", "runtime")]))
    assert shared.seen == ("epoll_wait", "futex"), "the target makes it too"


def test_what_is_reachable_and_unseen_is_grouped_by_the_function_that_holds_it() -> None:
    closed = bound(
        possible("openat"),
        possible("linkat", "m.FuzzX", "m.Link", "syscall.Linkat"),
        possible("symlinkat", "m.FuzzX", "m.Link", "syscall.Symlink"),
        possible("sendfile"),
        possible("capset"),
        possible("timer_create", "_rt0", "runtime.timer"),
    )
    made = found(facts(bound=closed, cover=COVER), allowed=["openat", "futex", "capset"])
    assert made.reach is not None and made.reach.calls == 6 and not made.of_program
    link, copy, uncounted = made.reach.unseen
    assert (link.function, link.covered, link.counters) == ("m.Link", 0, 6)
    assert [call.name for call in link.calls] == ["linkat", "symlinkat"]
    assert [(call.name, call.allowed) for call in copy.calls] == [
        ("capset", True), ("sendfile", False),
    ]  # fmt: skip
    assert (uncounted.function, [call.name for call in uncounted.calls]) == ("", ["timer_create"])
    refused = made.reach.unseen_calls(refused=True)
    assert [call.name for call in refused] == ["linkat", "symlinkat", "sendfile", "timer_create"]
    assert made.targets[0].edges == (5, 20)
    text = " ".join(completeness_text(made).split())
    assert "the code can make 6 calls; 5 of them were never seen" in text
    assert "refuses 4" in text and "m.Link (0 of 6 edges reached): linkat symlinkat" in text
    assert "where no edges are counted: timer_create" in text and "MORE ARE POSSIBLE" not in text
    every = unseen_text(made)
    assert "  capset (allowed for other reasons): m.Copy /m/copy.go:7" in every
    assert "by m.FuzzX → m.Link → syscall.Linkat" in every


def test_an_open_bound_is_said_loudly() -> None:
    opened = bound(
        possible("openat"),
        unknown=(UnknownCall(PLACE, "argument", ()), UnknownCall(PLACE, "argument", ())),
        opens=(Opening("cgo", "C", ()), Opening("exec", "execve", ()), Opening("new", "?", ())),
    )
    made = found(facts(bound=opened))
    assert made.reach is not None and len(made.reach.openings) == 4
    text = " ".join(completeness_text(made).split())
    assert "MORE ARE POSSIBLE: m.Copy /m/copy.go:7 and 1 more makes a call whose number" in text
    assert "starts other programs" in made.sentence() and "C code" in made.sentence()


def test_without_a_bound_or_sights_that_is_said() -> None:
    made = found(facts(problems=("m.FuzzX: no such \x1b[2Jpackage",)), facts(is_fuzz_test=False))
    assert made.reach is None
    assert [target.no_estimate for target in made.targets] == [NO_SIGHTS, NO_SAMPLE]
    text = " ".join(completeness_text(made).split())
    for said in (NO_SIGHTS, NO_SAMPLE, "no static bound", "no such \\x1b[2Jpackage"):
        assert said in text
    assert unseen_text(made) == ""
    assert "no static bound" in made.sentence() and "no estimate" in made.sentence()


def test_the_estimate_leaves_out_what_is_the_runtimes_own_doing() -> None:
    made = found(facts(sights=SIGHTS, statements=(("run ./m serve", Statements(5, 8)),)))
    (target,) = made.targets
    assert target.behaviours is not None and target.calls is not None
    assert (target.behaviours.whole.seen, target.behaviours.whole.once) == (2, 1)
    assert (target.calls.whole.seen, target.calls.whole.once) == (1, 0)
    assert target.behaviours.late_new == 1 and target.calls.late_new == 0
    text = " ".join(completeness_text(made).split())
    assert "2,000 random executions 2 behaviours, 1 of them new in the second half" in text
    assert "about 1 in 2,000" in text and "run ./m serve: 62.5 % of the statements" in text
    assert "too early to tell" in text, "half of the behaviours came once"
    sentence = made.sentence()
    assert "m.FuzzX: 2 behaviours in 2000 random executions" in sentence
    assert "probability 5.0e-04, at most" in sentence and "\n" not in sentence


def test_ranges_are_told_where_there_is_enough_to_tell() -> None:
    many = {f"openat (k{index}): ok": 50 + index for index in range(20)}
    made = found(facts(sights=[(5000, {**many, "openat": 900})] * 2, cover=COVER))
    text = " ".join(completeness_text(made).split())
    assert "in all with 95 % 20 to 24 behaviours and 1 to 5 calls" in text
    two = bound(possible("openat"), possible("bind"))
    closed = found(facts(sights=[(5000, {**many, "openat": 900})] * 2, bound=two))
    capped = " ".join(completeness_text(closed).split())
    assert "20 to 24 behaviours and 1 to 2 calls" in capped, "the code can make no more"
    assert "none was seen only once, with 95 % at most 1 in" in text
    assert "kept inputs reached 5 of 20 edges (25.0 %)" in text
    assert "as many executions again: about 0.0 new behaviours, with 95 % 0 to 4" in text
    assert "20 to 24 in all" in made.sentence()
    thin = found(facts(sights=[(9, {"a: ok": 1})]))
    assert "with no upper end in all" in thin.sentence()


def test_a_program_stands_for_its_fuzz_tests() -> None:
    whole = bound(possible("linkat"), possible("bind"), root="main")
    fuzzed = bound(possible("openat"))
    second = facts(name="m.FuzzY", cover={"m.Copy": (4, 10)})
    made = found(facts(bound=fuzzed, cover=COVER), second, programs=[whole])
    assert made.of_program and made.reach is not None and made.reach.roots == ("main",)
    (holder,) = made.reach.unseen
    assert (holder.function, holder.covered) == ("m.Copy", 4), "of the target that came further"
    text = " ".join(completeness_text(made).split())
    assert "the program: the code can make 2 calls" in text
    assert "the code can make 1 call; 0 of them" in text, "of the fuzz test, by itself"
    assert "calls reachable in the program" in made.sentence()


def test_long_lists_are_cut() -> None:
    calls = [possible(f"call{n}", "m.FuzzX", f"m.F{n // 20}") for n in range(400)]
    cover = {f"m.F{n}": (0, 1) for n in range(20)}
    made = found(*[facts(name=f"m.Fuzz{n}", bound=bound(*calls), cover=cover, sights=SIGHTS)
                   for n in range(5)])  # fmt: skip
    text = " ".join(completeness_text(made).split())
    assert "and 8 more" in text and "240 calls in 12 more functions (--explain lists all)" in text
    assert "2 more targets estimated" in made.sentence()


@pytest.mark.parametrize("level", ["safe", "none"])
def test_rules_on_arguments_are_told_with_their_values(level: str) -> None:
    rows = [row("socket", args=(1, 1)), row("clone"), row("ptrace", args=(0,))]
    rules = argument_rules(rows, "amd64", level)  # type: ignore[arg-type]
    why = unruled(rows, "amd64", level)  # type: ignore[arg-type]
    text = argument_text(rules, why, {"socket", "clone"})
    if level == "none":
        assert text == ""
        return
    lines = text.splitlines()
    assert lines[0].startswith("clone: any arguments: values not told by: fuzz (3)")
    assert lines[1].startswith("socket: only with arguments as seen: AF_UNIX SOCK_STREAM (3 times)")
    assert len(lines) == 2, "ptrace is not allowed"
