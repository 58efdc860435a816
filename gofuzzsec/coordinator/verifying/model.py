"""What a verification is asked for, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gofuzzsec.seccomp.effect import Verdict
from gofuzzsec.syscalls.model import Origin


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that the profile does not let through, made by one path.

    ``args`` are the six arguments as the registers held them, fewer where the recorder shows fewer.
    ``path`` is as in SyscallUse: frames, innermost first, empty where the recorder has none.
    ``goroutine`` is None where it cannot be told (strace; the runtime's own stack). ``program`` is
    the file of a started process that made the call, "" for the program itself. ``enforced`` is
    True when the kernel was seen to refuse it, False when it went through: in an audit, or because
    it is let through for the harness. ``count`` is how often it was seen.
    """

    name: str
    args: tuple[int, ...]
    verdict: Verdict
    origin: Origin
    path: tuple[str, ...] = ()
    goroutine: int | None = None
    program: str = ""
    enforced: bool = False
    count: int = 1

    @property
    def by_harness(self) -> bool:
        """Whether only the test harness made it: nothing that the profile is to blame for."""
        return self.origin is Origin.HARNESS


class Judgement(StrEnum):
    """What two runs of one thing say about the profile.

    PASSED: nothing was refused, and it ends as it does without the profile. DENIED: something was
    refused, and the program carries on. FAILED: it passes without the profile and fails with it.
    BROKEN: it fails without the profile too, which is not the profile's doing.
    """

    PASSED = "passed"
    DENIED = "denied"
    FAILED = "failed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run went: whether well, and in words how it ended ("" where there is nothing to
    say); the calls that the profile does not let through; why some may not have been seen."""

    ok: bool
    text: str = ""
    refusals: tuple[Refusal, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One input, test or command with something to tell.

    ``label`` names it (an input by its hash), ``rerun`` are commands for a shell that run it again
    without the profile, none where there are none. ``without`` and ``under`` say how it ended.
    ``refusals`` are the program's.
    """

    label: str
    judgement: Judgement
    without: str
    under: str
    refusals: tuple[Refusal, ...]
    rerun: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What was run: a target's corpus, a package's tests, a command.

    ``what`` is "inputs", "tests" or "command"; ``ran`` how many of its ``total`` were run, of which
    ``passed`` had nothing to tell. ``harness`` are the calls that only the test harness made and
    that were let through for it alone, with a path for each. ``doubts`` say why some refused calls
    may not have been seen.
    """

    label: str
    what: str
    ran: int
    total: int
    passed: int
    findings: tuple[Finding, ...]
    harness: tuple[tuple[str, tuple[str, ...]], ...] = ()
    doubts: tuple[str, ...] = ()

    def count(self, judgement: Judgement) -> int:
        """How many findings have *judgement*."""
        return sum(finding.judgement is judgement for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Verified:
    """A whole verification. ``recorder`` is "bpf" or "strace". ``artefacts`` are calls of the
    kernel's own that recording causes and that were let through for it. ``steered`` are calls that
    the profile answers with ENOSYS, which counts as no refusal. ``skipped`` are names of the
    profile that are no call here."""

    profile: str
    arch: str
    audit: bool
    recorder: str
    subjects: tuple[Subject, ...]
    artefacts: tuple[str, ...] = ()
    steered: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False

    def count(self, judgement: Judgement) -> int:
        """How many inputs, tests and commands have *judgement*."""
        return sum(subject.count(judgement) for subject in self.subjects)

    @property
    def ran(self) -> int:
        """How many inputs, tests and commands were run."""
        return sum(subject.ran for subject in self.subjects)

    @property
    def left(self) -> int:
        """How many were not, for want of time."""
        return sum(subject.total - subject.ran for subject in self.subjects)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why refused calls may not have been seen."""
        return tuple(dict.fromkeys(each for subject in self.subjects for each in subject.doubts))


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What `profile verify` is asked for. ``seconds`` bounds the whole, None does not; ``workers``
    of None is one for each processor. ``recorder`` is auto, bpf or strace. ``hang_timeout`` is
    seconds that an input may take."""

    campaign: Path | None = None
    target: str | None = None
    packages: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    audit: bool = False
    recorder: str = "auto"
    workers: int | None = None
    seconds: float | None = None
    hang_timeout: float = 10.0
    tags: str = ""
    go: str | None = None
