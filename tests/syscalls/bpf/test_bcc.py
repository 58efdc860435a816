"""Loading the distribution's bcc, and compiling with it without a word on the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.bpf import bcc
from gofuzzsec.syscalls.bpf.bcc import compile_bpf, diagnostics, load_bcc
from tests.requirements import require_bpf

GOOD = "BPF_ARRAY(numbers, u64, 3); int nothing(struct bpf_raw_tracepoint_args *c) { return 0; }"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only place where a distribution's packages could be; sys.path has none."""
    place = tmp_path / "dist-packages"
    place.mkdir()
    saved = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "bcc"}
    monkeypatch.setattr(bcc, "PLACES", (str(place),))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    load_bcc.cache_clear()
    for name in saved:
        monkeypatch.delitem(sys.modules, name)
    yield place
    for name in [name for name in sys.modules if name.split(".")[0] == "bcc"]:
        del sys.modules[name]
    load_bcc.cache_clear()


def package(place: Path, library: str, version: str = "0.26.0") -> None:
    folder = place / "bcc"
    folder.mkdir()
    (folder / "libbcc.py").write_text(library)
    (folder / "__init__.py").write_text(f"from . import libbcc\n__version__ = {version!r}\n")


def test_the_rest_of_the_distributions_packages_stays_out() -> None:
    require_bpf()
    code = (
        "import sys; before = list(sys.path)\n"
        "from gofuzzsec.syscalls.bpf.bcc import load_bcc\n"
        "module = load_bcc()\n"
        "assert sys.path == before and sys.modules['bcc'] is module is load_bcc()\n"
        "assert callable(module.BPF) and module.lib.bpf_prog_load\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_no_bcc_at_all(elsewhere: Path) -> None:
    with pytest.raises(RecorderError, match=r"found none; .*apt-get install python3-bpfcc"):
        load_bcc()


def test_pypis_other_bcc_is_refused(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = elsewhere.parent / "site"
    (site / "bcc").mkdir(parents=True)
    (site / "bcc" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(site)
    with pytest.raises(RecorderError, match=r"PyPI's package of that name in .*site, which is ano"):
        load_bcc()
    package(elsewhere, "lib = None")
    assert Path(load_bcc().__file__ or "").parent == elsewhere / "bcc"


def test_a_bcc_without_its_library(elsewhere: Path) -> None:
    package(elsewhere, "import ctypes; ctypes.CDLL('libbcc-that-is-not-there.so.0')")
    with pytest.raises(RecorderError, match=r"libbcc-that-is-not-there\.so\.0.*Debian: libbpfcc"):
        load_bcc()
    assert "bcc" not in sys.modules


def test_a_bcc_that_is_too_old(elsewhere: Path) -> None:
    package(elsewhere, "lib = None", version="0.18.0")
    with pytest.raises(RecorderError, match=r"bcc 0\.26 or newer, found 0\.18\.0 in"):
        load_bcc()


def test_compiling_is_quiet_and_leaves_the_process_as_it_was(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_bpf()
    monkeypatch.setenv("ARCH", "arm64")  # as who builds kernels or cross-compiles has it
    monkeypatch.setenv("BCC_LINUX_VERSION_CODE", "1")
    before, folder = dict(os.environ), Path.cwd()
    program = compile_bpf(GOOD)
    assert len(program[b"numbers"]) == 3
    program.cleanup()
    assert (dict(os.environ), Path.cwd()) == (before, folder)
    assert capfd.readouterr() == ("", "")


def test_what_the_compiler_says_is_in_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    require_bpf()
    with pytest.raises(RecorderError, match="error: use of undeclared identifier 'missing'"):
        compile_bpf("int wrong(void *c) { return missing; }")
    assert capfd.readouterr() == ("", "")


def test_what_the_verifier_says_is_in_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    require_bpf()
    program = compile_bpf("int endless(void *c) { for (;;) ; return 0; }")
    with (
        pytest.raises(RecorderError, match=r"expected it to load, found: .*\n(.*\n)*infinite loop"),
        diagnostics("it to load"),
    ):
        program.load_func(b"endless", program.RAW_TRACEPOINT)
    program.cleanup()
    assert capfd.readouterr() == ("", "")


def test_a_refusal_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bcc, "can_trace", lambda: "expected root")
    with (
        pytest.raises(RecorderError, match="found: x\nbpf: Operation not permitted\nexpected root"),
        diagnostics("a program to load"),
    ):
        os.write(2, b"bpf: Operation not permitted\n")
        raise ValueError("x")


def test_our_own_errors_pass_through_and_long_output_is_cut() -> None:
    with pytest.raises(RecorderError, match=r"^mine$"), diagnostics("anything"):
        raise RecorderError("mine")
    with pytest.raises(RecorderError) as caught, diagnostics("anything"):
        os.write(2, b"x" * 100_000)
        raise ValueError
    assert len(str(caught.value)) < 5000
