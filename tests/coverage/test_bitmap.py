"""Snapshots, features and their packed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.coverage import as_array, edges, features, from_features, pack, unpack
from gofuzzsec.errors import StoreError

buckets = st.sampled_from([0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128])
snapshots = st.lists(buckets, max_size=300).map(bytes)
masks = st.binary(max_size=300)


@given(snapshots | masks)
def test_features_name_each_bit_once_and_give_the_snapshot_back(snapshot: bytes) -> None:
    array = as_array(snapshot)
    found = features(array)
    expected = [
        i * 8 + bit for i, byte in enumerate(snapshot) for bit in range(8) if byte >> bit & 1
    ]
    assert found.tolist() == expected
    assert from_features(found, len(snapshot)).tobytes() == snapshot


@given(snapshots | masks)
def test_packing_loses_nothing(snapshot: bytes) -> None:
    found = features(as_array(snapshot))
    assert np.array_equal(unpack(pack(found)), found)


@pytest.mark.parametrize("packed", [b"", b"garbage", pack(np.array([1], dtype=np.uint32))[:-3]])
def test_damage_is_named(packed: bytes) -> None:
    with pytest.raises(StoreError, match="damaged"):
        unpack(packed)


def test_edges_are_counters_above_zero() -> None:
    assert edges(as_array(b"\x00\x01\x81\x00")) == 2
