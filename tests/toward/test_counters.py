"""Whose code each coverage counter counts for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gofuzzsec.binary.counters import SECTION, Counters, counters_of
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.session import run
from gofuzzsec.coverage import unpack
from gofuzzsec.errors import BinaryError
from gofuzzsec.store import Store
from gofuzzsec.toolchain import build_boosted, build_fuzz_binary, list_packages
from gofuzzsec.toolchain.model import Go
from tests.toward.conftest import Build

KINDS = ("amd64", "arm64", "arm64-stripped")


@pytest.mark.parametrize("kind", KINDS)
def test_every_counter_has_a_function(
    kind: str, build: Build, counted: Callable[[str], Counters]
) -> None:
    counters, program = counted(kind), build(kind).program
    section = program.elf.section(SECTION)
    assert section is not None and len(counters) == section.size
    assert "" not in counters.functions and 0 not in counters.addresses
    assert not any(name.startswith("internal/fuzz.") for name in counters.functions)
    run_ = counters.of("example.org/deep.Run")
    assert len(run_) > 5 and list(run_) == sorted(run_)
    lines = [counters.frames(program, index)[0].line for index in run_]
    files = {Path(counters.frames(program, index)[0].file).name for index in run_}
    assert files == {"deep.go"} and lines[0] == min(lines)
    assert counters.of("example.org/deep.Missing") == () and counters.of("") == ()


def test_without_the_code_at_hand_it_is_read(
    build: Build, counted: Callable[[str], Counters]
) -> None:
    assert counters_of(build("amd64").program.path) == counted("amd64")


@pytest.mark.parametrize("engine", ["stock", "boosted"])
def test_what_a_worker_covers_is_what_really_ran(
    engine: str, go: Go, deep: Path, tmp_path: Path
) -> None:
    campaign = tmp_path / "campaign"
    options = SessionOptions(
        target_regex="FuzzDeep", campaign=campaign, cwd=deep, capture="off", workers=1,
        executions=8, engine=engine, seed=1,
    )  # fmt: skip
    run(options, lambda event: None)
    (package,) = list_packages(go, (".",), deep)
    binary = build_fuzz_binary(go, package) if engine == "stock" else build_boosted(go, package)[0]
    counters = counters_of(binary.path)
    covered: dict[bytes, set[str]] = {}
    with Store.open_readonly(campaign) as store:
        (target,) = store.targets()
        for row in store.inputs(target.id):
            indices = set((unpack(row.coverage) >> 3).tolist())
            names = {counters.functions[i] for i in indices if i < len(counters)}
            covered[row.data] = {name for name in names if name.startswith("example.org/deep.")}
    both = {"example.org/deep.Run", "example.org/deep.FuzzDeep.func1"}
    assert covered[b'go test fuzz v1\nstring("a")\n'] == {*both, "example.org/deep.shallow"}
    assert covered[b'go test fuzz v1\nstring("b")\n'] == {*both, "example.org/deep.elsewhere"}


def test_a_program_without_counters_is_refused(go: Go, deep: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.test"
    subprocess.run([str(go.path), "test", "-c", "-o", str(path), "."], cwd=deep, check=True)
    with pytest.raises(BinaryError, match="built without -fuzz"):
        counters_of(path)


def test_more_counters_than_code_can_hold_are_refused(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gofuzzsec.binary.counters._LEAST_CODE", 1 << 20)
    with pytest.raises(BinaryError, match="counters in"):
        counters_of(build("amd64").program)
