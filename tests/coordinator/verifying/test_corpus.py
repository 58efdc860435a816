"""Inputs under a profile that the kernel enforces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gofuzzsec.coordinator.verifying.model import Finding, Judgement, Refusal, Verified
from gofuzzsec.seccomp.model import Action, Profile, plain
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.strace import RARELY_DELIBERATE
from tests.coordinator.verifying.conftest import WORDS, Verify, name_of, only_unix, refusing

Corpus = Callable[..., Path]


def findings(verified: Verified) -> dict[str, Finding]:
    return {each.label: each for subject in verified.subjects for each in subject.findings}


def only(finding: Finding) -> Refusal:
    (refusal,) = finding.refusals
    return refusal


def test_what_is_refused_is_told_with_path_and_goroutine(
    check: Verify, corpus: Corpus, recorder: str
) -> None:
    verified = check(refusing("mkdirat", "getpriority", errno=13), campaign=corpus(*WORDS))
    found = findings(verified)
    assert found.keys() == {name_of(w) for w in ("tolerant", "priority", "goroutine", "panic")}
    tolerant = found[name_of("tolerant")]
    assert tolerant.judgement is Judgement.DENIED
    refusal = only(tolerant)
    assert (refusal.name, refusal.verdict.errno, refusal.enforced) == ("mkdirat", 13, True)
    assert refusal.args[0] == 2**64 - 100  # AT_FDCWD
    assert any(frame.startswith("example.org/verified.Do ") for frame in refusal.path)
    assert any("verified.go:16" in frame for frame in refusal.path)
    for word in ("priority", "goroutine"):
        failed = found[name_of(word)]
        assert failed.judgement is Judgement.FAILED
        assert "permission denied" in failed.under
        assert only(failed).origin is Origin.TARGET
        export, test = failed.rerun
        assert f"--input {name_of(word)} --to testdata" in export
        assert test.endswith(f"'-run=^FuzzDo$/^{name_of(word)}$' .")
    started = only(found[name_of("goroutine")])
    assert any("Do.func1" in frame for frame in started.path)
    told = [only(found[name_of(w)]).goroutine for w in ("priority", "goroutine")]
    if recorder == "bpf":
        assert all(told) and told[0] != told[1]
    else:
        assert told == [None, None]
    assert found[name_of("panic")].judgement is Judgement.BROKEN
    subject = verified.subjects[0]
    assert (subject.ran, subject.total, subject.passed) == (8, 8, 4)
    assert verified.recorder == recorder
    assert not verified.doubts


def test_a_profile_that_lets_all_through_passes(check: Verify, corpus: Corpus) -> None:
    verified = check(refusing("kexec_load"), campaign=corpus("nothing", "child", "inet"))
    assert findings(verified) == {}
    assert verified.ran == 3


@pytest.mark.parametrize("action", [Action.KILL_PROCESS, Action.TRAP])
def test_death_is_a_failure(check: Verify, corpus: Corpus, action: Action) -> None:
    profile = refusing("getpriority", action=action)
    found = findings(check(profile, campaign=corpus("priority", "nothing", "goroutine")))
    assert found.keys() == {name_of("priority"), name_of("goroutine")}
    for finding in found.values():
        assert finding.judgement is Judgement.FAILED
        assert only(finding).enforced
        assert only(finding).verdict.action is action


def test_a_thread_that_is_killed_is_a_failure(check: Verify, corpus: Corpus) -> None:
    """The rest of the process lives on, and hangs."""
    profile = refusing("getpriority", action=Action.KILL_THREAD)
    verified = check(profile, campaign=corpus("priority"), hang_timeout=1.0)
    (finding,) = findings(verified).values()
    assert finding.judgement is Judgement.FAILED
    assert {refusal.name for refusal in finding.refusals} == {"getpriority"}


def test_conditions_on_arguments(check: Verify, corpus: Corpus) -> None:
    found = findings(check(only_unix(), campaign=corpus("unix", "inet")))
    (finding,) = found.values()
    assert finding.label == name_of("inet")
    assert only(finding).args[:2] == (2, 1)
    assert only(finding).verdict.errno == 97


def test_what_a_started_process_may_not_do(check: Verify, corpus: Corpus) -> None:
    (finding,) = findings(check(refusing("mkdir"), campaign=corpus("child"))).values()
    assert finding.judgement is Judgement.DENIED
    assert only(finding).origin is Origin.TARGET
    assert only(finding).program.endswith("mkdir")


def test_an_audit_refuses_nothing(check: Verify, corpus: Corpus) -> None:
    profile = refusing("getpriority", action=Action.KILL_PROCESS)
    verified = check(profile, campaign=corpus("priority", "nothing"), audit=True)
    (finding,) = findings(verified).values()
    assert finding.judgement is Judgement.DENIED
    assert not only(finding).enforced
    assert verified.audit


def test_the_harness_is_let_through_and_nobody_else(check: Verify, corpus: Corpus) -> None:
    """T.TempDir makes a folder as the fuzz function's own os.Mkdir does."""
    verified = check(refusing("mkdirat"), campaign=corpus("tempdir", "tolerant"))
    (subject,) = verified.subjects
    ((name, path),) = subject.harness
    assert name == "mkdirat"
    assert any(frame.startswith("testing.") for frame in path)
    (finding,) = subject.findings
    assert finding.label == name_of("tolerant")
    assert finding.judgement is Judgement.DENIED
    assert not only(finding).enforced


def test_a_target_that_does_not_start(check: Verify, corpus: Corpus) -> None:
    verified = check(refusing("execve"), campaign=corpus("nothing"))
    (finding,) = findings(verified).values()
    assert finding.label == "start of example.org/verified.FuzzDo"
    assert finding.judgement is Judgement.FAILED
    assert "execve" in {refusal.name for refusal in finding.refusals}
    assert verified.ran == 0


def test_what_an_audit_names_is_enough(check: Verify, corpus: Corpus, recorder: str) -> None:
    """From a profile that refuses everything to one that the inputs need, by the audit alone."""
    if recorder == "strace":
        pytest.skip("every call with its stack takes strace minutes")
    folder = corpus("nothing", "goroutine", "unix")
    nothing = Profile(Action.ERRNO, 1, ("SCMP_ARCH_X86_64",))
    audit = check(nothing, campaign=folder, audit=True)
    needed = {each.name for finding in findings(audit).values() for each in finding.refusals}
    harness = {name for name, _ in audit.subjects[0].harness}
    assert {"getpriority", "socket", "futex", "execve"} <= needed
    needed |= RARELY_DELIBERATE  # what the runtime does at one time and not at another
    enough = check(plain(needed, "amd64"), campaign=folder)
    assert findings(enough) == {}
    assert {name for name, _ in enough.subjects[0].harness} <= harness
    less = check(plain(needed - {"socket"}, "amd64"), campaign=folder)
    assert only(findings(less)[name_of("unix")]).name == "socket"


def test_seeds_of_testdata_are_run_too(
    check: Verify, corpus: Corpus, verified_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = verified_dir / "testdata" / "fuzz" / "FuzzDo"
    folder.mkdir(parents=True)
    try:
        (folder / "seed").write_text('go test fuzz v1\nstring("priority")\n')
        (folder / "broken").write_text("no corpus file")
        verified = check(refusing("getpriority"), campaign=corpus("nothing"))
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert findings(verified).keys() == {name_of("priority")}
    assert any("broken" in warning for warning in verified.warnings)
