"""Which recorder a verification gets, and what it says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gofuzzsec.coordinator.verifying import recorders
from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.recorders import open_recorder
from gofuzzsec.errors import RecorderError
from gofuzzsec.seccomp.model import plain
from gofuzzsec.syscalls.tracer import find_strace
from tests.requirements import require_strace

JUDGE = Judge(plain(["read"], "amd64"), "amd64")


class Nothing:
    """A tracer that cannot be had."""

    @staticmethod
    def open(**_: Any) -> None:
        raise RecorderError("expected root, found nobody\nand more")


def test_strace_where_bpf_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    require_strace()
    monkeypatch.setattr(recorders, "Tracer", Nothing)
    with open_recorder("auto", JUDGE, 1) as recorder:
        assert recorder.name == "strace"
    assert "expected root, found nobody" in recorder.warnings[0]
    assert "and more" not in recorder.warnings[0]
    with pytest.raises(RecorderError, match="expected root"), open_recorder("bpf", JUDGE, 1):
        pass


def test_an_strace_without_stacks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    require_strace()
    poor = replace(find_strace(), stacks=False)
    monkeypatch.setattr(recorders, "find_strace", lambda: poor)
    with open_recorder("strace", JUDGE, 1) as recorder:
        assert any("stack unwinding" in warning for warning in recorder.warnings)
