"""The call table against libseccomp's, which is made from other sources."""

from __future__ import annotations

import json
from pathlib import Path

import pyseccomp
import pytest

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import generate_table, table
from gofuzzsec.syscalls.oci import KERNEL_CALLS, OCI_RUNTIME_CALLS

ARCHES = {"amd64": pyseccomp.Arch.X86_64, "arm64": pyseccomp.Arch.AARCH64}


@pytest.mark.parametrize("arch", table.ARCHITECTURES)
def test_agrees_with_libseccomp(arch: str) -> None:
    compared = 0
    for name in table.names(arch):
        theirs = pyseccomp.resolve_syscall(ARCHES[arch], name)
        if theirs >= 0:  # negative: newer than libseccomp
            assert table.number(name, arch) == theirs, name
            compared += 1
    assert compared > 300


@pytest.mark.parametrize("arch", table.ARCHITECTURES)
def test_numbers_and_names_are_inverse(arch: str) -> None:
    for name in table.names(arch):
        number = table.number(name, arch)
        assert number is not None
        assert table.name(number, arch) == name


def test_has_what_newer_kernels_brought_and_each_architecture_alone() -> None:
    assert table.number("cachestat", "amd64") == 451
    assert table.number("uretprobe", "amd64") == 335
    assert table.number("clone3", "arm64") == table.number("clone3", "amd64") == 435
    assert table.number("open", "amd64") == 2
    assert table.number("open", "arm64") is None
    assert table.number("mkdirat", "arm64") == 34
    assert table.name(999, "amd64") is None


def test_another_architecture_is_refused() -> None:
    with pytest.raises(RecorderError, match="riscv64"):
        table.number("read", "riscv64")


def test_this_machine_is_one_of_them() -> None:
    assert table.machine_arch() in table.ARCHITECTURES


def test_names_listed_elsewhere_exist() -> None:
    for arch in table.ARCHITECTURES:
        assert OCI_RUNTIME_CALLS.keys() <= table.names(arch)
    assert KERNEL_CALLS.keys() <= table.names("amd64")
    assert table.names("amd64") >= table.KERNEL_ARTEFACTS


def test_generator_reads_go_constants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "sys@v1.2.3" / "unix"
    folder.mkdir(parents=True)
    text = "const (\n\tSYS_WRITE = 64\n\tSYS_READ  = 63\n\tSYS_ARCH_SPECIFIC_SYSCALL = 244\n)\n"
    for arch in table.ARCHITECTURES:
        (folder / f"zsysnum_linux_{arch}.go").write_text(text)
    assert generate_table.main([str(folder)]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["arm64"] == {"read": 63, "write": 64}
    assert "v1.2.3" in made["source"]
    assert generate_table.main([]) == 2
