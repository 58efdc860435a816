"""systemd's groups of system calls, ``@basic-io`` and the like.

What is in a group changes with systemd's version, so the data (``systemd_groups.json``, which
names its sources) has two of them: 252, the oldest that long-lived distributions still have, and
the newest. A reader takes the newest; a writer stays with what is the same in both.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from gofuzzsec.seccomp.formats.words import known_calls

NEWEST = "258"
KNOWN = "@known"
"""Every call there is, as far as systemd knows them."""
IMPLIED = "@default"
"""What systemd allows by itself in every list of allowed calls."""


@cache
def _versions() -> dict[str, dict[str, frozenset[str]]]:
    """Members, groups among them, by version and group."""
    text = resources.files(__package__).joinpath("systemd_groups.json").read_text("utf-8")
    groups: dict[str, dict[str, str]] = json.loads(text)["groups"]
    return {
        version: {name: frozenset(members.split()) for name, members in found.items()}
        for version, found in groups.items()
    }


def group_names() -> tuple[str, ...]:
    """Every group, sorted."""
    return (*sorted(_versions()[NEWEST]), KNOWN)


@cache
def members(group: str, version: str = NEWEST) -> frozenset[str]:
    """The calls of *group* in systemd *version*, those of groups inside it included; empty where it
    is not known. Names that are no call of any architecture, which systemd's own lists have a few
    of, are left out."""
    if group == KNOWN:
        return known_calls()
    found: set[str] = set()
    for member in _versions()[version].get(group, ()):
        found |= members(member, version) if member.startswith("@") else {member}
    return frozenset(found) & known_calls()


def ever(group: str) -> frozenset[str]:
    """The calls that *group* has in any version."""
    return frozenset().union(*(members(group, version) for version in _versions()))


def always(group: str) -> frozenset[str]:
    """The calls that *group* has in every version."""
    return frozenset.intersection(*(members(group, version) for version in _versions()))
