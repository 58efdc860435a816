"""From tests and fuzzing to a profile that holds, on the example: enforced by the kernel."""

from __future__ import annotations

import pytest

from gofuzzsec.coordinator.verifying.model import Verified
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.toolchain.model import Go
from tests.examples.test_examples import copy_example, run
from tests.requirements import require_strace
from tests.roundtrip import Campaign, fuzzed, refused, troubles

EXECUTIONS = "10000x"
JOB = 'mkdir a\nwrite a/b "text\\n"\nread a/b\nlist -l a\nlock a/b\nmove a/b c\nremove -r a\n'


@pytest.fixture(scope="module")
def campaign(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    require_strace()
    root = copy_example("jobrunner", tmp_path_factory.mktemp("trip"))
    return fuzzed(go, root, ".", "--time", EXECUTIONS, "--workers", "1")


@pytest.fixture(scope="module")
def profile(campaign: Campaign) -> Profile:
    return campaign.profile()


@pytest.fixture(scope="module")
def verified(campaign: Campaign, profile: Profile) -> Verified:
    """Corpus, tests and program under the campaign's profile."""
    root = campaign.module
    built = run([campaign.go.path, "build", "-o", "program", "./cmd/jobrunner"], root)
    assert built.returncode == 0, built.stdout
    (root / "dir").mkdir()
    (root / "job").write_text(JOB)
    return campaign.verified(profile, ["."], [str(root / "program"), "dir", "job"])


def test_the_tests_alone_make_a_profile_that_breaks_the_program(campaign: Campaign) -> None:
    """Under the profile of the hand-written tests the kernel refuses what fuzzing found."""
    found = refused(campaign.verified(campaign.profile_of_tests()))

    print(f"refused under the profile of the tests alone: {' '.join(sorted(found))}")
    assert found & campaign.added()


def test_the_campaign_makes_one_that_breaks_nothing(verified: Verified) -> None:
    assert troubles(verified) == []
    assert {subject.what for subject in verified.subjects} == {"inputs", "tests", "command"}
    assert verified.left == 0


def test_it_allows_far_less_than_dockers(
    campaign: Campaign, profile: Profile, verified: Verified
) -> None:
    figures = campaign.figures(profile, verified)

    print(f"jobrunner: {figures}")
    assert figures.fuzzing > 0
    assert figures.profile <= 0.4 * figures.docker
