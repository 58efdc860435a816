"""A module whose inputs each make one call, its campaign, and profiles for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.coordinator.verifying import recorders
from gofuzzsec.coordinator.verifying.model import Verified, VerifyOptions
from gofuzzsec.coordinator.verifying.recorders import _ROOM
from gofuzzsec.coordinator.verifying.verify import verify
from gofuzzsec.corpus.format import file_name, marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.store import Store
from gofuzzsec.syscalls.bpf.program import Sizes
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_bpf, require_strace

Verify = Callable[..., Verified]
WORDS = ("nothing", "tolerant", "priority", "goroutine", "unix", "inet", "child", "panic")


def entry(word: str) -> bytes:
    """The corpus file of *word*."""
    return marshal([Value(GoType.STRING, word.encode())])


def name_of(word: str) -> str:
    """The name that the input *word* has in a campaign."""
    return file_name(entry(word))


def refusing(*names: str, action: Action = Action.ERRNO, errno: int | None = 1) -> Profile:
    """A profile that lets everything through but *names*."""
    rule = Rule(names, action, errno if action is Action.ERRNO else None)
    return Profile(Action.ALLOW, rules=(rule,), architectures=("SCMP_ARCH_X86_64",))


def only_unix() -> Profile:
    """A profile that lets socket through for AF_UNIX alone."""
    other = Rule(("socket",), Action.ERRNO, 97, (Condition(0, Op.NE, 1),))
    return Profile(Action.ALLOW, rules=(other,), architectures=("SCMP_ARCH_X86_64",))


@pytest.fixture(scope="session")
def verified_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``module``, which is example.org/verified."""
    root = tmp_path_factory.mktemp("verified") / "verified"
    return shutil.copytree(Path(__file__).parent / "module", root)


@pytest.fixture(scope="session")
def program(go: Go, verified_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its command."""
    out = tmp_path_factory.mktemp("bin") / "verified"
    subprocess.run([go.path, "build", "-o", out, "./cmd"], cwd=verified_dir, check=True)
    return out


@pytest.fixture
def corpus(verified_dir: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a campaign that kept the given words."""

    def make(*words: str) -> Path:
        folder = tmp_path / "campaign"
        with Store.create(folder) as store:
            target = store.add_target(
                "example.org/verified", "FuzzDo", str(verified_dir), str(verified_dir), "", False
            )
            store.set_types(target.id, ("string",))
            for word in words:
                store.add_input(
                    target.id,
                    data=entry(word),
                    source="fuzz",
                    why="coverage",
                    parent=None,
                    exec_ns=1000,
                    build_key="abc",
                    coverage=b"",
                    found_at=1700000000.0,
                )
        return folder

    return make


@pytest.fixture(scope="package")
def tracer() -> Iterator[Tracer]:
    """Loading it takes two seconds, so that one serves all tests of this folder."""
    require_bpf()
    tracer = Tracer.open(sizes=Sizes(slots=4, denials=_ROOM))
    yield tracer
    tracer.close()


@pytest.fixture(params=["strace", "bpf"])
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each recorder in turn; all verifications share one loaded BPF program."""
    name: str = request.param
    if name == "strace":
        require_strace(stacks=True)
    else:
        use_tracer(request.getfixturevalue("tracer"), monkeypatch)
    return name


def use_tracer(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have verifications of this process use *tracer*."""

    class Shared:
        """The tracer, which a verification may not close."""

        program = tracer.program
        follow = staticmethod(tracer.follow)

        @staticmethod
        def close() -> None:
            """It is still needed."""

    class Opening:
        """Stands for the class."""

        @staticmethod
        def open(**_: Any) -> Shared:
            return Shared()

    monkeypatch.setattr(recorders, "Tracer", Opening)


@pytest.fixture
def check(verified_dir: Path, tmp_path: Path, recorder: str) -> Verify:
    """Verifies a profile; keyword arguments go into VerifyOptions."""

    def run(profile: Profile, **options: Any) -> Verified:
        chosen = VerifyOptions(**{"recorder": recorder, "workers": 1, **options})
        return verify(profile, "profile.json", chosen, verified_dir, print)

    return run
