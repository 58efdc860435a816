"""Ask a test binary which fuzz targets it has."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.errors import BuildError
from gofuzzsec.toolchain.packages import is_fuzz_name
from gofuzzsec.toolchain.process import run

LIST_TIMEOUT = 60.0  # seconds: a TestMain may start a database before it lists


def list_targets(
    binary: Path, cwd: Path, declared: Sequence[str] = (), timeout: float = LIST_TIMEOUT
) -> tuple[str, ...]:
    """Fuzz targets of a test binary, in source order: runs it with ``-test.list`` in *cwd*.

    *declared* are the names that its sources declare, empty when there are none to look at. A
    TestMain may print anything, so only names count that are declared, or could be a target's.
    Raises BuildError with the binary's output when it names no target.
    """
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-", ignore_cleanup_errors=True) as scratch:
        env = {**os.environ, "TMPDIR": scratch, "PWD": str(cwd)}
        try:
            done = run([binary, "-test.list=^Fuzz"], cwd=cwd, env=env, timeout=timeout)
        except OSError as error:
            raise BuildError(
                f"expected to run {binary} in {cwd}, found: {error.strerror or error}"
            ) from error
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    names = _declared_in(lines, declared) if declared else _names_in(lines)
    if not names:
        what = " or ".join(declared[:3]) or "a fuzz target (FuzzXxx)"
        raise BuildError(
            f"expected {binary.name} -test.list=^Fuzz to list {what}, found {done.ending} and "
            "no such name; its TestMain has to call m.Run. Its output:",
            done.output or "(nothing)",
        )
    return names


def _names_in(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for line in lines if is_fuzz_name(line)))


def _declared_in(lines: Sequence[str], declared: Sequence[str]) -> tuple[str, ...]:
    """Names with a line of their own, or at the end of a line that something else began."""
    whole = set(lines) & set(declared)
    mixed = tuple(line for line in lines if line not in whole)
    return tuple(
        name
        for name in dict.fromkeys(declared)
        if name in whole or any(line.endswith(name) for line in mixed)
    )
