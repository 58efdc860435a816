"""The time series of each target, and how many executions showed what."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gofuzzsec.store.database import Database
from gofuzzsec.store.encoding import text
from gofuzzsec.store.model import Incidence, StatRow

_EPOCHS_A_DOUBLING = 4
"""Epochs of incidences while the number of executions doubles: 200 in a campaign of 10^15."""


class Statistics(Database):
    """Points in the order in which they were added; counts are totals since the campaign began."""

    def add_stats(
        self,
        target_id: int,
        at: float,
        executions: int,
        edges: int,
        corpus: int,
        syscalls: int,
        crashes: int,
        cpu_seconds: float,
    ) -> None:
        """Add one point (values as in StatRow). Raises StoreError."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO stat (target_id, at, executions, edges, corpus, syscalls, crashes,"
                " cpu_seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (target_id, at, executions, edges, corpus, syscalls, crashes, cpu_seconds),
            )

    def series(self, target_id: int) -> list[StatRow]:
        """All points of a target, oldest first. Raises StoreError."""
        rows = self._rows(
            "SELECT at, executions, edges, corpus, syscalls, crashes, cpu_seconds FROM stat"
            " WHERE target_id = ? ORDER BY id",
            (target_id,),
        )
        return [StatRow(*self._typed(row, float, int, int, int, int, int, float)) for row in rows]

    def executions(self, target_id: int) -> int:
        """The total at the last point, 0 before the first. Raises StoreError."""
        row = self._row(
            "SELECT executions FROM stat WHERE target_id = ? ORDER BY id DESC LIMIT 1",
            (target_id,),
        )
        return 0 if row is None else int(self._typed(row, int)[0])

    def add_incidence(self, target_id: int, executions: int, counts: Mapping[str, int]) -> None:
        """Add *executions*, and to each behaviour in how many of them it showed.

        Numbers are at least 0, names not empty. Raises StoreError.
        """
        rows = [("", executions), *((text(name), count) for name, count in counts.items())]
        if min(count for _, count in rows) < 0 or "" in counts:
            raise ValueError("expected named behaviours and counts of at least 0")
        with self._writing() as connection:
            (before,) = connection.execute(
                "SELECT coalesce(sum(executions), 0) FROM incidence"
                " WHERE target_id = ? AND behaviour = ''",
                (target_id,),
            ).fetchone()
            epoch = int(_EPOCHS_A_DOUBLING * math.log2(before + 1))
            connection.executemany(
                "INSERT INTO incidence (target_id, epoch, behaviour, executions)"
                " VALUES (?, ?, ?, ?) ON CONFLICT (target_id, epoch, behaviour)"
                " DO UPDATE SET executions = executions + excluded.executions",
                [(target_id, epoch, name, count) for name, count in rows],
            )

    def incidence(self, target_id: int) -> tuple[Incidence, ...]:
        """The sums of `add_incidence`, one an epoch, in order. Raises StoreError."""
        rows = self._rows(
            "SELECT epoch, behaviour, executions FROM incidence WHERE target_id = ?"
            " ORDER BY epoch, behaviour",
            (target_id,),
        )
        epochs: dict[int, dict[str, int]] = {}
        for row in rows:
            epoch, name, count = self._typed(row, int, str, int)
            epochs.setdefault(epoch, {})[name] = count
        return tuple(Incidence(counts.pop("", 0), counts) for counts in epochs.values())
