"""The time series of each target."""

from __future__ import annotations

from gofuzzsec.store.database import Database
from gofuzzsec.store.model import StatRow


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
