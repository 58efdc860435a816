"""Fuzz targets and the builds they were run with; captured programs beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from gofuzzsec.errors import StoreError, UsageError
from gofuzzsec.store.database import Database, Row
from gofuzzsec.store.encoding import pack_names, text, unpack_names
from gofuzzsec.store.model import BuildRow, TargetRow
from gofuzzsec.store.problems import damaged

_SELECT = (
    "SELECT id, import_path, name, package_dir, module_dir, binary, types, external FROM target"
)


class Targets(Database):
    """A target is its import path and name; where its package and binary are may change.

    A captured program (or a package whose tests were captured) is a target without a name: it has
    recordings, and never inputs, builds or crashes.
    """

    def add_target(
        self,
        import_path: str,
        name: str,
        package_dir: str,
        module_dir: str,
        binary: str,
        external: bool,
    ) -> TargetRow:
        """The target, made when new; a known one takes the folders and binary given now.

        Its id and its types stay. Raises StoreError.
        """
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO target (import_path, name, package_dir, module_dir, binary, types,"
                " external) VALUES (?, ?, ?, ?, ?, '[]', ?)"
                " ON CONFLICT (import_path, name) DO UPDATE SET package_dir = excluded.package_dir,"
                " module_dir = excluded.module_dir, binary = excluded.binary,"
                " external = excluded.external",
                (
                    text(import_path),
                    text(name),
                    os.fsencode(package_dir),
                    os.fsencode(module_dir),
                    os.fsencode(binary),
                    external,
                ),
            )
        row = self._row(
            f"{_SELECT} WHERE import_path = ? AND name = ?", (text(import_path), text(name))
        )
        assert row is not None  # just written, and nobody else may write
        return self._target(row)

    def add_program(
        self, import_path: str, package_dir: str = "", module_dir: str = "", binary: str = ""
    ) -> TargetRow:
        """What captures of no fuzz test belong to, made when new, else with the folders given now.

        *import_path* is that of the program's main package or of the tested package; of a program
        that has none, its file name. Raises StoreError.
        """
        return self.add_target(import_path, "", package_dir, module_dir, binary, external=False)

    def set_types(self, target_id: int, types: Sequence[str]) -> None:
        """Set the target's argument types. Raises StoreError, also when there is no such target."""
        with self._writing() as connection:
            changed = connection.execute(
                "UPDATE target SET types = ? WHERE id = ?", (pack_names(types), target_id)
            )
            if changed.rowcount == 0:
                raise StoreError(f"{self.path}: no target has the id {target_id}")

    def targets(self, *, programs: bool = False) -> list[TargetRow]:
        """All fuzz tests, in the order in which they were added; with *programs* also captured
        programs, after them. Raises StoreError.
        """
        rows = [self._target(row) for row in self._rows(f"{_SELECT} ORDER BY name = '', id")]
        return [row for row in rows if programs or row.name]

    def target(self, spec: str, *, programs: bool = False) -> TargetRow:
        """The one target *spec* means: ``import/path.FuzzX``, ``FuzzX``, or the end of the former.

        With *programs* it may be a captured program too: ``import/path``, or an end of that. A
        whole name wins over an end at a slash (``pkg.FuzzX``), and that over any other end.
        Raises UsageError when no target or more than one fits, StoreError.
        """
        rows = self.targets(programs=programs)
        if not spec:
            raise UsageError(f"expected a fuzz test's name, found none; {_choices(rows)}")
        fits = (
            [row for row in rows if row.full_name == spec],
            [row for row in rows if row.name == spec],
            [row for row in rows if row.full_name.endswith(f"/{spec}")],
            [row for row in rows if row.full_name.endswith(spec)],
        )
        found = next((found for found in fits if found), [])
        if not found:
            raise UsageError(f"no fuzz test {spec!r} in this campaign; {_choices(rows)}")
        if len(found) > 1:
            raise UsageError(f"{spec!r} means more than one fuzz test; {_choices(found)}")
        return found[0]

    def add_build(self, target_id: int, key: str, go_version: str, counters: int) -> None:
        """Register the binary a target is run with from now on. Raises StoreError."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO build (target_id, key, go_version, counters, used_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (target_id, key) DO UPDATE SET"
                " go_version = excluded.go_version, counters = excluded.counters,"
                " used_at = excluded.used_at",
                (target_id, text(key), text(go_version), counters, time.time()),
            )

    def builds(self, target_id: int) -> list[BuildRow]:
        """The builds of a target, the last used last. Raises StoreError."""
        rows = self._rows(
            "SELECT key, go_version, counters, used_at FROM build WHERE target_id = ?"
            " ORDER BY used_at, key",
            (target_id,),
        )
        return [BuildRow(*self._typed(row, str, str, int, float)) for row in rows]

    def _target(self, row: Row) -> TargetRow:
        number, import_path, name, package_dir, module_dir, binary, types, external = self._typed(
            row, int, str, str, bytes, bytes, bytes, str, int
        )
        try:
            names = unpack_names(types)
        except ValueError as error:
            raise damaged(self.path, f"argument types {types[:80]!r}") from error
        return TargetRow(
            id=number,
            import_path=import_path,
            name=name,
            package_dir=os.fsdecode(package_dir),
            module_dir=os.fsdecode(module_dir),
            binary=os.fsdecode(binary),
            types=names,
            external=bool(external),
        )


def _choices(rows: Sequence[TargetRow]) -> str:
    if not rows:
        return "it has none yet"
    return "choose one of: " + ", ".join(row.full_name for row in rows)
