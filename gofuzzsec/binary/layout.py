"""Where the runtime keeps in a ``g``, the record of one goroutine, what a tracer reads of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gofuzzsec.binary.dwarf import field_offsets
from gofuzzsec.errors import BinaryError

if TYPE_CHECKING:
    from gofuzzsec.binary.program import GoProgram


@dataclass(frozen=True, slots=True)
class GoLayout:
    """Byte offsets in runtime.g. ``g.stack.lo`` and ``g.stack.hi`` are at 0 and 8, and in
    runtime.gobuf ``sp`` at 0 and ``g`` at 16, in every release from 1.21 to 1.27."""

    goid: int
    parent_goid: int


KNOWN = {
    "1.21": GoLayout(152, 272),
    "1.22": GoLayout(152, 272),
    "1.23": GoLayout(160, 280),
    "1.24": GoLayout(160, 280),
    "1.25": GoLayout(152, 272),
    "1.26": GoLayout(152, 280),
    "1.27": GoLayout(152, 280),
}
"""By release, the same on amd64 and arm64; from the DWARF of programs that each of them built."""
_RELEASE = re.compile(r"go(1\.\d+)(?:\.\d+)?(?: X:\S*)?\Z")


def known_layout(go_version: str) -> GoLayout | None:
    """The layout of a release such as "go1.26.8"; None for one that was not measured, which
    release candidates and builds of somebody's own are."""
    release = _RELEASE.match(go_version)
    return KNOWN.get(release[1]) if release else None


def go_layout(program: GoProgram) -> GoLayout:
    """The layout in *program*: from its debugging information, or, where that was stripped, by its
    Go version. Raises BinaryError for a stripped program of an unknown version, and for one whose
    debugging information says that what is read beside these is elsewhere, too."""
    found = field_offsets(program.elf, "runtime.g", "runtime.gobuf", "runtime.stack")
    g, gobuf, stack = (found.get(f"runtime.{name}", {}) for name in ("g", "gobuf", "stack"))
    if "goid" in g and "parentGoid" in g:
        beside = (g.get("stack"), stack.get("lo"), stack.get("hi"), gobuf.get("sp"), gobuf.get("g"))
        if beside != (0, 0, 8, 0, 16):
            raise program.elf.image.broken(
                f"a runtime of {program.go_version} that lays out its goroutines in another way"
            )
        return GoLayout(g["goid"], g["parentGoid"])
    known = known_layout(program.go_version)
    if known is None:
        raise BinaryError(
            f"expected {program.path} to be built by Go 1.21 to 1.27 or to have debugging "
            f"information, found {program.go_version} without; build it without -ldflags=-w"
        )
    return known
