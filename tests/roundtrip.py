"""The whole way of a profile, for tests: fuzz a package, build the profile of its tests alone and
that of the campaign, and run corpus, tests and program under both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.coordinator.verifying.model import Judgement, Verified, VerifyOptions
from gofuzzsec.coordinator.verifying.verify import verify
from gofuzzsec.seccomp import build_profile, document
from gofuzzsec.seccomp.effect import allowed_names
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.gathered import Gathered, gather
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.seccomp.resolve import resolve
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.baseline import runtime_baseline
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import OCI_RUNTIME_CALLS
from gofuzzsec.syscalls.table import machine_arch
from gofuzzsec.toolchain.model import Go
from tests.seccomp.published import docker_default

_NOT_OWN = (Origin.HARNESS, Origin.RUNTIME)


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of calls: that the package's own code was seen to make in ``tests`` and beside them
    in ``fuzzing``, that the ``profile`` lets through and Docker's default does; inputs, tests and
    commands that ``ran`` under the profile, and how many met a refusal."""

    tests: int
    fuzzing: int
    profile: int
    docker: int
    ran: int
    denials: int

    def __str__(self) -> str:
        fewer = 100 * (1 - self.profile / self.docker)
        return (
            f"calls by tests {self.tests}, by fuzzing {self.fuzzing} more; allowed {self.profile} "
            f"of Docker's {self.docker} ({fewer:.1f} % fewer); {self.denials} denials in "
            f"{self.ran} inputs, tests and commands"
        )


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign that is over, in the module at ``module``."""

    go: Go
    module: Path

    @property
    def folder(self) -> Path:
        return self.module / ".gofuzzsec"

    def evidence(self) -> Gathered:
        """All that was recorded."""
        return gather(
            (self.folder,),
            arch=None,
            machine=machine_arch(),
            observe_baseline=lambda: runtime_baseline(self.go),
        )

    def profile(self) -> Profile:
        """The profile that the command line builds of it."""
        path = self.module / "seccomp.json"
        tool(self.module, "profile", "build", "--no-static", "-o", str(path))
        return resolve(read_profile(path), machine_arch())

    def profile_of_tests(self) -> Profile:
        """The profile that would be built from the hand-written tests alone."""
        found = self.evidence()
        rows = [row for row in found.rows if row.source == "tests"]
        built = build_profile(rows, baseline=found.baseline, oci=OCI_RUNTIME_CALLS, arch=found.arch)
        return resolve(document(built), found.arch)

    def added(self) -> set[str]:
        """Calls of the code under test that fuzzing showed and the hand-written tests did not."""
        rows = self.evidence().rows
        return _calls(rows) - _calls(row for row in rows if row.source == "tests")

    def verified(
        self, profile: Profile, packages: Sequence[str] = (), command: Sequence[str] = ()
    ) -> Verified:
        """Corpus, tests and command under *profile*."""
        options = VerifyOptions(
            campaign=self.folder, packages=tuple(packages), command=tuple(command)
        )
        return verify(profile, "the profile", options, self.module, print)

    def figures(self, profile: Profile, verified: Verified) -> Figures:
        """Of *profile*, which was *verified*."""
        rows = self.evidence().rows
        arch = machine_arch()
        return Figures(
            tests=len(_calls(row for row in rows if row.source == "tests")),
            fuzzing=len(self.added()),
            profile=len(allowed_names(profile, arch)),
            docker=len(allowed_names(resolve(read_profile(docker_default()), arch), arch)),
            ran=verified.ran,
            denials=verified.count(Judgement.DENIED) + verified.count(Judgement.FAILED),
        )


def fuzzed(go: Go, module: Path, package: str, *options: str) -> Campaign:
    """Fuzz *package* of *module* with the command line; crashes are no failure."""
    tool(module, "fuzz", package, "--seed", "1", *options, wanted=(0, 1))
    return Campaign(go, module)


def tool(module: Path, *words: str, wanted: Sequence[int] = (0,)) -> str:
    """Run ``gofuzzsec`` in *module*; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "gofuzzsec", *words],
        cwd=module, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode in wanted, f"gofuzzsec {' '.join(words)}:\n{done.stdout[-4000:]}"
    return done.stdout


def refused(verified: Verified) -> frozenset[str]:
    """Names of the calls that the kernel refused the program."""
    return frozenset(
        refusal.name
        for subject in verified.subjects
        for finding in subject.findings
        for refusal in finding.refusals
        if refusal.enforced
    )


def troubles(verified: Verified) -> list[str]:
    """Everything that met a refusal, in words."""
    return [
        f"{subject.label} {finding.label}: {finding.judgement} {finding.under} "
        f"{[(each.name, each.args, each.path[:6]) for each in finding.refusals]}"
        for subject in verified.subjects
        for finding in subject.findings
        if finding.judgement in (Judgement.DENIED, Judgement.FAILED)
    ]


def _calls(rows: Iterable[SyscallRow]) -> set[str]:
    """Calls of the code under test; what only the campaign's processes as a whole show counts."""
    return {
        row.name for row in rows if row.origin not in {each.value for each in _NOT_OWN}
        and row.source in ("tests", "seeds", "fuzz", "campaign")
    }  # fmt: skip
