"""Running sessions in this process and reading what they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gofuzzsec.coordinator.events import Event, Finished
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.session import run
from gofuzzsec.store import Store
from gofuzzsec.toolchain.model import FuzzBinary

_E = TypeVar("_E")


@dataclass(slots=True)
class Heard:
    """What one session said, and its folder."""

    campaign: Path
    events: list[Event] = field(default_factory=list)
    finished: Finished = field(default_factory=Finished)

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]

    def store(self) -> Store:
        return Store.open_readonly(self.campaign)


RunSession = Callable[..., Heard]


@pytest.fixture
def project(targets: FuzzBinary, targets_dir: Path, tmp_path: Path) -> Path:
    """A copy of the shared test module that a campaign may write into."""
    return shutil.copytree(targets_dir, tmp_path / "project")


@pytest.fixture
def fuzz(project: Path) -> RunSession:
    """Run a session in `project` without capture; keyword arguments go into SessionOptions."""

    def start(target: str, **options: Any) -> Heard:
        heard = Heard(options.pop("campaign", project / ".gofuzzsec"))
        settings: dict[str, Any] = {"capture": "off", "workers": 2, "cwd": project, **options}
        asked = SessionOptions(target_regex=target, campaign=heard.campaign, **settings)
        heard.finished = run(asked, heard.events.append)
        return heard

    return start


def add_seed(project: Path, target: str, name: str, *lines: str) -> Path:
    """Write a corpus file of *lines* (Go literals) for *target*."""
    path = project / "testdata" / "fuzz" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("go test fuzz v1\n" + "".join(f"{line}\n" for line in lines))
    return path
