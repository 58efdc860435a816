"""Finding kernel headers, in the shapes that distributions give them, and merging split ones."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls.bpf import headers
from gofuzzsec.syscalls.bpf.headers import find_headers, kernel_headers
from tests.requirements import require_bpf

SHARED = (
    "include/linux/kconfig.h",
    "include/uapi/linux/ptrace.h",
    "arch/x86/include/asm/ptrace.h",
    "arch/x86/include/uapi/asm/ptrace.h",
)
OWN = ("include/generated/autoconf.h", "arch/x86/include/generated/uapi/asm/types.h")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-30-amd64")
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(headers.OVERRIDE, raising=False)


def fill(folder: Path, names: Sequence[str], text: str = "") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or folder.name)
    return folder


def debian(root: Path, version: str) -> tuple[Path, Path]:
    """The headers of one Debian kernel: its own, and the common ones."""
    source = root / "usr/src"
    base = version.rsplit("-", 1)[0]
    common = fill(source / f"linux-headers-{base}-common", [*SHARED, "arch/arm64/Kconfig"])
    own = fill(source / f"linux-headers-{version}", OWN)
    real = f"/usr/src/linux-headers-{base}-common"
    (own / "Makefile").write_text(f"include {real}/Makefile\noverride ARCH = x86\n")
    modules = root / "lib/modules" / version
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(own)
    return own, common


def test_debians_two_halves_become_one_tree(tmp_path: Path) -> None:
    own, common = debian(tmp_path, "6.1.0-30-amd64")
    tree = kernel_headers(tmp_path)
    assert tree.is_relative_to(tmp_path / "cache" / "headers")
    for name in SHARED:
        assert (tree / name).read_text() == common.name
    for name in OWN:
        assert (tree / name).read_text() == own.name
    assert not (tree / "arch/arm64").exists()
    assert kernel_headers(tmp_path) == tree


def test_the_running_kernels_are_preferred_then_the_newest(tmp_path: Path) -> None:
    for version in ("6.1.0-9-amd64", "6.1.0-30-amd64", "6.12.0-1-amd64"):
        debian(tmp_path, version)
    assert find_headers(tmp_path).version == "6.1.0-30-amd64"
    (tmp_path / "lib/modules/6.1.0-30-amd64/build").unlink()
    (tmp_path / "usr/src/linux-headers-6.1.0-30-amd64").rename(tmp_path / "gone")
    assert find_headers(tmp_path).version == "6.12.0-1-amd64"


def test_a_whole_folder_is_used_as_it_is(tmp_path: Path) -> None:
    fedora = fill(tmp_path / "usr/src/kernels/6.8.5-301.fc40.x86_64", [*SHARED, *OWN])
    assert kernel_headers(tmp_path) == fedora
    assert not (tmp_path / "cache" / "headers").exists()


def test_ubuntus_common_part_has_no_ending(tmp_path: Path) -> None:
    fill(tmp_path / "usr/src/linux-headers-6.8.0-31", SHARED)
    fill(tmp_path / "usr/src/linux-headers-6.8.0-31-generic", OWN)
    found = find_headers(tmp_path)
    assert found.version == "6.8.0-31-generic"
    assert [part.name for part in found.parts] == [
        "linux-headers-6.8.0-31-generic",
        "linux-headers-6.8.0-31",
    ]


def test_the_modules_second_link_names_the_other_half(tmp_path: Path) -> None:
    build = fill(tmp_path / "usr/src/linux-6.4-obj/x86_64/default", OWN)
    source = fill(tmp_path / "usr/src/linux-6.4", SHARED)
    modules = tmp_path / "lib/modules/6.4-default"
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(build)
    (modules / "source").symlink_to(source)
    assert find_headers(tmp_path).parts == (build, source)


def test_headers_of_another_architecture_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian(tmp_path, "6.1.0-30-amd64")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(RecorderError, match="headers of any version for arm64, found only parts"):
        find_headers(tmp_path)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(RecorderError, match="x86_64 or aarch64"):
        find_headers(tmp_path)


def test_no_headers_name_the_packages(tmp_path: Path) -> None:
    broken = tmp_path / "lib/modules/6.1.0-30-amd64"
    broken.mkdir(parents=True)
    (broken / "build").symlink_to("/nowhere")
    with pytest.raises(RecorderError, match=r"found none in .*apt-get install linux-headers-amd64"):
        kernel_headers(tmp_path)


def test_an_upgrade_makes_a_new_tree_and_removes_the_old(tmp_path: Path) -> None:
    own, _ = debian(tmp_path, "6.1.0-30-amd64")
    before = kernel_headers(tmp_path)
    (own / "include/generated/autoconf.h").write_text("upgraded")
    later = time.time_ns() + 1_000_000_000
    os.utime(own / "include/generated/autoconf.h", ns=(later, later))
    after = kernel_headers(tmp_path)
    assert after != before
    assert (after / "include/generated/autoconf.h").read_text() == "upgraded"
    assert not before.exists()


def test_a_damaged_tree_is_made_again(tmp_path: Path) -> None:
    debian(tmp_path, "6.1.0-30-amd64")
    tree = kernel_headers(tmp_path)
    (tree / "include" / "linux").unlink()
    assert kernel_headers(tmp_path) == tree
    assert (tree / "include/linux/kconfig.h").exists()


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    debian(tmp_path, "6.1.0-30-amd64")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GOFUZZSEC_CACHE", str(tmp_path / "file"))
    with pytest.raises(RecorderError, match="set GOFUZZSEC_CACHE"):
        kernel_headers(tmp_path)


def test_a_tree_that_the_user_names_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    debian(tmp_path, "6.1.0-30-amd64")
    mine = fill(tmp_path / "mine", [*SHARED, *OWN])
    monkeypatch.setenv(headers.OVERRIDE, str(mine))
    assert kernel_headers(tmp_path) == mine
    monkeypatch.setenv(headers.OVERRIDE, str(tmp_path))
    with pytest.raises(RecorderError, match=f"that {headers.OVERRIDE} names"):
        kernel_headers(tmp_path)


def test_this_machines_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    require_bpf()
    assert (kernel_headers() / "include/linux/kconfig.h").is_file()
