"""The campaign database as the rest of the program sees it."""

from __future__ import annotations

from pathlib import Path

from gofuzzsec.store.crashes import Crashes
from gofuzzsec.store.database import open_for_reading, open_for_writing
from gofuzzsec.store.evidence import Evidence
from gofuzzsec.store.inputs import Inputs
from gofuzzsec.store.stats import Statistics
from gofuzzsec.store.targets import Targets


class Store(Targets, Inputs, Evidence, Crashes, Statistics):
    """Everything a campaign keeps, in ``campaign.db`` of its directory.

    One writer at a time, any number of readers beside it; one thread each. What a method kept when
    it returned survives SIGKILL of the process at any later moment (a power cut may take the last
    moments: the log is synced at checkpoints only). A context manager; `close` ends it.
    """

    @classmethod
    def create(cls, directory: Path) -> Store:
        """Open the campaign in *directory* for writing, or begin one there.

        A new directory of ours gets a ``.gitignore`` that hides it. The database is checked from
        end to end first (half a second for tens of thousands of inputs). Raises StoreError when
        another process writes to it (named by its pid), when it is damaged, of a newer version or
        no campaign database at all (the file then stays as it is), and when the directory cannot
        be written.
        """
        path, connection, lock = open_for_writing(directory)
        return cls(path, connection, lock)

    @classmethod
    def open_readonly(cls, directory: Path) -> Store:
        """Open the campaign in *directory* for reading, also while another process writes.

        Needs no write permission, except that a directory one may not write cannot be read while
        its log holds anything. Raises StoreError when there is no campaign (with how to start
        one), and when it is damaged, of a newer version or no campaign database at all.
        """
        path, connection = open_for_reading(directory)
        return cls(path, connection)
