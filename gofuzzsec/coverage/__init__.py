"""Counter snapshots of workers as arrays: what an execution reached, and packing it for the
store. Knows nothing of processes or inputs."""

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
