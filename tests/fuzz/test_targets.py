"""Each fuzz target runs for a moment, from its seeds, with the same random choices every time.

Long runs are for ``make fuzz``. A target that finds nothing new from its seeds is broken: then the
parser is not watched, or refuses everything at once.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.requirements import missing

FOLDER = Path(__file__).parent
TARGETS = sorted(
    path.stem for path in FOLDER.glob("*.py") if "\n    fuzz(read" in path.read_text()
)  # fmt: skip
SLOW = {"elf_calls": 64, "elf_program": 300, "elf_debug": 300, "elf_code": 300}
"""Runs of targets that take milliseconds for each; others make `RUNS`."""
RUNS = 4000

Runs = dict[str, Future[subprocess.CompletedProcess[str]]]


def run(target: str, folder: Path) -> subprocess.CompletedProcess[str]:
    runs = SLOW.get(target, RUNS)
    options = [f"-runs={runs}", "-seed=1", "-timeout=60", str(folder / target)]
    # Coverage and atheris both want Python's events; which lines run is not the question here.
    env = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, "-m", f"tests.fuzz.{target}", *options],
        cwd=FOLDER.parents[1], env=env, text=True, errors="replace", check=False, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All targets, two at a time."""
    if importlib.util.find_spec("atheris") is None:
        missing("atheris is not there for this Python (3.11 to 3.13 on x86-64 have it)")
    folder = tmp_path_factory.mktemp("fuzz")
    with ThreadPoolExecutor(2) as pool:
        yield {target: pool.submit(run, target, folder) for target in TARGETS}


def test_every_parser_has_a_target() -> None:
    assert len(TARGETS) >= 16, TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_is_too_much(runs: Runs, target: str) -> None:
    done = runs[target].result()

    assert done.returncode == 0, done.stdout[-6000:]
    # All seeds are run, also where they are more than the runs asked for.
    (made, *_) = re.findall(r"^Done (\d+) runs in", done.stdout, re.M)
    assert int(made) >= SLOW.get(target, RUNS)
    covered = re.findall(r"^#\d+\s+(?:INITED|DONE)\s+cov: (\d+)", done.stdout, re.M)
    assert int(covered[0]) > 5, "the parser is not watched"
