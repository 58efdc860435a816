"""Hand-written tests and commands under a profile that the kernel enforces."""

from __future__ import annotations

from pathlib import Path

import pytest

from gofuzzsec.coordinator.verifying.model import Finding, Judgement, Verified
from gofuzzsec.errors import UsageError
from gofuzzsec.seccomp.model import Action
from tests.coordinator.verifying.conftest import Verify, refusing


def findings(verified: Verified) -> dict[str, Finding]:
    return {each.label: each for subject in verified.subjects for each in subject.findings}


def test_each_test_is_told_by_its_name(check: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFIED_BROKEN", "1")
    verified = check(refusing("getpriority", "mkdirat"), packages=(".",))
    found = findings(verified)
    assert found.keys() == {"TestPriority", "TestPriority/inner", "TestTolerant", "TestBroken"}
    assert found["TestPriority"].judgement is Judgement.FAILED
    assert {refusal.name for refusal in found["TestPriority"].refusals} == {"getpriority"}
    assert found["TestTolerant"].judgement is Judgement.DENIED
    assert found["TestBroken"].judgement is Judgement.BROKEN
    (subject,) = verified.subjects
    assert (subject.label, subject.ran, subject.total) == ("tests of example.org/verified", 5, 5)
    assert [name for name, _ in subject.harness] == ["mkdirat"]
    assert any("no campaign" in warning for warning in verified.warnings)


def test_tests_that_die_are_all_told_of(check: Verify) -> None:
    verified = check(refusing("getpriority", action=Action.KILL_PROCESS), packages=(".",))
    found = findings(verified)
    assert found["TestPriority"].judgement is Judgement.FAILED
    assert found["TestPlain"].judgement is Judgement.FAILED
    assert "not run" in found["TestPlain"].under


def test_tests_that_cannot_be_run_twice_are_not_blamed(
    check: Verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERIFIED_ONCE", str(tmp_path / "marker"))
    found = findings(check(refusing("kexec_load"), packages=(".",)))
    assert found["TestOnce"].judgement is Judgement.BROKEN


def test_a_command(check: Verify, program: Path, recorder: str) -> None:
    verified = check(refusing("getpriority"), command=(str(program), "unix", "goroutine"))
    (finding,) = findings(verified).values()
    assert finding.label == f"{program} unix goroutine"
    assert finding.judgement is Judgement.FAILED
    assert "operation not permitted" in finding.under
    (refusal,) = finding.refusals
    assert refusal.enforced
    assert refusal.path[-1].startswith(("example.org/verified.Do.func1", "runtime.goexit"))
    assert (refusal.goroutine is not None) == (recorder == "bpf")


def test_a_command_that_passes(check: Verify, program: Path) -> None:
    verified = check(refusing("kexec_load"), command=(str(program), "priority"))
    assert findings(verified) == {}
    assert verified.subjects[0].passed == 1


def test_a_command_that_is_no_go_program(check: Verify) -> None:
    verified = check(refusing("mkdir"), command=("sh", "-c", "mkdir /nonexistent/x; true"))
    (finding,) = findings(verified).values()
    assert finding.judgement is Judgement.DENIED
    assert {refusal.name for refusal in finding.refusals} == {"mkdir"}


def test_a_command_without_end_is_ended_in_time(check: Verify, program: Path) -> None:
    verified = check(
        refusing("getpriority"), command=(str(program), "tolerant", "wait"), seconds=2.0
    )
    assert findings(verified) == {}
    assert verified.ran == 1


def test_nothing_to_run(check: Verify, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none that can be executed"):
        check(refusing("mkdir"), command=("no-such-program",))
