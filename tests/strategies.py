"""Hypothesis strategies for the values that fuzz targets take, with a taste for edges."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from gofuzzsec.corpus.integers import INTEGER_RANGE
from gofuzzsec.corpus.values import GoType, Input, Value

_TEXT = st.text(max_size=40).map(str.encode)
_BYTES = st.one_of(
    st.binary(max_size=40),
    _TEXT,
    st.lists(st.sampled_from([b'"', b"\\", b"\n", b"\x7f", b"\xff", b"\xed\xa0\x80", b"'", b"`"]))
    .map(b"".join),
    st.tuples(_TEXT, st.binary(max_size=3), _TEXT).map(b"".join),
)  # fmt: skip
_FLOAT_SIZE = {GoType.FLOAT32: 32, GoType.FLOAT64: 64}


def _floats(size: int) -> st.SearchStrategy[int]:
    """Bit patterns: any at all, those of ordinary numbers, and the edges of the format."""
    fraction = 23 if size == 32 else 52
    infinity = ((1 << size - 1 - fraction) - 1) << fraction
    edges = [0, 1, (1 << fraction) - 1, 1 << fraction, infinity - 1, infinity, infinity + 1]
    edges += [infinity | 1 << fraction - 1, infinity | 1 << fraction - 1 | 1]
    signed = [edge | sign for edge in edges for sign in (0, 1 << size - 1)]
    powers = st.integers(0, infinity >> fraction).map(lambda exponent: exponent << fraction)
    return st.integers(0, (1 << size) - 1) | st.sampled_from(signed) | powers


def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    near = st.integers(0, 110)
    return st.one_of(
        st.integers(low, high),
        near.map(lambda step: low + step),
        near.map(lambda step: high - step),
        near.map(lambda step: max(low, step - 55)),
    )


def raws(kind: GoType) -> st.SearchStrategy[bytes | bool | int]:
    """Raw values of one type."""
    if kind in (GoType.BYTES, GoType.STRING):
        return _BYTES
    if kind is GoType.BOOL:
        return st.booleans()
    if kind in _FLOAT_SIZE:
        return _floats(_FLOAT_SIZE[kind])
    return _integers(*INTEGER_RANGE[kind])


def values(kind: GoType) -> st.SearchStrategy[Value]:
    """Values of one type."""
    return raws(kind).map(lambda raw: Value(kind, raw))


def inputs(kinds: Sequence[GoType]) -> st.SearchStrategy[Input]:
    """Inputs for a target with these arguments."""
    return st.tuples(*(values(kind) for kind in kinds))
