"""Short ways to fill a store, and what must hold of its evidence."""

from __future__ import annotations

from collections import Counter

from gofuzzsec.store import CrashRow, InputRow, Store, SyscallRow, TargetRow
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse


def corpus_file(text: str) -> bytes:
    """A marshalled input of one string; *text* must need no escapes."""
    return f'go test fuzz v1\nstring("{text}")\n'.encode()


def add_target(store: Store, name: str = "FuzzA", import_path: str = "example.org/m") -> TargetRow:
    return store.add_target(import_path, name, "/src/m", "/src/m", "", False)


def add_input(
    store: Store,
    target_id: int,
    text: str,
    parent: int | None = None,
    coverage: bytes = b"cover",
    found_at: float = 1000.0,
) -> InputRow:
    return store.add_input(
        target_id,
        data=corpus_file(text),
        source="fuzz",
        why="coverage",
        parent=parent,
        exec_ns=1500,
        build_key="b0",
        coverage=coverage,
        found_at=found_at,
    )


def add_crash(
    store: Store, target_id: int, key: str = "panic: a", hash: str = "0123456789abcdef"
) -> tuple[CrashRow, bool]:
    return store.add_crash(
        target_id,
        hash=hash,
        kind="crash",
        key=key,
        summary="index out of range",
        output="panic: runtime error\n\ngoroutine 1 [running]:\n",
        data=corpus_file("small"),
        original=corpus_file("large"),
        path="/src/m/testdata/fuzz/FuzzA/0123456789abcdef",
        reproduced=True,
        found_at=1234.5,
    )


def calls(*names: str, origin: Origin = Origin.TARGET, stable: bool = True) -> Recording:
    """A complete recording that saw each of *names* once."""
    return Recording(tuple(SyscallUse(name, origin, 1, stable) for name in names))


def only(rows: list[SyscallRow], name: str) -> SyscallRow:
    (row,) = (row for row in rows if row.name == name)
    return row


def check_sums(store: Store, target_id: int) -> None:
    """The summed table agrees with what the inputs now kept say, one by one."""
    counts: Counter[tuple[str, ...]] = Counter()
    inputs: Counter[tuple[str, ...]] = Counter()
    shown: dict[tuple[str, ...], set[str]] = {}
    for row in store.inputs(target_id):
        for use in store.input_syscalls(row.id):
            key = (use.name, use.kind, str(use.args), use.outcome.value, use.origin.value)
            counts[key] += use.count
            inputs[key] += 1
            shown.setdefault(key, set()).add(row.hash)
    summed: Counter[tuple[str, ...]] = Counter()
    showing: Counter[tuple[str, ...]] = Counter()
    for total in store.syscalls(target_id):
        if total.source not in ("seeds", "fuzz"):
            continue
        key = (total.name, total.kind, str(total.args), total.outcome, total.origin)
        summed[key] += total.count
        showing[key] += total.inputs
        if total.inputs:
            assert total.first_input in shown[key]
    assert +summed == counts
    assert +showing == inputs
