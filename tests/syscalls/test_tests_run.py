"""The calls of a package's own tests."""

from __future__ import annotations

from pathlib import Path

from gofuzzsec import toolchain
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.tests_run import record_tests
from gofuzzsec.toolchain.model import FuzzBinary, Go, Package
from tests.conftest import MakeModule
from tests.requirements import require_strace
from tests.syscalls.conftest import origins

TARGET, HARNESS = Origin.TARGET, Origin.HARNESS


def test_tests_and_examples_but_not_seeds(
    go: Go, callers_package: Package, callers: FuzzBinary
) -> None:
    require_strace(stacks=True)
    recording = record_tests(go, callers_package, callers.path)
    assert recording.complete, recording.problem
    assert origins(recording, "mkdirat") == {TARGET, HARNESS}  # its own, and TempDir's
    assert origins(recording, "unlinkat") == {HARNESS}
    assert "exit_group" in {use.name for use in recording.uses if use.origin is TARGET}  # a child
    assert origins(recording, "pipe2") >= {HARNESS}  # an example's standard output
    assert "chroot" not in {use.name for use in recording.uses}  # only the fuzz target's


def test_failing_tests_are_said_to_leave_evidence_out(go: Go, module: MakeModule) -> None:
    require_strace()
    folder = module(
        {
            "m_test.go": 'package m\n\nimport "testing"\n\n'
            'func TestFails(t *testing.T) { t.Fatal("as it must") }\n\n'
            "func FuzzNothing(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) {}) }\n"
        }
    )
    (package,) = toolchain.list_packages(go, ["."], folder)
    recording = record_tests(go, package, Path("/nonexistent"))
    assert not recording.complete
    assert "as it must" in recording.problem
    assert recording.uses
