"""SIGKILL at any moment: what a method returned from is there, and what it did not is whole."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.store import Store
from gofuzzsec.syscalls.model import Origin, Recording, SyscallUse
from tests.store.children import Report, child
from tests.store.making import add_crash, add_input, add_target, calls, check_sums, corpus_file

ROUNDS = 25


def _campaign(campaign: Path, round_number: int) -> Any:
    """Work for a child: keep things until killed, reporting each once its method returned."""

    def work(report: Report) -> None:
        chance = random.Random(round_number)
        with Store.create(campaign) as store:
            target = add_target(store)
            report(["target", target.id])
            for number in range(100_000):
                _one_thing(store, target.id, f"{round_number}.{number}", chance, report)

    return work


def _one_thing(
    store: Store, target_id: int, name: str, chance: random.Random, report: Report
) -> None:
    size = chance.choice((1, 50, 20_000))
    row = add_input(store, target_id, name + "x" * size)
    report(["input", row.hash])
    if chance.random() < 0.7:
        use = SyscallUse(f"call{chance.randrange(50)}", Origin.TARGET, 2, True, ("m.f", name))
        store.add_recording(target_id, row.id, Recording((use,)), "fuzz")
        report(["recording", row.hash, use.name])
    if chance.random() < 0.2:
        smaller = store.replace_input(row.id, corpus_file(name), b"less", 5)
        report(["replaced", row.hash, smaller.hash])
    elif chance.random() < 0.1:
        store.remove_input(row.id)
        report(["removed", row.hash])
    if chance.random() < 0.2:
        crash, _ = add_crash(store, target_id, f"panic {chance.randrange(9)}")
        report(["crash", crash.key, crash.count])
    store.add_stats(target_id, 1.0, store.executions(target_id) + 1, 1, 1, 1, 1, 1.0)
    report(["executions", store.executions(target_id)])


class _Ledger:
    """What children said they had kept."""

    def __init__(self) -> None:
        self.inputs: set[str] = set()
        self.gone: set[str] = set()
        self.calls: dict[str, str] = {}
        self.seen: set[str] = set()
        self.crashes: dict[str, int] = {}
        self.executions = 0

    def hear(self, kind: str, *what: Any) -> None:
        if kind == "input":
            self.inputs.add(what[0])
        elif kind == "recording":
            self.calls[what[0]] = what[1]
            self.seen.add(what[1])
        elif kind in ("replaced", "removed"):
            self._drop(what[0])
            self.inputs |= set(what[1:])
        elif kind == "crash":
            self.crashes[what[0]] = what[1]
        elif kind == "executions":
            self.executions = what[0]

    def _drop(self, name: str) -> None:
        self.inputs.discard(name)
        self.calls.pop(name, None)
        self.gone.add(name)

    def check(self, store: Store) -> None:
        (target,) = store.targets()
        rows = {row.hash: row for row in store.inputs(target.id)}
        # The call during which the child died may have come to its end or not.
        lost = self.inputs - rows.keys()
        assert len(lost) <= 1
        assert len(rows.keys() - self.inputs) <= 1
        assert not self.gone & rows.keys()
        for name, call in self.calls.items():
            if name not in lost:
                assert [use.name for use in store.input_syscalls(rows[name].id)] == [call]
        assert self.seen <= store.behaviour(target.id)
        for crash in store.crashes():
            assert crash.count - self.crashes.get(crash.key, 0) in (0, 1)
        assert self.crashes.keys() <= {crash.key for crash in store.crashes()}
        assert store.executions(target.id) - self.executions in (0, 1)
        check_sums(store, target.id)
        # From here on the unreported call is part of what is known.
        if lost:
            self._drop(lost.pop())
        self.inputs = set(rows)
        self.crashes = {crash.key: crash.count for crash in store.crashes()}
        self.executions = store.executions(target.id)


def test_nothing_reported_is_lost(campaign: Path) -> None:
    """One campaign, killed again and again while it writes, and resumed each time."""
    ledger = _Ledger()
    chance = random.Random(2024)
    for number in range(ROUNDS):
        with child(_campaign(campaign, number)) as writer:
            reports = writer.reports()
            for said in islice(reports, chance.randrange(1, 250)):
                ledger.hear(*said)
            writer.kill()
            for said in reports:  # what was in the pipe already
                ledger.hear(*said)
            assert writer.wait() == -signal.SIGKILL
        with Store.open_readonly(campaign) as reader:
            reader.targets()
        with Store.create(campaign) as store:
            ledger.check(store)


def _doomed(campaign: Path, steps: int) -> Any:
    """Work for a child that dies after *steps* further steps of SQLite's virtual machine.

    That is in the middle of some statement, most often of some transaction.
    """

    def work(report: Report) -> None:
        left = steps

        def step() -> int:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        connect = sqlite3.connect

        def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_progress_handler(step, 1)
            return connection

        sqlite3.connect = watched  # type: ignore[assignment]  # only in this process
        with Store.create(campaign) as store:
            target = add_target(store)
            report("target")
            row = add_input(store, target.id, "large")
            report("input")
            store.add_recording(target.id, row.id, calls("read", "write", "openat"), "fuzz")
            report("recording")
            store.add_process_recording(target.id, "tests", calls("mmap"))
            report("tests")
            store.replace_input(row.id, corpus_file("l"), b"", 1)
            report("replaced")
            store.add_recording(target.id, row.id, calls("read"), "fuzz")
            report("again")
        report("closed")

    return work


def _steps_of_it_all(folder: Path) -> int:
    low, high = 0, 1 << 16
    while low < high:
        middle = (low + high) // 2
        with child(_doomed(folder / str(middle), middle)) as doomed:
            list(doomed.reports())
            survived = doomed.wait() == 0
        low, high = (low, middle) if survived else (middle + 1, high)
    return low


def test_every_transaction_is_whole(tmp_path: Path) -> None:
    """Killed at points spread over all that SQLite does, from the first table on."""
    total = _steps_of_it_all(tmp_path / "search")
    assert 500 < total < 1 << 16
    chance = random.Random(7)
    for steps in sorted(chance.sample(range(total), 80)):
        campaign = tmp_path / str(steps)
        with child(_doomed(campaign, steps)) as doomed:
            said = set(doomed.reports())
            assert doomed.wait() == -signal.SIGKILL
        with Store.create(campaign) as store:
            _check_whole(store, said)
            add_input(store, add_target(store).id, "and on")


def _check_whole(store: Store, said: set[str]) -> None:
    targets = store.targets()
    assert len(targets) == 1 or "target" not in said
    if not targets:
        return
    (target,) = targets
    rows = list(store.inputs(target.id))
    assert len(rows) == 1 or "input" not in said
    assert len(rows) <= 1
    check_sums(store, target.id)
    summed = {(row.name, row.source) for row in store.syscalls(target.id)}
    of_input = {("read", "fuzz"), ("write", "fuzz"), ("openat", "fuzz")}
    assert summed & of_input in (set(), of_input)
    assert of_input <= summed or "recording" not in said
    assert (("mmap", "tests") in summed) == bool(
        [row for row in store.recordings(target.id) if row.source == "tests"]
    )
    assert ("mmap", "tests") in summed or "tests" not in said
    if "replaced" in said:
        assert rows[0].data == corpus_file("l")
        assert rows[0].recorded or "again" not in said
    elif rows and rows[0].data == corpus_file("large"):
        uses = [use.name for use in store.input_syscalls(rows[0].id)]
        assert uses in ([], ["openat", "read", "write"])
        assert rows[0].recorded == bool(uses)


@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupt_undoes_or_keeps_one_thing(
    campaign: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C inside a transaction: nothing of it is kept, and the store works on."""
    with Store.create(campaign) as store:
        target = add_target(store)
        connection = store._connection
        if when == "before":
            # As if the signal came right after BEGIN, outside every `try`.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM target")
        else:
            with pytest.raises(KeyboardInterrupt), store._writing() as inside:
                inside.execute("DELETE FROM target")
                raise KeyboardInterrupt
        row = add_input(store, target.id, "x")
        assert list(store.inputs(target.id)) == [row]
