"""One thing that is wrong with a profile."""

from __future__ import annotations

from dataclasses import dataclass, field

from gofuzzsec.seccomp.dangers import Severity
from gofuzzsec.seccomp.model import Profile


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` names the kind of finding, ``call`` the call it is about ("" for none), ``place``
    line and column in the file where these are known. ``arches`` are those it holds for, none for
    what does not depend on one; they do not count in comparison."""

    severity: Severity
    check: str
    call: str
    place: tuple[int, int] | None
    reason: str
    remedy: str
    arches: tuple[str, ...] = field(default=(), compare=False)


def place_of(profile: Profile, name: str = "") -> tuple[int, int] | None:
    """Where the profile lets *name* through: the first rule that does, else the default action."""
    for rule in profile.rules:
        if name in rule.names and rule.action.lets_through:
            return rule.places.get(name) or rule.places.get("")
    return profile.places.get("defaultAction")
