"""Binaries that the tests of this folder share; each is built once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from gofuzzsec.binary import GoProgram
from gofuzzsec.toolchain.model import Go
from tests.binary.programs import Source, write_sources

VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "plain": ((), {"GOARCH": "amd64"}),
    "stripped": (("-ldflags=-s -w",), {"GOARCH": "amd64"}),
    "pie": (("-buildmode=pie", "-ldflags=-s -w", "-trimpath"), {"GOARCH": "amd64"}),
    "arm64": ((), {"GOARCH": "arm64"}),
    "arm64-pie": (("-buildmode=pie", "-ldflags=-s -w"), {"GOARCH": "arm64"}),
}
"""Flags and environment for each way to build the program."""


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return write_sources(tmp_path_factory.mktemp("binaries"))


def built(sources: Source, go: Go, variant: str) -> Path:
    flags, env = VARIANTS[variant]
    return sources.build(go, "probe", f"probe-{go.version[1]}-{variant}", *flags, **env)


@pytest.fixture(scope="session")
def plain(sources: Source, go: Go) -> GoProgram:
    """The program for amd64 with everything in it."""
    return GoProgram.read(built(sources, go, "plain"))


@pytest.fixture(scope="session")
def stripped(sources: Source, go: Go) -> GoProgram:
    return GoProgram.read(built(sources, go, "stripped"))


@pytest.fixture(scope="session")
def small(sources: Source, go: Go) -> Path:
    """The smallest Go program, to damage copies of."""
    return sources.build(go, "small", "small-whole", GOARCH="amd64")


@pytest.fixture(scope="session", params=list(VARIANTS))
def variant(request: pytest.FixtureRequest, sources: Source, any_go: Go) -> GoProgram:
    """The program built in each way by each Go."""
    return GoProgram.read(built(sources, any_go, request.param))
