"""The campaign database: everything a campaign has found, in one SQLite file that outlives it.

`Store` is the only door: ``Store.create`` for the one process that writes, ``Store.open_readonly``
for any number that read. It takes and gives frozen rows, keeps each thing in a transaction of its
own, and turns whatever SQLite or the disk have to complain about into StoreError. `database` opens
and guards the file, `schema` is its tables (`upgrade` makes older ones anew, `sums` keeps up what
follows from others), and each of `targets`, `inputs`, `evidence`, `crashes` and `stats` holds the
methods on one part of them.
"""

from gofuzzsec.store.model import (
    BuildRow,
    CrashRow,
    Incidence,
    InputRow,
    RecordingRow,
    Statements,
    StatRow,
    SyscallRow,
    TargetRow,
)
from gofuzzsec.store.store import Store

__all__ = [
    "BuildRow",
    "CrashRow",
    "Incidence",
    "InputRow",
    "RecordingRow",
    "StatRow",
    "Statements",
    "Store",
    "SyscallRow",
    "TargetRow",
]
