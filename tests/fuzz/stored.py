"""Columns of the campaign database that hold more than SQLite checks: names, packed coverage."""

import zlib

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.coverage import pack, unpack
    from gofuzzsec.store.encoding import unpack_names

SEEDS = (
    b"\0" + zlib.compress(b"\1\0\0\0\2\0\0\0", 1),
    b"\0" + zlib.compress(bytes(400), 1),
    b'\1["a","b"]',
    b"\2\1\0\0\0\5\0\0\0",
    b"\1" + b"[" * 100,
)


def read(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind == b"\1":
        try:
            names = unpack_names(rest.decode("utf-8", "replace"))
        except ValueError:
            return
        assert all(isinstance(name, str) for name in names)
    else:
        found = unpack(zlib.compress(rest, 1) if kind == b"\2" else rest)
        if len(found) and bool((found[1:] >= found[:-1]).all()):
            assert list(unpack(pack(found))) == list(found)


if __name__ == "__main__":
    fuzz(read, SEEDS, longest=1024)
