"""A small campaign directory, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from gofuzzsec.cli import main
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.coverage import pack
from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from tests.cli.tiny import tiny

__all__ = ["tiny"]

Run = Callable[..., Result]


def entry(text: bytes) -> bytes:
    """A corpus file of one string."""
    return marshal([Value(GoType.STRING, text)])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder, as from a shell."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def invoke(*args: str) -> Result:
        return CliRunner().invoke(main, args, prog_name="gofuzzsec")

    return invoke


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A campaign of example.org/m.FuzzParse (own) and encoding/json.FuzzText (external).

    FuzzParse has three inputs (f.Add, testdata, fuzz), all recorded but the last, a crash, and
    records of its tests and of the baseline.
    """
    folder = tmp_path / "campaign"
    package = tmp_path / "module"
    package.mkdir()
    with Store.create(folder) as store:
        target = store.add_target(
            "example.org/m", "FuzzParse", str(package), str(package), "", external=False
        )
        store.set_types(target.id, ("string",))
        store.add_target("encoding/json", "FuzzText", "/go/src/encoding/json", "", "", True)
        rows = [
            store.add_input(
                target.id,
                data=entry(text),
                source=source,
                why=why,
                parent=None,
                exec_ns=1500 * (index + 1),
                build_key="abc",
                coverage=pack(np.array([8, 9, 16 + 8 * index], dtype=np.uint32)),
                found_at=1700000000.0 + index,
            )
            for index, (text, source, why) in enumerate(
                [
                    (b"one", "seed-add", "seed"),
                    (b"two", "seed-testdata", "seed"),
                    (b"three", "fuzz", "coverage"),
                ]
            )
        ]
        uses = (
            SyscallUse("mkdirat", Origin.TARGET, 2, stack=("os.Mkdir", "m.Parse")),
            SyscallUse("futex", Origin.RUNTIME, 9),
        )
        store.add_recording(target.id, rows[0].id, Recording(uses[1:]), "seeds", arch="amd64")
        store.add_recording(target.id, rows[1].id, Recording(uses), "fuzz", arch="amd64")
        tests = (SyscallUse("openat", Origin.TARGET, 3),)
        store.add_process_recording(target.id, "tests", Recording(tests), arch="amd64")
        start = (SyscallUse("mmap", Origin.UNKNOWN, 20), SyscallUse("futex", Origin.UNKNOWN, 4))
        store.add_process_recording(target.id, "baseline", Recording(start), arch="amd64")
        store.add_crash(
            target.id,
            hash="0123456789abcdef",
            kind="crash",
            key="k1",
            summary="panic: \x1b[2Jboom",
            output="panic: boom\n\ngoroutine 1 [running]:\n",
            data=entry(b"boom"),
            original=entry(b"boom and more"),
            path=str(package / "testdata" / "fuzz" / "FuzzParse" / "0123456789abcdef"),
            reproduced=True,
            found_at=1700000000.0,
        )
    return folder
