"""The program and the package that are captured, built once a session."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.coordinator.capturing.command import capture_command
from gofuzzsec.coordinator.capturing.model import Captured, CommandOptions, Window
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.model import Origin
from gofuzzsec.toolchain.model import Go
from tests.requirements import require_bpf

Build = Callable[..., Path]
Capture = Callable[..., Captured]


@pytest.fixture(scope="session")
def program_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``program``, module example.org/captured."""
    root = tmp_path_factory.mktemp("captured") / "captured"
    return shutil.copytree(Path(__file__).parent / "program", root)


@pytest.fixture(scope="session")
def build(go: Go, program_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds its command with some flags."""

    def make(name: str, *flags: str) -> Path:
        out = tmp_path_factory.mktemp("bin") / name
        subprocess.run([go.path, "build", *flags, "-o", out, "."], cwd=program_dir, check=True)
        return out

    return make


@pytest.fixture(scope="session")
def captured(build: Build) -> Path:
    """The command as anybody builds it."""
    return build("captured")


@pytest.fixture(scope="session")
def stripped(build: Build) -> Path:
    """Without symbol table and DWARF."""
    return build("captured", "-ldflags=-s -w")


@pytest.fixture(scope="session")
def covered(build: Build) -> Path:
    """With statement counters."""
    return build("captured", "-cover")


@pytest.fixture(scope="package")
def tracer() -> Iterator[Tracer]:
    """Loading it takes two seconds, so that one serves all captures of this folder."""
    require_bpf()
    tracer = Tracer.open(slots=1)
    yield tracer
    tracer.close()


@pytest.fixture
def one_tracer(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captures of this process use `tracer`."""

    class Shared:
        """The tracer, which a capture may not close."""

        follow = staticmethod(tracer.follow)

        @staticmethod
        def close() -> None:
            """It is still needed."""

    monkeypatch.setattr(Tracer, "open", lambda **_: Shared())


@pytest.fixture
def capture(one_tracer: None) -> Capture:
    """Captures a command; keyword arguments go into CommandOptions."""

    def run(*command: str | Path, **options: Any) -> Captured:
        words = tuple(map(str, command))
        return capture_command(CommandOptions(words, **options), print)

    return run


def counts(window: Window, origin: Origin = Origin.TARGET) -> dict[str, int]:
    """How often each call was made by *origin*."""
    found: dict[str, int] = {}
    for use in window.recording.uses:
        if use.origin is origin:
            found[use.name] = found.get(use.name, 0) + use.count
    return found
