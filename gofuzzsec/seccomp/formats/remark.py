"""Provenance as text in a comment, for formats that have comments and no other place.

``gofuzzsec: tool=gofuzzsec 0.1.0; build-id=…; date=…`` and, after a line break, whatever comment
the rule had itself. A comment that begins with these words without being provenance gets an empty
one in front, so that what is written is what is read back.
"""

from __future__ import annotations

import re

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.model import Provenance

MARK = "gofuzzsec:"
_ESCAPED = {"\\": "\\\\", ";": "\\;", "\n": "\\n", "\r": "\\r"}
_PLAIN = {"\\": "\\", ";": ";", "n": "\n", "r": "\r"}
_PIECE = re.compile(r"(?P<end>; ?)|\\.|[^\\;]+|\\", re.DOTALL)
KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def join_remark(provenance: Provenance, comment: str) -> str:
    """One comment that says both. Raises ProfileError for a key that is no lower-case word."""
    if not provenance and not comment.startswith(MARK):
        return comment
    line = f"{MARK} {join_entries(provenance)}" if provenance else MARK
    return f"{line}\n{comment}" if comment else line


def split_remark(remark: str) -> tuple[Provenance, str]:
    """What `join_remark` joined. Raises ProfileError for provenance that was damaged."""
    if not remark.startswith(MARK):
        return Provenance(), remark
    line, _, comment = remark.partition("\n")
    return split_entries(line.removeprefix(MARK).removeprefix(" ")), comment


def join_entries(provenance: Provenance) -> str:
    """``key=value; key=value``, what has a meaning there escaped. Raises ProfileError for a key
    that is no lower-case word."""
    for key, _ in provenance.entries:
        if not KEY.fullmatch(key):
            raise ProfileError(
                f"expected provenance under lower-case words with dashes, found {key[:40]!r}"
            )
    return "; ".join(f"{key}={_escape(value)}" for key, value in provenance.entries)


def split_entries(text: str) -> Provenance:
    """What `join_entries` joined. Raises ProfileError for anything else."""
    entries = [""]
    for piece in _PIECE.finditer(text):
        if piece["end"]:
            entries.append("")
        else:
            entries[-1] += piece[0]
    return Provenance(tuple(_pair(entry) for entry in entries)) if text else Provenance()


def _pair(entry: str) -> tuple[str, str]:
    key, equals, value = entry.partition("=")
    if not equals or not KEY.fullmatch(key):
        raise ProfileError(
            f"expected provenance as key=value; key=value, found {entry[:40]!r}; correct or remove "
            "it"
        )
    return key, re.sub(r"\\(.)", lambda match: _PLAIN.get(match[1], match[0]), value)


def _escape(value: str) -> str:
    return "".join(_ESCAPED.get(char, char) for char in value)
