"""Why a call is needed, or is not, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gofuzzsec.report.profiles.explain import explanation_fields, explanation_text
from gofuzzsec.seccomp.decision import Access
from gofuzzsec.seccomp.explain import Explanation, explain, sights_of
from gofuzzsec.seccomp.reproduce import Reproduction
from gofuzzsec.seccomp.standing import standings
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.bound import Bound
from tests.seccomp.made import STACK, TARGET, bound, row

OTHER = replace(TARGET, id=2, name="FuzzY")
AGAIN = Reproduction(("go test .",), "gofuzzsec capture --tests .", "a note")


def explained(
    name: str,
    *rows: SyscallRow,
    of: Bound | None = None,
    cover: dict[str, tuple[int, int]] | None = None,
    access: Access | None = None,
    baseline: tuple[str, ...] = (),
) -> Explanation:
    standing = standings([name], rows, of, "amd64", baseline=baseline)[name]
    sights = sights_of([(TARGET, each) for each in rows], lambda target, row: AGAIN)
    return explain(standing, sights.get(name, ()), cover=cover or {}, access=access)


def test_sights_are_told_by_source_and_maker_with_all_forms() -> None:
    rows = [
        row("socket", (2, 1), kind="inet", outcome="refused", count=1, first_at=9.0, stack=()),
        row("socket", (1, 1), kind="unix", count=5, first_at=2.0, first_input="aa"),
        row("socket", source="tests", first_at=5.0),
        row("socket", origin="runtime", first_at=1.0),
    ]
    found = sights_of([(TARGET, each) for each in rows], lambda target, row: AGAIN)["socket"]
    assert [(each.source, each.origin) for each in found] == [
        ("tests", "target"),
        ("fuzz", "runtime"),
        ("fuzz", "target"),
    ]
    fuzz = found[2]
    assert (fuzz.count, fuzz.first_input, fuzz.stack) == (6, "aa", STACK)
    assert [(form.kind, form.args, form.outcome, form.count) for form in fuzz.forms] == [
        ("unix", (1, 1), "ok", 5),
        ("inet", (2, 1), "refused", 1),
    ]


def test_what_is_stored_with_each_target_is_told_once() -> None:
    tests, start = row("openat", source="tests"), row("openat", source="baseline")
    pairs = [(target, each) for target in (TARGET, OTHER) for each in (tests, start)]
    found = sights_of(pairs, lambda target, row: AGAIN)["openat"]
    assert [(each.source, each.target) for each in found] == [
        ("tests", "example.org/m.FuzzX"),
        ("baseline", "example.org/m.FuzzX"),
    ]


def test_a_campaigns_processes_are_told_of_only_where_nothing_else_shows_the_call() -> None:
    rows = [row("bind", source="campaign"), row("listen", source="campaign"), row("bind")]
    found = sights_of([(TARGET, each) for each in rows], lambda target, row: AGAIN)
    assert [each.source for each in found["bind"]] == ["fuzz"]
    assert [each.source for each in found["listen"]] == ["campaign"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row("bind")], "bind is needed: fuzzing showed that the program makes it."),
        (
            [row("bind", source="tests"), row("bind", origin="unknown")],
            "bind is needed: hand-written tests and fuzzing showed that the program makes it.",
        ),
        ([row("bind", origin="unknown")], "bind is needed: fuzzing showed that it is made."),
        (
            [row("bind", unstable=True)],
            "bind is needed: fuzzing showed that the program makes it, though only in one of an "
            "input's two runs.",
        ),
        (
            [row("bind", outcome="refused")],
            "bind is needed: fuzzing showed that the program makes it, though it was refused each "
            "time.",
        ),
        (
            [row("bind", origin="runtime")],
            "bind is needed by the Go runtime itself, whatever the program does.",
        ),
    ],
)
def test_the_verdict_on_a_needed_call_says_what_needs_it(
    rows: list[SyscallRow], sentence: str
) -> None:
    assert explained("bind", *rows).verdict == sentence


def test_calls_of_runtimes_and_kernel_say_so() -> None:
    assert explained("capset").verdict == (
        "capset is needed by the container runtime; the program was not seen making it."
    )
    assert explained("capset").besides == ("container runtime: both drop capabilities",)
    assert "needed by the kernel;" in explained("rt_sigreturn").verdict
    assert "by the Go runtime itself" in explained("madvise", baseline=("madvise",)).verdict


def test_the_verdict_on_an_unseen_call_says_how_near_inputs_came() -> None:
    of = bound("mount")
    assert "whether the code on the way ran was not measured" in explained("mount", of=of).verdict
    some = {"main.main": (0, 4), "p.Do": (3, 4), "p.mount": (0, 2)}
    assert explained("mount", of=of, cover=some).verdict == (
        "mount is possible: nothing recorded made it, but p.mount /src/p.go:3 can; on the way, no "
        "kept input ever ran p.mount."
    )
    every = some | {"p.mount": (1, 2)}
    assert "all 2 measured functions" in explained("mount", of=of, cover=every).verdict


def test_what_nobody_can_rule_out_and_what_is_impossible() -> None:
    assert "no program is given" in explained("bpf").verdict
    doubted = explained("bpf", of=bound(opens=["cgo"])).verdict
    assert "no code that can be followed makes it; it cannot be ruled out, because" in doubted
    assert explained("bpf", of=bound()).verdict.startswith("bpf is impossible: nothing reachable")


@pytest.mark.parametrize(
    ("rows", "access", "ending"),
    [
        ([row("bind")], "never", "will not do what it was seen to do."),
        ([row("bind")], "some", "says whether those are enough."),
        ([row("bind")], "always", "makes it."),
        ([], "always", "`gofuzzsec profile tighten` takes it out."),
        ([], "never", "nothing else needs it."),
    ],
)
def test_what_the_profile_does_is_part_of_the_verdict(
    rows: list[SyscallRow], access: Access, ending: str
) -> None:
    assert explained("bind", *rows, of=bound(), access=access).verdict.endswith(ending)


def test_a_possible_call_that_the_profile_refuses() -> None:
    found = explained("bind", of=bound("bind"), access="never")
    assert found.verdict.endswith("The profile refuses it.")


def test_the_text_names_command_note_arrow_and_forms() -> None:
    found = explained("socket", row("socket", (1, 1), kind="unix", count=2), access="some")
    text = explanation_text(found, "amd64", {"example.org/m"})
    assert text.splitlines()[0] == "socket: NEEDED; the profile allows it for some arguments"
    assert "    (unix) AF_UNIX SOCK_STREAM ok: 2 calls" in text
    assert "    → example.org/m.(*job).run /src/m/job.go:12" in text
    assert "    $ go test ." in text
    assert "    to see socket itself: gofuzzsec capture --tests ." in text
    assert "    (a note)" in text


def test_hostile_text_cannot_drive_the_terminal() -> None:
    evil = "\x1b[2J"
    bad = row("bind", source="integration", label=evil, stack=(f"main.{evil} /x.go:1",), kind=evil)
    text = explanation_text(explained("bind", bad), "amd64")
    assert evil not in text
    assert "\\x1b[2J" in text


def test_deep_stacks_and_many_forms_are_cut_in_text_and_whole_in_json() -> None:
    stack = tuple(f"example.org/m.f{i} /src/m/f.go:{i}" for i in range(60))
    rows = [row("bind", kind=f"k{i:02}", stack=stack) for i in range(20)]
    found = explained("bind", *rows)
    text = explanation_text(found, "amd64")
    assert "… 20 more frames" in text
    assert "… 8 more forms" in text
    fields = explanation_fields(found)
    assert len(fields["sights"][0]["forms"]) == 20  # type: ignore[index]


def test_the_harness_is_left_out_where_others_made_the_call() -> None:
    rows = [row("bind", origin="harness", source="tests"), row("bind")]
    assert "made by harness" not in explanation_text(explained("bind", *rows), "amd64")
    alone = explained("bind", rows[0], of=bound())
    assert "made by harness" in explanation_text(alone, "amd64")


def test_the_way_shows_what_ran_and_how_many_places_there_are() -> None:
    of = bound("mount")
    call = replace(of.calls[0], sites=of.calls[0].sites * 2)
    two = replace(call, sites=(call.sites[0], replace(call.sites[0], line=9)))
    found = explained("mount", of=replace(of, calls=(two,)), cover={"p.Do": (1, 3)})
    text = explanation_text(found, "amd64")
    assert "    p.Do  [1 of 3 edges]" in text
    assert "    made at p.mount /src/p.go:3 and 1 more place" in text
