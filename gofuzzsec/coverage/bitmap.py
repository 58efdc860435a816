"""Coverage of one execution, and of everything so far, as numpy arrays.

A *snapshot* is one byte a counter as a worker sends it: the highest set bit of the counter's
value, so one of eight *buckets* (1, 2-3, 4-7, … 128-255), or 0. A *feature* is one
(counter, bucket) pair, numbered ``counter * 8 + bucket``: what makes an input interesting.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from gofuzzsec.errors import StoreError

Bytes = npt.NDArray[np.uint8]
Features = npt.NDArray[np.uint32]

_BIT_OF = np.zeros(256, dtype=np.uint8)
for _bit in range(8):
    _BIT_OF[1 << _bit] = _bit


def as_array(snapshot: bytes) -> Bytes:
    """A read-only view of *snapshot*, one element a counter."""
    return np.frombuffer(snapshot, dtype=np.uint8)


def features(snapshot: Bytes) -> Features:
    """Sorted features of *snapshot*; bytes with several bits set give several features."""
    counters = np.flatnonzero(snapshot).astype(np.uint32)
    values = snapshot[counters]
    if not np.any(values & (values - 1)):
        return counters * np.uint32(8) + _BIT_OF[values]
    bits = np.unpackbits(values[:, None], axis=1, bitorder="little")
    rows, buckets = np.nonzero(bits)
    return counters[rows] * np.uint32(8) + buckets.astype(np.uint32)


def from_features(found: Features, counters: int) -> Bytes:
    """The snapshot of *counters* bytes that has exactly these features."""
    snapshot = np.zeros(counters, dtype=np.uint8)
    np.bitwise_or.at(snapshot, found >> 3, (1 << (found & 7)).astype(np.uint8))
    return snapshot


def pack(found: Features) -> bytes:
    """*found* (sorted) as bytes for the store: zlib over the little-endian uint32 differences."""
    steps = np.diff(found, prepend=np.uint32(0)).astype("<u4")
    return zlib.compress(steps.tobytes(), 1)


def unpack(packed: bytes) -> Features:
    """The features `pack` was given. Raises StoreError when *packed* is not from `pack`."""
    try:
        raw = zlib.decompress(packed)
        steps = np.frombuffer(raw, dtype="<u4")
    except (zlib.error, ValueError) as error:
        raise StoreError(
            f"expected packed coverage in the campaign database, found {len(packed)} bytes that "
            "are none: the database is damaged; export what it holds and begin a new one"
        ) from error
    return np.cumsum(steps, dtype=np.uint32)


def edges(known: Bytes) -> int:
    """Counters that were ever above zero."""
    return int(np.count_nonzero(known))
