"""GOCOVERDIR around a command: where programs built with ``-cover`` leave their counters."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Self

from gofuzzsec.coordinator.capturing.program import Program
from gofuzzsec.coverage.covdata import VARIABLE, counter_files, read_covdata
from gofuzzsec.coverage.profile import Coverage, by_package
from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.toolchain import find_go


class CoverDir:
    """The folder for one run of a command. A context manager: a folder of ours goes at the end.

    The user's own GOCOVERDIR stays what it is; only what this run adds to it is read. Where there
    is none, a program built with -cover is given one, for it warns on standard error otherwise.
    """

    def __init__(self, program: Program) -> None:
        self.added: dict[str, str] = {}
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._folder: Path | None = None
        self._before: frozenset[str] = frozenset()
        given = os.environ.get(VARIABLE, "")
        if given:
            self._folder = Path(given).absolute()
            self._before = counter_files(self._folder)
        elif program.counts_statements:
            self._scratch = tempfile.TemporaryDirectory(
                prefix="gofuzzsec-cover-", ignore_cleanup_errors=True
            )
            self._folder = Path(self._scratch.name)
            self.added = {VARIABLE: self._scratch.name}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._scratch is not None:
            self._scratch.cleanup()

    def read(self, go: str | None) -> tuple[dict[str, Coverage], str]:
        """Statements by package, and why there are none where there should be some, "" else."""
        if self._folder is None or not counter_files(self._folder) - self._before:
            lost = "the program left no coverage data: it did not end by itself"
            return {}, lost if self._scratch is not None else ""
        try:
            return by_package(read_covdata(find_go(go), self._folder, self._before)), ""
        except GofuzzsecError as error:
            return {}, f"the program's coverage cannot be read: {error}"
