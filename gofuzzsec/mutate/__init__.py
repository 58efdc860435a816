"""Go's own mutations, bit for bit, on values in memory.

`pcg` is the random generator of a Go fuzz worker, `byteslice` and `scalars` are its mutations,
`mutator` puts them together as Go does, shared scratch buffer and all. `replay` rebuilds the input
behind a worker's find.
"""

from gofuzzsec.mutate.mutator import Mutator, replay
from gofuzzsec.mutate.pcg import Pcg

__all__ = ["Mutator", "Pcg", "replay"]
