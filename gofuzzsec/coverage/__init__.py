"""Coverage: what ran of the code.

`bitmap` holds counter snapshots of workers as arrays: what an execution reached, and packing it for
the store; it knows nothing of processes or inputs. `profile` reads Go's cover profiles, statements
by source file, and `covdata` the files that programs built with ``go build -cover`` leave.
"""

from gofuzzsec.coverage.bitmap import (
    Bytes,
    Features,
    as_array,
    edges,
    features,
    from_features,
    pack,
    unpack,
)

__all__ = [
    "Bytes",
    "Features",
    "as_array",
    "edges",
    "features",
    "from_features",
    "pack",
    "unpack",
]
