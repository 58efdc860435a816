"""Options about where a profile is used, for commands that read one with conditions on that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from gofuzzsec.errors import UsageError
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.seccomp.resolve import (
    DOCKER_DEFAULT_CAPS,
    Setting,
    is_conditional,
    resolve,
    running_kernel,
)

_F = TypeVar("_F", bound=Callable[..., Any])
_CAPABILITY = re.compile(r"-?[A-Z][A-Z_0-9]{1,40}")


def machine_options(command: _F) -> _F:
    """``--cap`` and ``--kernel``: what Docker's conditional rules depend on."""
    cap = click.option(
        "--cap",
        "caps",
        multiple=True,
        metavar="NAME",
        help="A capability that the container has besides Docker's default ones, or, as -NAME, one "
        "that it lacks; -ALL stands for all. Repeatable. Docker's profiles depend on it.",
    )
    kernel = click.option(
        "--kernel",
        metavar="MAJOR.MINOR",
        help="The kernel it is used on; Docker's profiles depend on it. Default: this one.",
    )
    return cap(kernel(command))


def setting(caps: Iterable[str], kernel: str | None) -> Setting:
    """What the options say. Raises UsageError."""
    chosen = set(DOCKER_DEFAULT_CAPS)
    for text in caps:
        name = text.upper()
        if not _CAPABILITY.fullmatch(name):
            raise UsageError(f"expected a capability such as SYS_ADMIN or -NET_RAW, found {text!r}")
        whole = f"CAP_{name.lstrip('-').removeprefix('CAP_')}"
        if name == "-ALL":
            chosen.clear()
        elif name.startswith("-"):
            chosen.discard(whole)
        else:
            chosen.add(whole)
    if kernel is None:
        return Setting(frozenset(chosen))
    version = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})", kernel)
    if version is None:
        raise UsageError(f"expected a kernel as major.minor (6.1), found {kernel!r}")
    return Setting(frozenset(chosen), (int(version[1]), int(version[2])))


def read_resolved(
    path: Path, arch: str, caps: Iterable[str], kernel: str | None
) -> tuple[Profile, str]:
    """The profile in *path* as it is on *arch* with these options, and what had to be assumed for
    that, one line or "". Raises ProfileError, UsageError."""
    where = setting(caps, kernel)
    profile = read_profile(path)
    assumed = ""
    if is_conditional(profile):
        major, minor = where.kernel if kernel else running_kernel()
        names = " ".join(sorted(name.removeprefix("CAP_") for name in where.caps)) or "none"
        assumed = (
            f"{path} depends on where it is used; taken for {arch}, Linux {major}.{minor} and the "
            f"capabilities {names} (--cap, --kernel)"
        )
    return resolve(profile, arch, where), assumed
