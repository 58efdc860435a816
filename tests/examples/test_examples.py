"""The example modules build, their tests pass, and the planted bugs are where they should be."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofuzzsec.toolchain.model import Go

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ["jobrunner", "magic"]


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug: the job that meets it, how Go reports it, and a job just beside it."""

    job: str
    panic: str
    file: str
    harmless: str


BUGS = {
    "shallow": Bug('echo "a\\', "index out of range [8] with length 8", "lex.go", 'echo "a\\""'),
    "behind the parse": Bug(
        "repeat 2\nrepeat 0\necho a\nend\nend",
        "integer divide by zero",
        "parse.go",
        "repeat 2\nrepeat 0\necho a\nend\necho b\nend",
    ),
}


def copy_example(name: str, to: Path) -> Path:
    """Copy an example without the crashes that fuzzing may have left in its testdata."""
    return shutil.copytree(EXAMPLES / name, to / name, ignore=shutil.ignore_patterns("testdata"))


def run(argv: Sequence[str | Path], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, output and errors together."""
    return subprocess.run(
        argv, cwd=cwd, env={**os.environ, "GOFLAGS": "", "GOWORK": "off", **env}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def jobrunner(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its program and its test binary built in it."""
    root = copy_example("jobrunner", tmp_path_factory.mktemp("examples"))
    for argv in (["build", "-o", "program", "./cmd/jobrunner"], ["test", "-c", "-o", "tests", "."]):
        done = run([go.path, *argv], root)
        assert done.returncode == 0, done.stdout
    return root


def run_job(jobrunner: Path, job: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a job with the example's program in a directory of its own."""
    (tmp_path / "job").write_text(job)
    (tmp_path / "dir").mkdir()
    return run([jobrunner / "program", "dir", "job"], tmp_path)


def replay(jobrunner: Path, job: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Replay a job with the example's fuzz test."""
    corpus = tmp_path / "testdata" / "fuzz" / "FuzzRun"
    corpus.mkdir(parents=True)
    (corpus / "known").write_text(f"go test fuzz v1\nstring({json.dumps(job)})\n")
    return run([jobrunner / "tests", "-test.run=^FuzzRun$/^known$", "-test.v"], tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_own_tests_pass(any_go: Go, name: str, tmp_path: Path) -> None:
    """The module's own tests, seeds included, pass on every supported Go: no bug is tripped."""
    done = run([any_go.path, "test", "./..."], copy_example(name, tmp_path))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_is_formatted(go: Go, name: str) -> None:
    done = run([go.goroot / "bin" / "gofmt", "-l", "."], EXAMPLES / name)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("goarch", ["amd64", "arm64"])
def test_passes_vet(go: Go, name: str, goarch: str, tmp_path: Path) -> None:
    done = run([go.path, "vet", "./..."], copy_example(name, tmp_path), GOARCH=goarch)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_needs_only_the_standard_library(go: Go, name: str) -> None:
    done = run([go.path, "list", "-m", "all"], EXAMPLES / name)
    assert done.stdout == f"example.com/{name}\n"


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
def test_planted_bug_trips(jobrunner: Path, bug: Bug, tmp_path: Path) -> None:
    """Both the fuzz test and the program crash on the known input, in the file that has the bug."""
    for done in (replay(jobrunner, bug.job, tmp_path), run_job(jobrunner, bug.job, tmp_path)):
        assert done.returncode == 2
        assert f"panic: runtime error: {bug.panic}" in done.stdout
        first = re.search(r"^\s*example\.com/jobrunner\..*\n\s+(\S+):\d+", done.stdout, re.M)
        assert first is not None
        assert Path(first[1]).name == bug.file


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS.keys())
def test_beside_the_bug_all_is_well(jobrunner: Path, bug: Bug, tmp_path: Path) -> None:
    done = replay(jobrunner, bug.harmless, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "--- PASS: FuzzRun/known" in done.stdout
    assert run_job(jobrunner, bug.harmless, tmp_path).returncode == 0


def test_every_verb_works_and_stays_inside(go: Go, tmp_path: Path) -> None:
    """What the example's own tests leave to fuzzing is tested here, in a copy of the module."""
    root = copy_example("jobrunner", tmp_path)
    shutil.copy(Path(__file__).parent / "all_verbs_test.go", root)
    done = run([go.path, "test", "."], root)
    assert done.returncode == 0, done.stdout


def verbs_of_source() -> dict[str, str]:
    """Each verb's name and flags, from the table in verb.go."""
    text = (EXAMPLES / "jobrunner" / "verb.go").read_text()
    return dict(re.findall(r'\{"(\w+)", \d, "(\w*)"\}', text))


def rows_of_readme(example: str) -> list[list[str]]:
    """The cells of every table row of an example's README, header rows left out."""
    text = (EXAMPLES / example / "README.md").read_text()
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def test_readme_lists_every_verb_and_flag() -> None:
    listed = {}
    for cell, *_ in rows_of_readme("jobrunner"):
        verb, *flags = re.findall(r"[\w-]+", cell.split("`")[1].split("]")[0])
        listed[verb] = "".join(sorted("".join(flags).replace("-", ""))) if "[-" in cell else ""
    assert listed == verbs_of_source()


def test_hand_written_tests_reach_half(go: Go, tmp_path: Path) -> None:
    """The README says which verbs are left to fuzzing: the module's tests run none of them."""
    root = copy_example("jobrunner", tmp_path)
    done = run([go.path, "test", "-coverprofile=cover", "."], root)
    assert done.returncode == 0, done.stdout
    table = run([go.path, "tool", "cover", "-func=cover"], root).stdout
    percent = dict(re.findall(r"(\w+|\(statements\))\s+(\d+\.\d)%$", table, re.M))
    assert 40 < float(percent["(statements)"]) < 60
    untested = [row[0] for row in rows_of_readme("jobrunner") if row[-1] == "no"]
    names = [re.findall(r"\w+", cell)[0] for cell in untested]
    assert len(names) >= 12
    assert {name: percent[name] for name in names} == dict.fromkeys(names, "0.0")


def test_readme_lists_every_puzzle() -> None:
    text = (EXAMPLES / "magic" / "fuzz_test.go").read_text()
    tests = re.findall(r"^func (Fuzz\w+)", text, re.M)
    assert len(tests) > 20
    assert [row[0].strip("`") for row in rows_of_readme("magic")] == tests
