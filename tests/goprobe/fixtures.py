"""The fuzz targets of this folder, built with each Go under test, and how to talk to them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.corpus import GoType, Value, file_name
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Worker, WorkerSpec

TARGETS: dict[str, tuple[GoType, ...]] = {
    **{
        "Fuzz" + ("Bytes" if kind is GoType.BYTES else kind.capitalize()): (kind,)
        for kind in GoType
    },
    "FuzzBytesBytes": (GoType.BYTES, GoType.BYTES),
    "FuzzBytesString": (GoType.BYTES, GoType.STRING),
    "FuzzBytesStringBytesInt": (GoType.BYTES, GoType.STRING, GoType.BYTES, GoType.INT),
    "FuzzAll": tuple(GoType),
}
"""Name of each target and what it takes."""

StartProbe = Callable[..., Worker]


@pytest.fixture(scope="session")
def probe(any_go: Go, tmp_path_factory: pytest.TempPathFactory) -> FuzzBinary:
    """The fuzz binary of this folder."""
    source = Path(__file__).parent
    root = tmp_path_factory.mktemp("probe") / "probe"
    root.mkdir()
    for name in ("go.mod", "probe.go", "probe_test.go"):
        shutil.copy(source / name, root)
    (package,) = toolchain.list_packages(any_go, ["."], root)
    return toolchain.build_fuzz_binary(any_go, package)


@pytest.fixture
def start_probe(probe: FuzzBinary, tmp_path: Path) -> Iterator[StartProbe]:
    """Start a worker of the named target; a mode for the probe and a size of shared memory."""
    made: list[Worker] = []

    def start(target: str, mode: str = "", shm_size: int = 1 << 20) -> Worker:
        spec = WorkerSpec(probe.path, target, probe.cwd, shm_size=shm_size, env=(("PROBE", mode),))
        worker = Worker(spec, tmp_path / f"worker-{len(made)}")
        made.append(worker)
        worker.start()
        return worker

    yield start
    for worker in made:
        worker.close()


def show(values: Sequence[Value]) -> str:
    """*values* as the probe says them."""
    return ",".join(_show(value.raw) for value in values)


def _show(raw: bytes | bool | int) -> str:
    if isinstance(raw, bytes):
        return raw.hex()
    return str(raw).lower()


def said(message: str) -> str:
    """What the probe said in a failure."""
    match = re.search(r"VALUES (\S*)", message)
    assert match is not None, message
    return match[1]


def go_reads(
    probe: FuzzBinary, folder: Path, files: dict[str, list[bytes]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Let Go read corpus *files* of targets, with `go test -run`'s own reader, below *folder*.

    Gives by file name what the probe got from each, and Go's complaint about each it refused. One
    refused file keeps all others of its target from running.
    """
    for target, contents in files.items():
        place = folder / "testdata" / "fuzz" / target
        place.mkdir(parents=True)
        for data in contents:
            (place / file_name(data)).write_bytes(data)
    run = subprocess.run(
        [probe.path, f"-test.run=^({'|'.join(files)})$"],
        cwd=folder, env={"PROBE": "print"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    output = run.stdout + run.stderr
    values = dict(re.findall(r"^VALUES Fuzz\w+/(\w+) (\S*)$", output, re.MULTILINE))
    refused = dict(re.findall(r'"testdata/fuzz/\w+/(\w+)": (.*)$', output, re.MULTILINE))
    assert values or refused, output
    return values, refused
