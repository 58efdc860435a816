"""System call names and numbers of the two architectures Go fuzzing supports.

The data is ``numbers.json``, which names its source and is written by ``generate_table.py``. The
amd64 table is the 64-bit ABI: x32 and 32-bit calls are other tables, and whoever meets one has to
say so instead of looking it up here.
"""

from __future__ import annotations

import json
import platform
from functools import cache
from importlib import resources

from gofuzzsec.errors import RecorderError

ARCHITECTURES = ("amd64", "arm64")

KERNEL_ARTEFACTS = frozenset({"restart_syscall", "uprobe", "uretprobe"})
"""Calls the kernel itself makes a process enter: resuming an interrupted sleep, and returning from
a probe. They say nothing about the program, but a filter must let them through."""


def words(text: str) -> frozenset[str]:
    """The words of *text*: long sets of names read better as text."""
    return frozenset(text.split())


@cache
def _numbers(arch: str) -> dict[str, int]:
    if arch not in ARCHITECTURES:
        raise RecorderError(
            f"expected one of {', '.join(ARCHITECTURES)}, found architecture {arch!r}: "
            "system calls can be recorded on those only"
        )
    text = resources.files(__package__).joinpath("numbers.json").read_text("utf-8")
    table: dict[str, int] = json.loads(text)[arch]
    return table


@cache
def _names(arch: str) -> dict[int, str]:
    return {number: name for name, number in _numbers(arch).items()}


def number(name: str, arch: str) -> int | None:
    """The number of *name* on *arch* ("amd64" or "arm64"), None when that has no such call."""
    return _numbers(arch).get(name)


def name(number: int, arch: str) -> str | None:
    """The kernel's name of call *number* on *arch*, None for a number that is no call there."""
    return _names(arch).get(number)


def names(arch: str) -> frozenset[str]:
    """Every call of *arch*."""
    return frozenset(_numbers(arch))


def machine_arch() -> str:
    """This machine's architecture in Go's words. Raises RecorderError on any other machine."""
    machine = platform.machine()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    _numbers(arch)
    return arch
