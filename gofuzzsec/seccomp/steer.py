"""Calls that are answered as by a kernel that does not have them, so that libraries make another.

`clone3` has its flags in memory, where no filter can look: whoever may make it may make a user
namespace, whatever the rule on `clone` says. C libraries fall back to `clone` when it fails with
ENOSYS, which is why the default profiles of container runtimes answer so. So a profile with
a rule on `clone` does, too, as long as only libraries and the Go runtime were seen to make
`clone3`: what asks for it by itself (Go's `SysProcAttr.UseCgroupFD`) has nothing to fall back to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gofuzzsec.seccomp.build import BuiltProfile
from gofuzzsec.seccomp.model import Action, Profile, Rule
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.model import Origin

ENOSYS = 38
"""The same on amd64 and arm64."""
_INSTEAD = {"clone3": "clone"}
_SOURCE = "baseline"


@dataclass(frozen=True, slots=True)
class Steered:
    """Call ``name`` is answered with ENOSYS so that ``instead`` is made, which has a rule."""

    name: str
    instead: str

    @property
    def text(self) -> str:
        """Why, in one line."""
        return (
            f"fails with ENOSYS, so that libraries make {self.instead} instead, whose flags a "
            "filter can see"
        )


def steered(
    built: BuiltProfile, rows: Sequence[SyscallRow], ruled: Collection[str]
) -> tuple[Steered, ...]:
    """The calls of *built* to answer so; *rows* are its evidence, *ruled* the calls that have a
    rule on their arguments."""
    return tuple(
        Steered(name, instead)
        for name, instead in _INSTEAD.items()
        if name in built.names and instead in ruled and not _deliberate(rows, name)
    )


def _deliberate(rows: Sequence[SyscallRow], name: str) -> bool:
    """Whether something else than a library below the program may have made the call."""
    return any(
        row.name == name
        and row.source != _SOURCE
        and row.origin not in (Origin.RUNTIME, Origin.HARNESS)
        for row in rows
    )


def without(built: BuiltProfile, calls: Sequence[Steered]) -> BuiltProfile:
    """*built* without the calls that are not allowed after all."""
    names = {call.name for call in calls}
    return replace(built, calls=tuple(call for call in built.calls if call.name not in names))


def answer(profile: Profile, calls: Sequence[Steered]) -> Profile:
    """*profile*, made of what is left, with its answers to *calls*."""
    rules = tuple(
        Rule((call.name,), Action.ERRNO, errno=ENOSYS, comment=call.text) for call in calls
    )
    return replace(profile, rules=(*profile.rules, *rules))
