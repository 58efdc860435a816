"""Uprobes in both of the ways that kernels have: many in one link, and perf events."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.privilege import kernel_version
from gofuzzsec.syscalls.bpf import uprobes
from gofuzzsec.syscalls.bpf.bcc import compile_bpf, diagnostics
from gofuzzsec.syscalls.bpf.doctor import MULTI_KERNEL, place_of
from gofuzzsec.syscalls.bpf.uprobes import TRACE_UPROBE_MULTI, Action, Point, Uprobes
from tests.requirements import require_bpf

_libc = ctypes.CDLL(None)
_SOURCE = """
#include <uapi/linux/ptrace.h>
BPF_HASH(seen, u64, u64, 64);
int on_place(struct pt_regs *ctx) {
    u64 cookie = bpf_get_attach_cookie(ctx);
    seen.increment(cookie);
    return 0;
}
"""


@dataclass
class Probed:
    """A copy of the C library, which nobody else runs, and probes in it."""

    bpf: Any
    probes: Uprobes
    path: Path
    getppid: int
    getpgrp: int

    def library(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(self.path))

    def counts(self) -> dict[int, int]:
        """Cookie -> how often it was seen since the last look."""
        found = {key.value: value.value for key, value in self.bpf[b"seen"].items()}
        self.bpf[b"seen"].clear()
        return found


@pytest.fixture(scope="module", params=["one link", "perf events"])
def loaded(request: pytest.FixtureRequest) -> Iterator[tuple[Any, int, int | None]]:
    """The program, as Linux 6.6 and newer takes it, and as older ones do."""
    require_bpf()
    many = request.param == "one link"
    if many and kernel_version() < MULTI_KERNEL:
        pytest.skip("this kernel has no link for many uprobes")
    bpf = compile_bpf(_SOURCE)
    with diagnostics("on_place to load"):
        kind = TRACE_UPROBE_MULTI if many else -1
        fd = bpf.load_func(b"on_place", bpf.KPROBE, None, kind).fd
    yield bpf, fd, fd if many else None
    bpf.cleanup()


@pytest.fixture
def probed(loaded: tuple[Any, int, int | None], tmp_path: Path) -> Iterator[Probed]:
    bpf, single, many = loaded
    path, getppid = place_of(_libc.getppid)
    copy = tmp_path / "libc-copy.so"
    copy.write_bytes(path.read_bytes())
    probes = Uprobes(single, many)
    yield Probed(bpf, probes, copy, getppid, place_of(_libc.getpgrp)[1])
    probes.close()
    bpf[b"seen"].clear()


def descriptors() -> set[str]:
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


def test_each_place_has_its_cookie_until_the_probes_are_gone(probed: Probed) -> None:
    library = probed.library()
    call, back = Point(probed.getppid, Action.CALL), Point(probed.getpgrp, Action.RETURN)
    held = probed.probes.attach(probed.path, [call, back])
    library.getppid()
    library.getppid()
    library.getpgrp()
    assert probed.counts() == {held.cookie(call): 2, held.cookie(back): 1}
    probed.probes.detach(held)
    probed.probes.close()
    library.getppid()
    assert probed.counts() == {}


def test_the_same_probes_are_shared_until_the_last_user_goes(probed: Probed) -> None:
    library = probed.library()
    point = Point(probed.getppid, Action.CALL)
    one = probed.probes.attach(probed.path, [point])
    other = probed.probes.attach(probed.path, [point])
    assert one.file == other.file
    library.getppid()
    assert probed.counts() == {one.cookie(point): 1}
    probed.probes.detach(one)
    library.getppid()
    assert probed.counts() == {one.cookie(point): 1}


def test_a_file_that_is_removed_keeps_its_probes(probed: Probed) -> None:
    library = probed.library()
    point = Point(probed.getppid, Action.CALL)
    held = probed.probes.attach(probed.path, [point])
    probed.path.unlink()
    library.getppid()
    assert probed.counts() == {held.cookie(point): 1}


@pytest.mark.parametrize("where", ["behind the end", "inside an instruction"])
def test_places_the_kernel_refuses(probed: Probed, where: str) -> None:
    library = probed.library()  # the kernel looks at instructions only where they are mapped
    before = descriptors()
    bad = 1 << 40 if where == "behind the end" else probed.getppid + 1
    places = [Point(probed.getpgrp, Action.CALL), Point(bad, Action.CALL)]
    with pytest.raises(RecorderError, match=r"libc-copy\.so"):
        probed.probes.attach(probed.path, places)
    probed.probes.close()
    assert descriptors() == before
    library.getpgrp()
    assert probed.counts() == {}, "nothing stays attached"


def test_a_kernel_without_uprobe_events(
    loaded: tuple[Any, int, int | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uprobes, "_PMU", tmp_path / "type")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecorderError, match="CONFIG_UPROBE_EVENTS"):
        Uprobes(loaded[1], None).attach(tmp_path / "file", [Point(1, Action.CALL)])
