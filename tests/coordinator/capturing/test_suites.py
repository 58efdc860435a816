"""Hand-written tests under the kernel's recorder, with the statements that they cover."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gofuzzsec.coordinator.capturing.model import Captured, SuiteOptions
from gofuzzsec.coordinator.capturing.suites import capture_tests
from gofuzzsec.errors import BuildError, UsageError
from gofuzzsec.report.capture import capture_text
from gofuzzsec.syscalls.model import Origin
from tests.conftest import MakeModule
from tests.coordinator.capturing.conftest import counts

LIB = "example.org/captured/lib"

pytestmark = pytest.mark.usefixtures("one_tracer")


def suite(root: Path, *packages: str, **options: object) -> Captured:
    """The capture of one package's tests."""
    asked = SuiteOptions(packages or ("./lib",), **options)  # type: ignore[arg-type]
    ((package, _, captured),) = capture_tests(asked, root)
    assert package.import_path == captured.import_path
    return captured


def test_the_calls_of_tests_stand_beside_what_they_cover(program_dir: Path) -> None:
    seen = suite(program_dir)
    assert seen.status == 0 and seen.everything.recording.complete
    own = counts(seen.everything)
    assert own["mkdirat"] == 3  # of TestFiles; its TempDir is the harness's
    assert own["faccessat"] == 3
    harness = counts(seen.everything, Origin.HARNESS)
    assert harness["mkdirat"] >= 1
    assert harness["openat"] >= 1  # the profile
    assert "openat" not in own
    coverage = seen.coverage[LIB]
    assert 0 < coverage.covered < coverage.statements
    said = re.search(
        r"these (\d+) system calls come from tests that cover ([0-9.]+) %", capture_text(seen)
    )
    assert said is not None
    assert int(said[1]) == len(seen.everything.names)
    assert float(said[2]) == pytest.approx(coverage.percent, abs=0.05)


def test_function_by_function(program_dir: Path) -> None:
    seen = suite(program_dir, by_test=True)
    by_name = {window.name.rpartition(".")[2]: window for window in seen.windows}
    assert set(by_name) == {
        "TestFiles",
        "TestTouch",
        "TestPid",
        "TestFailsWhenAsked",
        "TestOutside",
        "ExampleStep",
    }
    assert counts(by_name["TestFiles"])["mkdirat"] == 3
    assert counts(by_name["TestTouch"])["faccessat"] == 2  # with its subtests, one of them parallel
    assert counts(by_name["TestOutside"])["faccessat"] == 1
    assert "mkdirat" not in counts(by_name["TestOutside"])
    assert seen.coverage[LIB].covered > 0
    chosen = suite(program_dir, by_test=True, run="^TestTouch$/one")
    (window,) = chosen.windows
    assert counts(window)["faccessat"] == 1


def test_one_function_of_the_package(program_dir: Path) -> None:
    """Also one that the compiler would have inlined."""
    seen = suite(program_dir, functions=("lib.Touch",))
    assert not seen.warnings
    assert counts(seen.windows[0])["faccessat"] == 3
    assert "mkdirat" not in counts(seen.everything)
    pid = suite(program_dir, functions=("lib.Pid",))
    assert counts(pid.windows[0]) == {"getpid": 1}


def test_failing_tests_are_doubtful_evidence(
    program_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPTURED_FAIL", "1")
    seen = suite(program_dir)
    assert seen.status == 1
    assert "as asked" in seen.output
    assert not seen.everything.recording.complete
    assert "the tests ended with exit status 1" in seen.everything.recording.problem
    assert counts(seen.everything)["mkdirat"] == 3
    assert seen.coverage[LIB].covered > 0


def test_more_tests_than_windows(module: MakeModule) -> None:
    tests = "\n".join(
        f'func Test{n:02}(t *testing.T) {{ syscall.Access("/no/{n}", 0) }}' for n in range(70)
    )
    root = module(
        {
            "m.go": "package m\n\nfunc Add(a, b int) int { return a + b }\n",
            "m_test.go": 'package m\n\nimport ("syscall"; "testing")\n\n' + tests,
        }
    )
    seen = suite(root, ".", by_test=True)
    assert len(seen.windows) == 70
    assert all(counts(window).get("faccessat") == 1 for window in seen.windows)
    assert counts(seen.everything)["faccessat"] == 70
    assert seen.coverage["example.org/m"].covered == 0
    assert seen.coverage["example.org/m"].statements == 1


def test_what_has_no_tests_or_does_not_build(program_dir: Path, module: MakeModule) -> None:
    with pytest.raises(UsageError, match="expected a package with tests"):
        suite(program_dir, "./other")
    broken = module({"m.go": "package m\n", "m_test.go": "package m\n\nfunc TestX(\n"})
    with pytest.raises(BuildError):
        suite(broken, ".")


def test_packages_of_the_standard_library(program_dir: Path) -> None:
    seen = suite(program_dir, "container/list")
    assert seen.status == 0
    assert seen.coverage["container/list"].percent > 90
