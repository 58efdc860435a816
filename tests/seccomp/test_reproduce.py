"""Commands that show a call again: their words; that they work is in tests/cli."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gofuzzsec.corpus.format import file_name, marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.seccomp.reproduce import Tools, reproduction, running_test
from gofuzzsec.store import Store, TargetRow
from tests.seccomp.made import row

DATA = marshal([Value(GoType.STRING, b"one")])
HASH = file_name(DATA)
TOOLS = Tools(Path("/camp aign"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "campaign") as made:
        yield made


@pytest.fixture
def target(store: Store, tmp_path: Path) -> TargetRow:
    """Of a package in a folder whose name needs quotes, with one input."""
    package = tmp_path / "my package"
    package.mkdir()
    made = store.add_target("example.org/m", "FuzzX", str(package), str(package), "", False)
    store.add_input(
        made.id,
        data=DATA,
        source="seed-testdata",
        why="coverage",
        parent=None,
        exec_ns=1,
        build_key="k",
        coverage=b"",
        found_at=1.0,
    )
    return made


def test_an_input_is_exported_and_run_as_a_seed(store: Store, target: TargetRow) -> None:
    found = reproduction(store, target, row("bind", first_input=HASH), replace(TOOLS, tags="a,b"))
    export, run = map(shlex.split, found.commands)
    assert export == [
        *("gofuzzsec", "corpus", "export", "--campaign", "/camp aign"),
        *("--target", "example.org/m.FuzzX", "--input", HASH, "--to", "testdata"),
    ]
    assert run == [
        *("go", "-C", target.package_dir, "test", "-count=1", "-v", "-tags=a,b"),
        *(f"-run=^FuzzX$/^{HASH}$", "."),
    ]
    assert shlex.split(found.watch)[:3] == ["cd", target.package_dir, "&&"]


def test_a_seed_in_testdata_is_run_where_it_is(store: Store, target: TargetRow) -> None:
    folder = Path(target.package_dir) / "testdata" / "fuzz" / "FuzzX"
    folder.mkdir(parents=True)
    for name, pattern in (("by.hand", "by\\.hand"), (HASH, HASH)):
        (folder / name).write_bytes(DATA)
        found = reproduction(store, target, row("bind", source="seeds", first_input=HASH), TOOLS)
        (run,) = found.commands
        assert f"-run=^FuzzX$/^{pattern}$" in shlex.split(run)


def test_an_input_that_is_gone_has_no_command(store: Store, target: TargetRow) -> None:
    found = reproduction(store, target, row("bind", first_input="ffff"), TOOLS)
    assert found.commands == ()
    assert "ffff is not in the corpus any more" in found.note


def test_a_foreign_package_is_never_written_into(store: Store, target: TargetRow) -> None:
    evidence = row("bind", first_input=HASH)
    found = reproduction(store, replace(target, external=True), evidence, TOOLS)
    export, build, run = map(shlex.split, found.commands)
    assert export[-1] == "/camp aign/replay/testdata/fuzz"
    assert build[-3:] == ["-o", "/camp aign/replay/target.test", "example.org/m"]
    assert run[:4] == ["cd", "/camp aign/replay", "&&", "/camp aign/replay/target.test"]
    ready = replace(target, binary="/bin/t.test")
    export, run = map(shlex.split, reproduction(store, ready, evidence, TOOLS).commands)
    assert run[3:5] == ["/bin/t.test", f"-test.run=^FuzzX$/^{HASH}$"]


def test_the_test_on_the_stack_is_run_alone(store: Store, target: TargetRow) -> None:
    stack = (
        "example.org/m_test.TestDeep.func1.1 /m/x_test.go:3",
        "testing.tRunner /go/testing.go:1",
    )
    evidence = row("bind", source="tests", stack=stack)
    (run,) = reproduction(store, target, evidence, TOOLS).commands
    assert "-run=^TestDeep$" in shlex.split(run)
    ready = replace(target, binary="/bin/t.test")
    (run,) = reproduction(store, ready, evidence, TOOLS).commands
    assert shlex.split(run)[3:5] == ["/bin/t.test", "-test.run=^TestDeep$"]


@pytest.mark.parametrize(
    ("label", "pattern"),
    [
        ("", "^(Test|Example)"),
        ("tests", "^(Test|Example)"),
        ("tests function by function -run=Some thing", "Some thing"),
        ("tests -run=^TestA$ -f m.Open -f m.Close", "^TestA$"),
        ("something else", "^(Test|Example)"),
    ],
)
def test_without_a_test_on_the_stack_the_same_tests_are_run(
    store: Store, target: TargetRow, label: str, pattern: str
) -> None:
    evidence = row("bind", source="tests", label=label, stack=())
    (run,) = reproduction(store, target, evidence, TOOLS).commands
    assert f"-run={pattern}" in shlex.split(run)


def test_names_of_tests_are_told_from_other_functions() -> None:
    runner = "testing.tRunner /go/testing.go:1"
    assert running_test(("m.TestX /m.go:1", runner)) == "TestX"
    assert (
        running_test(("m.ExampleT_m /m.go:1", "testing.runExample /go/example.go:1"))
        == "ExampleT_m"
    )
    assert running_test(("m.FuzzX.func1 /m.go:1", runner)) == ""
    assert running_test(("m.TestX /m.go:1",)) == ""
    assert running_test(()) == ""


@pytest.mark.parametrize("label", ["./job 'a b' serve", "./job 'a b' serve (2)"])
def test_a_captured_command_is_captured_again(store: Store, target: TargetRow, label: str) -> None:
    found = reproduction(store, target, row("bind", source="integration", label=label), TOOLS)
    assert found.commands == ("gofuzzsec capture --no-store -- ./job 'a b' serve",)
    cut = row("bind", source="integration", label="x" * 500)
    assert reproduction(store, target, cut, TOOLS).commands == ()


def test_what_only_a_campaign_showed_may_need_another_one(store: Store, target: TargetRow) -> None:
    evidence = row("bind", source="campaign", label="run of today")
    found = reproduction(store, target, evidence, replace(TOOLS, tags="a"))
    (command,) = found.commands
    assert shlex.split(command)[-4:] == ["--target", "^FuzzX$", "--tags=a", "."]
    assert "may, or may not" in found.note
    ready = replace(target, binary="/bin/t.test")
    (command,) = reproduction(store, ready, evidence, TOOLS).commands
    assert "--binary /bin/t.test --package-dir" in command


def test_the_baseline_has_nothing_to_run(store: Store, target: TargetRow) -> None:
    found = reproduction(store, target, row("bind", source="baseline"), TOOLS)
    assert found.commands == ()
    assert found.note
