"""Static bounds kept in the cache folder: JSON that anybody who may write there has changed."""

import copy
import json
from typing import Any

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.syscalls.bound_cache import parse

PLACE = {"function": "syscall.Syscall", "file": "/a/b.go", "line": 3}
WHOLE: dict[str, Any] = {
    "arch": "amd64",
    "go_version": "go1.26.8",
    "roots": ["main"],
    "calls": [{"name": "read", "number": 0, "sites": [PLACE], "path": ["main.main"]}],
    "unknown": [{"place": PLACE, "why": "x", "path": []}],
    "opens": [{"kind": "exec", "what": "execve", "path": ["a"]}],
    "assumes": ["nothing"],
    "reached": 5,
    "functions": 9,
}
VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    1 << 70,
    1.5,
    "",
    "é",
    [],
    [[]],
    [None],
    {},
    [{}],
    [PLACE],
    PLACE,
)


def changed(data: bytes) -> bytes:
    """`WHOLE` with values put elsewhere; pairs of bytes say where and which."""
    whole = copy.deepcopy(WHOLE)
    for where, what in zip(data[::2], data[1::2], strict=False):
        value = copy.deepcopy(VALUES[what % len(VALUES)])
        names = list(WHOLE)
        name = names[where % len(names)]
        inner = whole.get(name)
        if where & 64 and isinstance(inner, list) and inner and isinstance(inner[0], dict):
            keys = list(inner[0]) or ["x"]
            inner[0][keys[what // 16 % len(keys)]] = value
        elif where & 128:
            whole.pop(name, None)
        else:
            whole[name] = value
    return json.dumps(whole).encode()


def read(data: bytes) -> None:
    text = changed(data[1:]) if data[:1] == b"\0" else data[1:]
    bound = parse(text)
    assert bound is None or bound.roots is not None


if __name__ == "__main__":
    assert parse(json.dumps(WHOLE).encode()) is not None
    seeds = [b"\0", b"\0\x03\x04", b"\0\x43\x22\x44\x11\x85\0", b"\1" + json.dumps(WHOLE).encode()]
    fuzz(read, [*seeds, b"\1" + b"[" * 200], words=[b'"calls":', b'"roots":', b'"sites":'])
