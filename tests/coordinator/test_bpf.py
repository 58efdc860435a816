"""Campaigns with ``--capture bpf``: what only the kernel sees is looked for, kept and stored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.coordinator import choice, prepare
from gofuzzsec.coordinator.choice import Choice, choose
from gofuzzsec.coordinator.events import Event, Note, Started, Status
from gofuzzsec.coordinator.kernel import Kernel
from gofuzzsec.coordinator.options import SessionOptions
from gofuzzsec.coordinator.session import run
from gofuzzsec.corpus import unmarshal
from gofuzzsec.errors import BinaryError, GofuzzsecError, RecorderError
from gofuzzsec.seccomp.build import build_profile
from gofuzzsec.seccomp.campaign import campaign_evidence
from gofuzzsec.store import InputRow, Store, SyscallRow
from gofuzzsec.syscalls import baseline, strace
from gofuzzsec.syscalls.bpf.tracer import Tracer
from gofuzzsec.syscalls.model import Recording
from gofuzzsec.syscalls.table import machine_arch
from tests.coordinator.conftest import Heard
from tests.requirements import require_bpf, require_cgo
from tests.syscalls.test_baseline import EXPECTED, NOT_THE_RUNTIMES

Fuzz = Callable[..., Heard]
UNSEEN = Path(__file__).parent / "unseen"
WHAT = {"FuzzChild": "umask", "FuzzC": "sched_get_priority_max", "FuzzRuntime": "rt_sigaction"}
ENOUGH = {"FuzzChild": 400, "FuzzC": 3_000, "FuzzRuntime": 20_000}
"""Executions in which a byte above 127 comes first; starting processes takes longest."""


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    """One loaded program for all sessions here: loading takes two seconds."""
    require_bpf()
    tracer = Tracer.open(slots=12)
    yield tracer
    tracer.close()


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``tests/coordinator/unseen``, whose build stays the same for all campaigns."""
    return shutil.copytree(UNSEEN, tmp_path_factory.mktemp("unseen") / "unseen")


class _Lent(Choice):
    """A choice that leaves the tracer open for the next session."""

    def close(self) -> None:
        """The fixture closes it."""


