"""What a profile refuses, for people and for GitHub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gofuzzsec.report.profiles.check import check_github, check_text, code_line, trouble_fields
from gofuzzsec.seccomp.check import Trouble, check
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS
from tests.seccomp.made import STACK, TARGET, row

ROOT = Path("/src")


def troubles(*rows: SyscallRow, allow: tuple[Rule, ...] = ()) -> tuple[Trouble, ...]:
    always = Rule((*OCI_RUNTIME_CALLS, *KERNEL_CALLS), Action.ALLOW)
    profile = Profile(Action.ERRNO, 1, rules=(always, *allow))
    return check(profile, [(TARGET, each) for each in rows], "amd64")


def test_an_annotation_is_one_line_whatever_the_evidence_says() -> None:
    stack = ("example.org/m.f /src/m/a,b:c%.go:7",)
    bad = row("bpf", source="integration", label="x\n::set-env name=A::b%0A", stack=stack)
    (line,) = check_github(troubles(bad), "p.json", "amd64", ROOT).splitlines()
    assert line.startswith("::error file=m/a%2Cb%3Ac%25.go,line=7,title=seccomp%3A bpf::bpf is ")
    assert "x ::set-env name=A::b%250A" in line


def test_a_doubt_is_a_warning_and_what_has_no_line_has_none() -> None:
    unix = Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.EQ, 1),))
    found = troubles(row("socket", stack=()), allow=(unix,))
    (line,) = check_github(found, "p.json", "amd64", ROOT).splitlines()
    assert line.startswith("::warning title=seccomp%3A socket::socket is needed by an input that ")
    assert "may not allow it" in line


def test_one_annotation_for_each_line_of_code() -> None:
    elsewhere = ("example.org/m.other /src/m/other.go:5",)
    rows = [
        row("bpf"),
        row("bpf", source="tests"),
        row("bpf", source="seeds", stack=elsewhere),
        row("bpf", source="campaign", stack=()),
    ]
    lines = check_github(troubles(*rows), "p.json", "amd64", ROOT).splitlines()
    assert [line.partition(",line=")[2].partition(",")[0] for line in lines] == ["12", "5"]


def test_nothing_wrong_says_nothing_to_github() -> None:
    assert check_github((), "p.json", "amd64", ROOT) == ""
    assert check_text((), "p.json", "amd64", ROOT) == (
        "p.json allows everything that the evidence needs"
    )


def test_lines_are_found_in_the_module_and_told_from_the_root() -> None:
    assert str(code_line(TARGET, row("bpf"), ROOT)) == "m/job.go:12 (example.org/m.(*job).run)"
    assert code_line(TARGET, row("bpf"), Path("/elsewhere")).file == "/src/m/job.go"
    trimmed = row("bpf", stack=("example.org/m.f example.org/m/sub/f.go:3",))
    assert code_line(TARGET, trimmed, ROOT).file == "m/sub/f.go"
    assert str(code_line(TARGET, row("bpf", stack=STACK[:2]), ROOT)) == ""
    bare = row("bpf", stack=("example.org/m.f",))
    assert str(code_line(TARGET, bare, ROOT)) == "example.org/m.f"
    program = row("bpf", source="integration", stack=("main.main /src/m/cmd/main.go:8",))
    assert code_line(TARGET, program, ROOT).number == 8


def test_text_names_who_and_where_and_counts() -> None:
    unix = Rule(("socket",), Action.ALLOW, conditions=(Condition(0, Op.EQ, 1),))
    kill = Rule(("bpf",), Action.KILL_PROCESS)
    rows = [row("socket"), *(row("bpf", first_input=f"{i:016x}") for i in range(20))]
    text = check_text(troubles(*rows, allow=(unix, kill)), "p.json", "amd64", ROOT)
    assert "REFUSED: bpf: the profile answers KILL_PROCESS" in text
    assert "  and by 8 more" in text
    assert "    from m/job.go:12 (example.org/m.(*job).run)" in text
    assert "UNSURE: socket: the profile answers errno 1" in text
    assert text.endswith("p.json REFUSES 1 call that the evidence needs, and perhaps 1 more")
    doubtful = check_text(troubles(row("socket"), allow=(unix,)), "p.json", "amd64", ROOT)
    assert doubtful.endswith("as far as can be told: 1 call in doubt")


def test_json_has_every_piece_of_evidence() -> None:
    rows = [row("socket", (2, 1)), row("socket", (2, 1), source="campaign", label="today")]
    (found,) = troubles(*rows)
    fields = trouble_fields(found, "amd64", ROOT)
    assert (fields["call"], fields["words"], fields["errno"]) == (
        "socket",
        "AF_INET SOCK_STREAM",
        1,
    )
    assert [need["label"] for need in fields["needed_by"]] == ["", "today"]  # type: ignore[attr-defined]
    only = replace(found, evidence=(), reason="the kernel")
    assert "needed by the kernel" in check_text([only], "p.json", "amd64", ROOT)
