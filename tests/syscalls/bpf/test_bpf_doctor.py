"""What `gofuzzsec doctor` says of the bpf recorder here, and where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.bpf import doctor
from gofuzzsec.syscalls.bpf.doctor import recording_checks
from gofuzzsec.syscalls.bpf.uprobes import Uprobes
from gofuzzsec.toolchain.doctor import Check
from tests.requirements import require_bpf


def of(*names: str) -> list[Check]:
    return [Check(name, True, "works", "", False) for name in names]


def by_name(found: list[Check]) -> dict[str, Check]:
    for check in found:
        assert check.found
        assert bool(check.advice) is not check.ok, check
        assert not check.required, "there are other recorders"
    return {check.name: check for check in found}


def failing(message: str) -> None:
    raise RecorderError(message)


def test_this_machine() -> None:
    require_bpf()
    found = by_name(recording_checks([]))
    assert all(check.ok for check in found.values()), found
    assert found["bpf recorder"].found == "a raw tracepoint and a uprobe were attached and fired"
    assert found["--capture auto"].found.startswith("bpf:")


@pytest.fixture
def without_bpf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "can_trace", lambda: "expected root, found none; use sudo; really")


def test_without_permission_nothing_is_tried(
    without_bpf: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "compile_bpf", lambda text: failing("tried all the same"))
    found = by_name(recording_checks([]))
    assert (found["bpf permission"].found, found["bpf permission"].advice) == (
        "expected root, found none",
        "use sudo; really",
    )
    assert "bpf recorder" not in found


@pytest.mark.parametrize(
    ("works", "said"),
    [
        (("boosted engine", "strace", "tracing permission"), "in-process, strace for what"),
        (("boosted engine", "strace"), "in-process, no strace"),
        (("strace", "tracing permission"), "strace: bpf does not work here"),
        (("strace",), "none: no recorder works here"),
    ],
)
def test_the_recorder_that_auto_chooses(
    without_bpf: None, works: tuple[str, ...], said: str
) -> None:
    assert by_name(recording_checks(of(*works)))["--capture auto"].found.startswith(said)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "load_bcc", lambda: failing("expected bcc, found none; install it"))
    monkeypatch.setattr(doctor, "find_headers", lambda: failing("expected headers; get them"))
    monkeypatch.setattr(doctor, "kernel_version", lambda: (5, 10))
    found = by_name(recording_checks([]))
    assert found["bcc"].advice == "install it"
    assert found["kernel headers"].advice == "get them"
    assert "5.15 or newer" in found["bpf kernel"].advice


@pytest.mark.parametrize(
    ("text", "ok"),
    [("[none] integrity confidentiality\n", True), ("none integrity [confidentiality]\n", False)],
)
def test_lockdown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, ok: bool) -> None:
    monkeypatch.setattr(doctor, "LOCKDOWN", tmp_path / "lockdown")
    (tmp_path / "lockdown").write_text(text)
    assert by_name(recording_checks([]))["kernel lockdown"].ok is ok


def test_a_program_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    require_bpf()
    message = "expected a program to load, found: no\nbpf: the verifier's words\nuse another kernel"
    monkeypatch.setattr(doctor, "compile_bpf", lambda text: failing(message))
    check = by_name(recording_checks([]))["bpf recorder"]
    assert "the verifier's words" in check.found
    assert check.advice == "use another kernel"


def test_a_probe_that_never_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    require_bpf()
    monkeypatch.setattr(Uprobes, "attach", lambda self, path, points: None)
    check = by_name(recording_checks([]))["bpf recorder"]
    assert "0 times" in check.found