@pytest.fixture
def fuzz(tracer: Tracer, unseen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fuzz:
    """Run a session on a target of the module, by bpf unless told otherwise, without recording
    tests and baseline (`test_all_sources_of_evidence` does)."""
    monkeypatch.setattr(prepare, "record_tests", lambda *_: Recording(()))
    monkeypatch.setattr(prepare, "runtime_baseline", lambda *_: Recording(()))

    def start(target: str, **options: Any) -> Heard:
        heard = Heard(options.pop("campaign", tmp_path / "campaign"))
        settings: dict[str, Any] = {
            "capture": "bpf", "workers": 2, "cwd": unseen, "packages": ("./...",), **options
        }  # fmt: skip
        asked = SessionOptions(target_regex=f"^({target})$", campaign=heard.campaign, **settings)
        lent = _Lent(tracer, "root and bcc found") if asked.capture in ("auto", "bpf") else Choice()
        heard.finished = run(asked, heard.events.append, lent)
        return heard

    return start


def kept_for_calls(store: Store) -> list[InputRow]:
    (target,) = store.targets()
    return [row for row in store.inputs(target.id) if row.why == "syscall"]


def descriptors() -> list[Path]:
    return sorted(Path("/proc/self/fd").iterdir())


def warnings(heard: Heard) -> list[Note]:
    return [note for note in heard.of(Note) if note.level == "warning"]


def rows(store: Store, name: str, *sources: str) -> list[SyscallRow]:
    (target,) = store.targets()
    return [row for row in store.syscalls(target.id) if row.name == name and row.source in sources]


@pytest.mark.parametrize("target", ["FuzzChild", "FuzzC", "FuzzRuntime"])
def test_what_only_the_kernel_sees_makes_an_input_interesting(fuzz: Fuzz, target: str) -> None:
    require_cgo()
    heard = fuzz(target, executions=ENOUGH[target])
    started = heard.of(Started)[0]
    assert (started.capture, started.why) == ("bpf", "root and bcc found")
    with heard.store() as store:
        (row,) = (row for row in kept_for_calls(store) if _first(row) > 127)
        assert row.source == "fuzz"
        (found,) = rows(store, WHAT[target], "fuzz")
        assert found.first_input == row.hash and not found.unstable
        assert (found.origin, found.outcome) == ("target", "ok")
        if target == "FuzzRuntime":
            assert any("plain.Runtime " in frame for frame in found.stack)
        seen = [row for row in rows(store, WHAT[target], "campaign") if row.origin == "target"]
        assert sum(row.count for row in seen) > found.count
        assert not warnings(heard), heard.of(Note)


def test_in_process_is_blind_to_that(fuzz: Fuzz, tmp_path: Path) -> None:
    require_cgo()
    heard = fuzz("FuzzC", executions=ENOUGH["FuzzC"], capture="in-process")
    with heard.store() as store:
        assert kept_for_calls(store) == []
        assert rows(store, WHAT["FuzzC"], "fuzz", "campaign") == []


def _first(row: InputRow) -> int:
    raw = unmarshal(row.data)[0].raw
    return raw[0] if isinstance(raw, bytes) and raw else 0


@pytest.mark.parametrize("target", ["FuzzOnce", "FuzzDies"])
def test_a_call_of_an_execution_that_is_not_kept_is_not_lost(fuzz: Fuzz, target: str) -> None:
    """Nor is that of a worker which is killed right after."""
    require_cgo()
    heard = fuzz(target, executions=2_000, workers=1)
    killed = [note for note in heard.of(Note) if "a worker was lost" in note.text]
    assert bool(killed) == (target == "FuzzDies")
    with heard.store() as store:
        assert rows(store, "getpriority", "fuzz", "seeds") == []
        (row,) = rows(store, "getpriority", "campaign")
        # Once a process, and its workers were started again and again.
        assert row.count == (1 + len(killed) if not killed else row.count) and row.count >= 1
        if killed:
            assert row.count >= 2
        assert row.origin == "target"
        assert kept_for_calls(store) == []


def test_what_was_seen_is_stored_while_the_campaign_goes_on(
    tracer: Tracer, unseen: Path, tmp_path: Path, fuzz: Fuzz
) -> None:
    """Whatever kills it then."""
    require_cgo()
    stored: list[bool] = []

    def emit(event: Event) -> None:
        if isinstance(event, Status):
            with Store.open_readonly(tmp_path) as store:
                stored.append(bool(rows(store, "getpriority", "campaign")))

    asked = SessionOptions(
        target_regex="FuzzOnce", campaign=tmp_path, cwd=unseen, seconds=3.5, workers=1
    )
    run(asked, emit, _Lent(tracer))
    assert stored[-1] and sum(stored) >= 2, stored


def test_a_second_run_adds_to_the_first(fuzz: Fuzz) -> None:
    require_cgo()
    counts = []
    for _ in range(2):
        with fuzz("FuzzOnce", executions=500, workers=1).store() as store:
            (row,) = rows(store, "getpriority", "campaign")
            counts.append(row.count)
    assert counts == [1, 2]


def test_turns_of_several_targets_share_the_slots(fuzz: Fuzz) -> None:
    """Three targets of four workers and a recorder each take turns on twelve slots."""
    require_cgo()
    heard = fuzz("FuzzC|FuzzOnce|FuzzRuntime", executions=900, workers=4)
    assert [started.capture for started in heard.of(Started)] == ["bpf"] * 3
    assert not warnings(heard), warnings(heard)
    with heard.store() as store:
        for target in store.targets():
            sources = {row.source for row in store.syscalls(target.id)}
            assert {"campaign", "seeds"} <= sources, target.name


def test_a_session_gives_everything_back(fuzz: Fuzz, tracer: Tracer) -> None:
    require_cgo()
    fuzz("FuzzC", executions=300)
    before = descriptors()
    for _ in range(2):
        fuzz("FuzzC", executions=300)
    assert descriptors() == before


def test_stock_workers_are_followed_too(fuzz: Fuzz) -> None:
    """They read no marks; probes find what the kernel sees, as they do with strace."""
    require_cgo()
    heard = fuzz("FuzzC", executions=30_000, engine="stock", seconds=20.0)
    assert heard.of(Started)[0].capture == "bpf"
    assert not warnings(heard), warnings(heard)
    with heard.store() as store:
        (row,) = rows(store, WHAT["FuzzC"], "campaign")
        assert row.count > 1 and row.origin == "target"
        assert rows(store, "futex", "campaign")


def test_all_sources_of_evidence_come_from_the_kernel(
    tracer: Tracer, unseen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing asks for strace, tests and baseline are there, and so is the profile."""
    require_cgo()
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setattr(strace, "available", lambda: pytest.fail("strace was asked for"))
    monkeypatch.setattr(baseline, "find_strace", lambda: pytest.fail("strace was asked for"))
    heard = Heard(tmp_path / "campaign")
    asked = SessionOptions(
        target_regex="FuzzC$", campaign=heard.campaign, cwd=unseen, workers=1, executions=3_000
    )
    heard.finished = run(asked, heard.events.append, _Lent(tracer, "root and bcc found"))
    assert not warnings(heard), warnings(heard)
    with heard.store() as store:
        (target,) = store.targets()
        assert store.unrecorded_count(target.id) == 0
        found = {row.source for row in store.syscalls(target.id)}
        assert {"baseline", "tests", "seeds", "fuzz", "campaign"} <= found
        runtime = {row.name for row in store.syscalls(target.id) if row.source == "baseline"}
        assert runtime >= EXPECTED and not runtime & NOT_THE_RUNTIMES
        evidence = campaign_evidence(
            store,
            [target],
            arch=None,
            machine=machine_arch(),
            observe_baseline=lambda: pytest.fail("the baseline is there"),
        )
        profile = build_profile(
            evidence.rows, arch=evidence.arch, baseline=evidence.baseline, oci=()
        )
        assert WHAT["FuzzC"] in profile.names


# -- which recorder, and why --------------------------------------------------------------------


def test_auto_is_bpf_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    require_bpf()
    made = choose("auto", workers=3)
    assert made.tracer is not None and made.why == "root and bcc found"
    made.close()


@pytest.mark.parametrize("capture", ["auto", "bpf"])
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, capture: str) -> None:
    def refuse(**_: object) -> Tracer:
        raise RecorderError("expected bcc, found none: install python3-bpfcc")

    monkeypatch.setattr(choice, "can_trace", lambda: None)
    monkeypatch.setattr(Tracer, "open", refuse)
    if capture == "bpf":
        with pytest.raises(RecorderError, match="install python3-bpfcc"):
            choose(capture, 1)
        return
    assert choose(capture, 1) == Choice(
        why="not bpf: expected bcc, found none: install python3-bpfcc"
    )


def test_without_root_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "can_trace", lambda: "expected root, found user 1000")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Tracer, "open", lambda **_: pytest.fail("loaded a program"))
    assert choose("auto", 2) == Choice(why="bpf needs root")
    assert choose("in-process", 2) == choose("strace", 2) == choose("off", 2) == Choice()


@pytest.mark.parametrize("kind", [BinaryError, RecorderError])
def test_a_binary_that_cannot_be_probed(
    fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch, kind: type[GofuzzsecError]
) -> None:
    """By name it is an error; auto takes the next recorder, and says why."""

    def refuse(*_: object) -> Kernel:
        raise kind("expected runtime.newproc1, found no such function")

    monkeypatch.setattr(Kernel, "of", refuse)
    with pytest.raises(kind, match=r"runtime\.newproc1"):
        fuzz("FuzzC", executions=10)
    started = fuzz("FuzzC", executions=10, capture="auto").of(Started)[0]
    assert started.capture.startswith("in-process")
    assert started.why == "not bpf: expected runtime.newproc1, found no such function"
