"""Coverage data of programs built with ``go build -cover``: what they leave in GOCOVERDIR.

Only ``go tool covdata`` reads them: their format is Go's own and may change with its version.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from gofuzzsec.coverage.profile import Block, read_profile
from gofuzzsec.errors import CoverageError
from gofuzzsec.toolchain.find import run_go
from gofuzzsec.toolchain.model import Go

VARIABLE = "GOCOVERDIR"
"""Environment variable that names the folder."""

_META, _COUNTERS = "covmeta.", "covcounters."


def counter_files(folder: Path) -> frozenset[str]:
    """Names of the files with counters in *folder*: one for each process that ended in good order.

    None of them when there is no such folder.
    """
    try:
        return frozenset(path.name for path in folder.iterdir() if path.name.startswith(_COUNTERS))
    except OSError:
        return frozenset()


def read_covdata(go: Go, folder: Path, without: Iterable[str] = ()) -> tuple[Block, ...]:
    """The blocks of all processes that left their counters in *folder*, counts added up.

    *without* names counter files to pass over: those of earlier runs. No blocks when nothing else
    is there. Raises CoverageError when *go* cannot read them, ToolchainError when it cannot run.
    """
    counters = counter_files(folder) - frozenset(without)
    if not counters:
        return ()
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-cover-") as name:
        scratch = Path(name)
        chosen = scratch / "data"
        chosen.mkdir()
        meta = [path.name for path in folder.iterdir() if path.name.startswith(_META)]
        for entry in (*meta, *counters):
            (chosen / entry).symlink_to(folder.absolute() / entry)
        text = scratch / "profile"
        command = ["tool", "covdata", "textfmt", f"-i={chosen}", f"-o={text}"]
        done = run_go(go.path, command, cwd=scratch, gowork="off")
        if done.status != 0 or not text.is_file():
            raise CoverageError(
                f"expected {go.text} to read the coverage data in {folder}, found {done.ending}: "
                f"{done.output[:2000] or 'no output'}; it must be the Go that built the program"
            )
        return read_profile(text)
