"""Commands that read a campaign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.corpus.format import file_name
from gofuzzsec.store import Statements, Store
from gofuzzsec.syscalls.model import CallOutcome, Origin, Recording, SyscallUse
from tests.cli.conftest import Run, entry


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    "command",
    [
        ("corpus", "list"),
        ("corpus", "check"),
        ("corpus", "export", "--to", "out"),
        ("corpus", "minimize"),
        ("crashes", "list"),
        ("crashes", "show", "0123"),
        ("crashes", "replay", "0123"),
        ("syscalls",),
        ("profile", "build", "-o", "-"),
    ],
)
def test_without_a_campaign_each_says_how_to_start_one(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == 3
    assert result.stderr.startswith("gofuzzsec: error: ")
    assert "gofuzzsec fuzz" in result.stderr
    assert not (Path.cwd() / ".gofuzzsec").exists()


def test_corpus_list(run: Run, campaign: Path) -> None:
    result = run("corpus", "list", "--campaign", str(campaign))
    assert result.exit_code == 0
    name = file_name(entry(b"three"))
    assert lines(result.stdout)[1:] == [
        f"{file_name(entry(b'one'))} example.org/m.FuzzParse seed-add seed 30 B 1.5µs 2 recorded",
        f"{file_name(entry(b'two'))} example.org/m.FuzzParse seed-testdata seed 30 B 3.0µs 2"
        " recorded",
        f"{name} example.org/m.FuzzParse fuzz coverage 32 B 4.5µs 2 -",
    ]


def test_corpus_list_of_a_target_without_inputs(run: Run, campaign: Path) -> None:
    result = run("corpus", "list", "--campaign", str(campaign), "--target", "FuzzText")
    assert (result.exit_code, result.stdout) == (0, "no inputs kept\n")


def test_corpus_list_as_json(run: Run, campaign: Path) -> None:
    found = objects(run("corpus", "list", "--campaign", str(campaign), "--json").stdout)
    assert [each["hash"] for each in found] == [
        file_name(entry(text)) for text in (b"one", b"two", b"three")
    ]
    assert found[2]["event"] == "input"
    assert found[2]["edges"] == 2 and found[2]["recorded"] is False


def test_an_unknown_target_is_a_usage_error(run: Run, campaign: Path) -> None:
    result = run("corpus", "list", "--campaign", str(campaign), "--target", "FuzzNone")
    assert result.exit_code == 2
    assert "FuzzParse" in result.stderr


def test_crashes_list_and_show(run: Run, campaign: Path) -> None:
    listed = run("crashes", "list", "--campaign", str(campaign))
    assert listed.exit_code == 0
    assert "\x1b" not in listed.stdout
    assert "panic: \\x1b[2Jboom" in listed.stdout
    assert "0123456789abcdef  example.org/m.FuzzParse  crash" in listed.stdout
    shown = run("crashes", "show", "0123", "--campaign", str(campaign))
    assert shown.exit_code == 0
    assert 'string("boom")' in shown.stdout and "goroutine 1 [running]:" in shown.stdout
    (found,) = objects(run("crashes", "list", "--campaign", str(campaign), "--json").stdout)
    assert found["event"] == "known_crash" and found["kind"] == "crash"


def test_crashes_of_another_target_and_of_no_such_hash(run: Run, campaign: Path) -> None:
    listed = run("crashes", "list", "--campaign", str(campaign), "--target", "FuzzText")
    assert (listed.exit_code, listed.stdout) == (0, "no crashes\n")
    missing = run("crashes", "show", "ffff", "--campaign", str(campaign))
    assert missing.exit_code == 2
    assert "ffff" in missing.stderr


def test_syscalls_lists_who_needs_what_and_ends_with_the_headline(run: Run, campaign: Path) -> None:
    result = run("syscalls", "--campaign", str(campaign))
    assert result.exit_code == 0
    table, head = result.stdout.split("\n\n")
    second = file_name(entry(b"two"))
    assert lines(table)[1:] == [
        f"futex seeds, fuzzing, baseline runtime, unknown {file_name(entry(b'one'))} 22",
        f"mkdirat fuzzing target {second} 2",
        "mmap baseline unknown - 20",
        "openat tests target - 3",
    ]
    assert head == (
        "hand-written tests alone reached this 1 system call:\n  openat\n"
        "fuzzing added this 1 call:\n  mkdirat\n"
    )


def test_syscalls_with_stacks(run: Run, campaign: Path) -> None:
    text = run("syscalls", "--campaign", str(campaign), "--stacks").stdout
    assert "    os.Mkdir\n    m.Parse\n" in text


def test_captured_programs_are_listed_with_their_coverage(run: Run, campaign: Path) -> None:
    uses = (
        SyscallUse("socket", Origin.TARGET, 3, kind="unix", outcome=CallOutcome.REFUSED),
        SyscallUse("futex", Origin.RUNTIME, 9, outcome=CallOutcome.OK),
    )
    with Store.create(campaign) as store:
        program = store.add_program("example.org/m/cmd/job")
        covered = Statements(16, 25)
        store.add_capture(
            program.id, "integration", "./job", Recording(uses), statements=covered, arch="amd64"
        )
    args = ("syscalls", "--campaign", str(campaign), "--target", "cmd/job")
    result = run(*args)
    assert lines(result.stdout)[1:4] == [
        "futex integration runs runtime - 9",
        "socket integration runs target - 3",
        "(unix) refused integration runs target - 3",
    ]
    assert result.stdout.endswith(
        "this 1 call comes from the run ./job, covering 64.0 % of the statements:\n  socket\n"
    )
    *calls, _ = objects(run(*args, "--json").stdout)
    assert {(each["target"], each["label"]) for each in calls} == {
        ("example.org/m/cmd/job", "./job")
    }
    assert (calls[1]["kind"], calls[1]["outcome"]) == ("unix", "refused")
    # No other list knows of it: it is no fuzz test.
    assert "cmd/job" not in run("corpus", "list", "--campaign", str(campaign)).output


def test_syscalls_as_json_ends_with_the_comparison(run: Run, campaign: Path) -> None:
    *calls, comparison = objects(run("syscalls", "--campaign", str(campaign), "--json").stdout)
    assert {each["event"] for each in calls} == {"call"}
    assert {each["target"] for each in calls} == {"example.org/m.FuzzParse"}
    assert comparison["tests"] == ["openat"] and comparison["added"] == ["mkdirat"]


def test_syscalls_of_a_target_that_was_not_recorded(run: Run, campaign: Path) -> None:
    result = run("syscalls", "--campaign", str(campaign), "--target", "FuzzText")
    assert result.exit_code == 0
    assert result.stdout.startswith("no input's system calls are recorded")
