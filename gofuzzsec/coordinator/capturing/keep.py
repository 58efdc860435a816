"""Putting captures into the campaign store, as evidence that profiles merge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.coordinator.capturing.model import Captured
from gofuzzsec.coverage.profile import Coverage
from gofuzzsec.store import Statements, Store, TargetRow
from gofuzzsec.toolchain.model import Package

_LONGEST_LABEL = 500


def keep_command(folder: Path, captured: Captured) -> None:
    """Keep a command's capture in the campaign at *folder*, beside all earlier ones.

    Each run is evidence of its own, also the second of the same command line: what the first showed
    must not be lost because the second took another turn. Raises StoreError.
    """
    with Store.create(folder) as store:
        row = store.add_program(
            captured.import_path or captured.program.name, binary=str(captured.program)
        )
        taken = {each.label for each in store.captures(row.id)}
        label = _unused(captured.subject[:_LONGEST_LABEL], taken)
        recording = captured.everything.recording
        statements = _statements(captured.coverage)
        store.add_capture(row.id, "integration", label, recording, statements=statements)


def keep_tests(folder: Path, package: Package, label: str, captured: Captured) -> None:
    """Keep what the tests of *package* did, in place of an earlier run with the same *label*.

    It goes to the fuzz tests of the package that the campaign knows, else to the package itself.
    Raises StoreError.
    """
    with Store.create(folder) as store:
        rows: Sequence[TargetRow] = [
            row for row in store.targets() if row.import_path == package.import_path
        ]
        if not rows:
            rows = [
                store.add_program(
                    package.import_path, str(package.dir), str(package.module_dir or "")
                )
            ]
        statements = _statements(captured.coverage)
        for row in rows:
            recording = captured.everything.recording
            store.add_capture(row.id, "tests", label, recording, statements=statements)


def check_store(folder: Path) -> None:
    """Raise StoreError now for a campaign that could not be written later."""
    Store.create(folder).close()


def _unused(label: str, taken: set[str]) -> str:
    number = 1
    while (name := label if number == 1 else f"{label} ({number})") in taken:
        number += 1
    return name


def _statements(coverage: dict[str, Coverage]) -> Statements | None:
    total = sum(each.statements for each in coverage.values())
    return Statements(sum(each.covered for each in coverage.values()), total) if total else None
