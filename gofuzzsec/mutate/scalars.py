"""How Go changes integers and floats: a small step up or down, or for floats a small factor.

Source: ``internal/fuzz/mutator.go``, the same from Go 1.21 to 1.27. All loops draw until a step
applies; for every value at least one does.
"""

from __future__ import annotations

import sys

from gofuzzsec.corpus.floats import is_nan, to_bits, to_float
from gofuzzsec.corpus.integers import INTEGER_RANGE
from gofuzzsec.corpus.values import GoType
from gofuzzsec.mutate.pcg import Pcg

_LARGEST_STEP = 100
_LARGEST_FACTOR = 10

_LARGEST_FLOAT = {
    GoType.FLOAT32: to_float(0x7F7FFFFF, GoType.FLOAT32),
    GoType.FLOAT64: sys.float_info.max,
}
# Arithmetic on a NaN keeps its sign and payload and sets this bit.
_QUIET = {GoType.FLOAT32: 1 << 22, GoType.FLOAT64: 1 << 51}


def mutate_integer(rng: Pcg, value: int, kind: GoType) -> int:
    """*value* plus or minus 1 to 100, not beyond the type's range."""
    low, high = INTEGER_RANGE[kind]
    if low == 0:
        return _mutate_unsigned(rng, value, high)
    return _mutate_signed(rng, value, high)


def _mutate_signed(rng: Pcg, value: int, limit: int) -> int:
    """Both directions stop at *limit*: the type's smallest value is never produced."""
    while True:
        up = rng.intn(2) == 0
        if up and value < limit:
            room = limit - value if value > 0 else _LARGEST_STEP
            return value + 1 + rng.intn(min(room, _LARGEST_STEP))
        if not up and value > -limit:
            room = limit + value if value < 0 else _LARGEST_STEP
            return value - 1 - rng.intn(min(room, _LARGEST_STEP))


def _mutate_unsigned(rng: Pcg, value: int, limit: int) -> int:
    while True:
        up = rng.intn(2) == 0
        if up and value < limit:
            return value + 1 + rng.intn(min(limit - value, _LARGEST_STEP))
        if not up and value > 0:
            return value - 1 - rng.intn(min(value, _LARGEST_STEP))


def mutate_float(rng: Pcg, bits: int, kind: GoType) -> int:
    """The bits of the changed value. Go computes in float64 for both types.

    A NaN takes part in the draws, all comparisons with it being false, and stays the NaN it is.
    """
    changed = _mutate_float64(rng, to_float(bits, kind), _LARGEST_FLOAT[kind])
    return bits | _QUIET[kind] if is_nan(bits, kind) else to_bits(changed, kind)


def _mutate_float64(rng: Pcg, value: float, limit: float) -> float:
    while True:
        match rng.intn(4):
            case 0:
                if value >= limit:
                    continue
                room = _LARGEST_STEP if not value > 0 else _at_most(limit - value, _LARGEST_STEP)
                return value + (1 + rng.intn(room))
            case 1:
                if value <= -limit:
                    continue
                room = _LARGEST_STEP if not value < 0 else _at_most(limit + value, _LARGEST_STEP)
                return value - (1 + rng.intn(room))
            case 2:
                if value == 0 or abs(value) >= limit:
                    continue
                room = _at_most(limit / abs(value), _LARGEST_FACTOR)
                return value * (1 + rng.intn(room))
            case _:
                if value == 0:
                    continue
                return value / (1 + rng.intn(_LARGEST_FACTOR))


def _at_most(room: float, largest: int) -> int:
    """*room*, which may be NaN or infinite, in whole steps, but no more than *largest*."""
    return int(room) if room < largest else largest
