"""The report of a verification: what is cut, what is said in capitals."""

from __future__ import annotations

import json

from gofuzzsec.coordinator.verifying.model import Finding, Judgement, Refusal, Subject, Verified
from gofuzzsec.report.jsonl import dumps
from gofuzzsec.report.profiles.verify import verdict_words, verified_objects, verified_text
from gofuzzsec.seccomp.effect import Verdict
from gofuzzsec.seccomp.model import Action
from gofuzzsec.syscalls.model import Origin

DEEP = tuple(f"example.org/m.f{n} m.go:{n}" for n in range(20))


def refusal(number: int, *, enforced: bool = True) -> Refusal:
    path = (f"example.org/m.at{number} m.go:{number}", *DEEP)
    verdict = Verdict(Action.ERRNO, 1)
    return Refusal("mkdirat", (number, 0), verdict, Origin.TARGET, path, 7, "", enforced)


def findings(count: int) -> tuple[Finding, ...]:
    return tuple(
        Finding(f"{n:016x}", Judgement.FAILED, "", "fail: \x1b[2J", (refusal(n),), ("true",))
        for n in range(count)
    )


def verified(*subjects: Subject, **options: object) -> Verified:
    chosen = {"audit": False, "recorder": "bpf", **options}
    return Verified("p.json", "amd64", subjects=subjects, **chosen)  # type: ignore[arg-type]


def test_long_reports_are_cut_and_json_is_not() -> None:
    subject = Subject("example.org/m.FuzzX", "inputs", 60, 70, 10, findings(50))
    found = verified(subject)
    text = verified_text(found)
    for said in (
        "10 of 60 inputs with nothing to tell, 10 NOT RUN",
        "FAILED under the profile, passes without it: 50",
        "and 30 more (--json has all)",
        "and 10 more paths (--json has all)",
        "… 9 more frames",
        "mkdirat(0x1): errno 1; the program, goroutine 7; by 0000000000000001",
        "again:   $ true",
        "  mkdirat  50",
        "breaks 50 and refuses calls of 0 more (60 run by bpf)",
        "NOT ALL VERIFIED: out of time, 10 were not run under the profile",
    ):
        assert said in text, text
    assert "\x1b" not in text
    assert len(list(verified_objects(found))) == 52
    assert all(json.loads(dumps(each)) for each in verified_objects(found))


def test_what_may_not_have_been_seen_is_said() -> None:
    both = refusal(1), refusal(1, enforced=False)
    found = (
        Finding("a", Judgement.DENIED, "", "", both[1:]),
        Finding("b", Judgement.DENIED, "", "", both[:1]),
    )
    subject = Subject("sh", "command", 2, 2, 0, found, (("mkdirat", ()),), ("strace was lost",))
    text = verified_text(
        verified(
            subject,
            artefacts=("uprobe",),
            steered=("clone3",),
            skipped=("no_call",),
            warnings=("a warning",),
            interrupted=True,
        )
    )
    for said in (
        "NOT ALL MAY HAVE BEEN SEEN: strace was lost",
        "let through for recording only (the kernel's own): uprobe",
        "answered as by a kernel without it (ENOSYS), which is no refusal: clone3",
        "no calls here, skipped: no_call",
        "warning: a warning",
        "NOT ALL VERIFIED: interrupted, 0 were not run",
        "mkdirat  by the campaign's evidence",
        "by a and 1 more\n",  # the kernel was seen to refuse one of them
    ):
        assert said in text, text


def test_an_audit_says_would() -> None:
    finding = Finding("a", Judgement.DENIED, "", "", (refusal(1, enforced=False),))
    subject = Subject("sh", "command", 1, 1, 0, (finding,))
    text = verified_text(verified(subject, audit=True))
    assert "makes calls that the profile would refuse: 1" in text
    assert "Calls would be refused, by how many things need them:" in text
    assert "it WOULD REFUSE calls of what was run (1 run by bpf, 1 with such calls)" in text
    assert "seen in the run" not in text


def test_verdicts_in_words() -> None:
    assert verdict_words(Verdict(Action.KILL_PROCESS)) == "kill process"
    assert verdict_words(Verdict(Action.ERRNO, 38)) == "errno 38"
