"""Small named changes to source text, each tied to the one place it belongs.

A change is a pair of texts: the *anchor* that must be there exactly once, and what takes its place.
Nothing is ever guessed: a file that somebody else has changed at that place is refused, with one
line that names patch, file and anchor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gofuzzsec.errors import OverlayError

_SHOWN = 80  # characters of an anchor in a message


@dataclass(frozen=True, slots=True)
class Patch:
    """One change to one file of the standard library.

    ``file`` is relative to GOROOT/src. ``anchor`` has to occur exactly once; a run of spaces and
    tabs in it stands for any such run, because gofmt aligns. ``replacement`` takes its place as it
    is. The patch is for Go versions ``since`` <= (major, minor) < ``before``.
    """

    name: str
    file: str
    anchor: str
    replacement: str
    since: tuple[int, int] = (1, 21)
    before: tuple[int, int] | None = None

    def fits(self, version: tuple[int, ...]) -> bool:
        """Whether the patch is for this Go (major, minor, ...)."""
        minor = version[:2]
        return self.since <= minor and (self.before is None or minor < self.before)


def apply_patches(text: str, patches: Sequence[Patch]) -> str:
    """*text* with all *patches* in place. They see the original, so their order does not matter.

    Raises OverlayError when an anchor is missing or not the only one, or two patches overlap.
    """
    places = sorted((*_place(text, patch), index) for index, patch in enumerate(patches))
    done: list[str] = []
    end = 0
    for start, stop, index in places:
        if start < end:
            raise refusal(patches[index], "found that another patch changes the same text")
        done += [text[end:start], patches[index].replacement]
        end = stop
    return "".join([*done, text[end:]])


def _place(text: str, patch: Patch) -> tuple[int, int]:
    """Where the anchor begins and ends."""
    words = re.split(r"[ \t]+", patch.anchor)
    found = list(re.finditer(r"[ \t]+".join(map(re.escape, words)), text))
    if len(found) != 1:
        raise refusal(patch, f"found it {len(found)} times" if found else "found no such text")
    return found[0].span()


def refusal(patch: Patch, found: str) -> OverlayError:
    """Why *patch* cannot be made, in one line; *found* says what is there instead."""
    line = " ".join(patch.anchor.split())
    shown = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
    return OverlayError(
        f"expected `{shown}` once in {patch.file} (patch {patch.name}), {' '.join(found.split())}"
    )
