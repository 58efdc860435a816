"""The whole way of a profile, on real programs from the Go module proxy: a network server, a
storage engine, a command-line tool. Each is fuzzed for GOFUZZSEC_REAL_SECONDS (10 minutes); then
its own tests, all kept inputs and the command run under the profile, enforced by the kernel.

The fuzz tests are ours, in ``fuzztests``, and are copied into a scratch copy of each module.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gofuzzsec.coordinator.rebuild import BuildChoice, binary_of
from gofuzzsec.store import Store
from gofuzzsec.syscalls.bound import static_bound
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.oci import KERNEL_CALLS
from gofuzzsec.toolchain.model import Go
from tests.real.conftest import ENVIRONMENT, Fetched
from tests.requirements import require_strace
from tests.roundtrip import Campaign, fuzzed, refused, tool, troubles

pytestmark = pytest.mark.real

SECONDS = int(os.environ.get("GOFUZZSEC_REAL_SECONDS", "600"))


@dataclass(frozen=True, slots=True)
class Program:
    """A module; the package that is fuzzed, by which of our fuzz tests; the packages whose tests
    run under the profile; the main package of a command that does, and its arguments."""

    module: str
    package: str
    fuzz_test: str
    tested: str
    main: str = ""
    arguments: tuple[str, ...] = ()


PROGRAMS = {
    "network-server": Program("github.com/emersion/go-smtp@v0.24.0", ".", "smtp_test.go", "./..."),
    "storage-engine": Program(
        "github.com/akrylysov/pogreb@v0.10.2", ".", "pogreb_test.go", "./..."
    ),
    "command": Program(
        "github.com/itchyny/gojq@v0.12.17", "./cli", "gojq_test.go", "./cli",
        "./cmd/gojq", ("--tab", ".a", "input.json"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """How the modules are built, by whoever builds them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module", params=list(PROGRAMS))
def program(request: pytest.FixtureRequest) -> Program:
    return PROGRAMS[request.param]


@pytest.fixture(scope="module")
def campaign(go: Go, fetched: Fetched, program: Program, environment: None) -> Campaign:
    require_strace()
    root = fetched(program.module)
    ours = Path(__file__).parent / "fuzztests" / program.fuzz_test
    shutil.copy(ours, root / program.package / "gofuzzsec_test.go")
    (root / "input.json").write_text('{"a": [1, "two"]}')
    return fuzzed(go, root, program.package, "--time", f"{SECONDS}s")


@pytest.fixture(scope="module")
def command(campaign: Campaign, program: Program) -> tuple[str, ...]:
    """The program's command, captured once: tests that never run main do not tell what it does."""
    if not program.main:
        return ()
    binary = campaign.module / "program"
    subprocess.run(
        [campaign.go.path, "build", "-o", binary, program.main], cwd=campaign.module, check=True
    )
    tool(campaign.module, "capture", "--", str(binary), *program.arguments)
    return (str(binary), *program.arguments)


def test_the_profile_holds(campaign: Campaign, program: Program, command: tuple[str, ...]) -> None:
    """Nothing that the kept inputs, the module's own tests and the command do is refused."""
    profile = campaign.profile()

    verified = campaign.verified(profile, [program.tested], command)

    print(f"\n{program.module}, {SECONDS} s: {campaign.figures(profile, verified)}")
    added = refused(campaign.verified(campaign.profile_of_tests()))
    print(f"refused to the corpus under the profile of the tests alone: {' '.join(sorted(added))}")
    assert troubles(verified) == []
    assert {"inputs", "tests"} <= {subject.what for subject in verified.subjects}
    assert verified.left == 0


def test_the_static_bound_holds(campaign: Campaign, program: Program) -> None:
    """Nothing was seen that the fuzz binary's code cannot do."""
    with Store.open_readonly(campaign.folder) as store:
        (target,) = store.targets()
        seen = {row.name for row in store.syscalls(target.id) if row.origin != Origin.UNKNOWN}
    bound = static_bound(binary_of(target, BuildChoice()).path)

    print(f"\n{program.module}: {len(seen)} calls seen, {len(bound.calls)} possible")
    assert not bound.unknown
    assert seen - bound.names - KERNEL_CALLS.keys() == set()
