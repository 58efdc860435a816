"""A profile with conditions on the machine, made into the one that holds on a given machine.

Docker's profiles say which rules are there depending on architecture, capabilities and kernel.
`resolve` decides as Docker's daemon does (moby/profiles, seccomp/seccomp_linux.go): a rule is
dropped when *any* of ``excludes`` holds, or unless *all* of ``includes`` hold.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, field, replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.model import ARCHITECTURES, Profile, Rule, When
from gofuzzsec.syscalls import table

DOCKER_DEFAULT_CAPS = frozenset(
    f"CAP_{name}"
    for name in table.words(
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP "
        "SETGID SETPCAP SETUID SYS_CHROOT"
    )
)
"""What a container has that was started with no options about capabilities (moby,
daemon/pkg/oci/caps/defaults.go)."""


def running_kernel() -> tuple[int, int]:
    """Major and minor version of the kernel that runs here."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    if found is None:
        raise ProfileError(
            f"expected a kernel's version such as 6.1, found {platform.release()!r}; name one"
        )
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a profile is used: the container's bounding capabilities, the kernel's version."""

    caps: frozenset[str] = DOCKER_DEFAULT_CAPS
    kernel: tuple[int, int] = field(default_factory=running_kernel)


def resolve(profile: Profile, arch: str, setting: Setting | None = None) -> Profile:
    """*profile* as it is on *arch* ("amd64" or "arm64"): without conditions on the machine.

    ``architectures`` of the result are those filtered there: what a map of architectures says for
    this one, else what the profile said, else this one alone. Raises ProfileError for another
    architecture.
    """
    if arch not in ARCHITECTURES:
        raise ProfileError(f"expected one of {', '.join(ARCHITECTURES)}, found {arch!r}")
    setting = setting or Setting()
    kept = tuple(
        replace(rule, includes=When(), excludes=When())
        for rule in profile.rules
        if _is_there(rule, arch, setting)
    )
    architectures = profile.architectures or _mapped(profile, ARCHITECTURES[arch])
    return replace(profile, rules=kept, architectures=architectures, arch_map=())


def is_conditional(profile: Profile) -> bool:
    """Whether the profile says different things on different machines."""
    return bool(profile.arch_map) or any(r.includes or r.excludes for r in profile.rules)


def covers(profile: Profile, arch: str) -> bool:
    """Whether the profile is meant for *arch*: one that names no architecture is for all.

    (Runtimes would filter the machine's own architecture by any profile's names.)
    """
    named = {*profile.architectures, *(entry.architecture for entry in profile.arch_map)}
    return not named or "SCMP_ARCH_NATIVE" in named or ARCHITECTURES[arch] in named


def _mapped(profile: Profile, native: str) -> tuple[str, ...]:
    for entry in profile.arch_map:
        if entry.architecture == native:
            return (native, *entry.sub)
    return (native,)


def _is_there(rule: Rule, arch: str, setting: Setting) -> bool:
    out, into = rule.excludes, rule.includes
    if arch in out.arches or set(out.caps) & setting.caps:
        return False
    if out.min_kernel and setting.kernel >= _version(out.min_kernel):
        return False
    if into.arches and arch not in into.arches:
        return False
    if not set(into.caps) <= setting.caps:
        return False
    return not into.min_kernel or setting.kernel >= _version(into.min_kernel)


def _version(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})\.(\d{1,9})", text)
    if found is None:
        raise ProfileError(f"expected a kernel as major.minor (4.8), found {text!r}")
    return int(found[1]), int(found[2])
