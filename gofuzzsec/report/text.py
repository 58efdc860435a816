"""Text that is safe to print, and numbers that are quick to read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move the cursor, change colours or direction, or cannot be encoded."""


def clean(text: str, limit: int = 2000) -> str:
    """*text* as one line that cannot drive a terminal.

    Line feeds and tabs become spaces; every other control, format, surrogate or unassigned
    character becomes a visible escape such as ``\\x1b``. Cut to *limit* characters, with ``…`` as
    the last, when longer.
    """
    safe = "".join(" " if char in "\n\t" else _escape(char) for char in text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def clean_block(text: str, limit: int = 1 << 20) -> str:
    """*text* with its line breaks and tabs, everything else as `clean` does it."""
    cut = text[:limit]
    safe = "".join(char if char in "\n\t" else _escape(char) for char in cut.replace("\r\n", "\n"))
    return safe if len(text) <= limit else f"{safe}\n… ({len(text) - limit} more characters)"


def _escape(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    if unicodedata.category(char) not in _UNSAFE:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def number(value: float) -> str:
    """A count with thousands separated: ``12,345``."""
    return f"{value:,.0f}"


def span(seconds: float) -> str:
    """A length of time in its two largest units: ``9s``, ``3m05s``, ``2h07m``, ``4d03h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def short_time(nanoseconds: int) -> str:
    """The time of one execution: ``850ns``, ``12.3µs``, ``4.5ms``, ``1.2s``."""
    if nanoseconds < 1000:
        return f"{nanoseconds}ns"
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1e3:.1f}µs"
    if nanoseconds < 1_000_000_000:
        return f"{nanoseconds / 1e6:.1f}ms"
    return f"{nanoseconds / 1e9:.1f}s"


def size(count: int) -> str:
    """A number of bytes: ``17 B``, ``3.4 KiB``, ``2.0 MiB``."""
    if count < 1024:
        return f"{count} B"
    if count < 1 << 20:
        return f"{count / 1024:.1f} KiB"
    return f"{count / (1 << 20):.1f} MiB"


def plural(count: int, noun: str) -> str:
    """``1 crash``, ``2 crashes``, ``1,000 inputs``."""
    if count == 1:
        return f"1 {noun}"
    ending = "es" if noun.endswith(("s", "sh", "ch", "x")) else "s"
    return f"{number(count)} {noun}{ending}"


def wrap_names(names: Sequence[str], width: int = 96, indent: str = "  ") -> str:
    """*names* separated by spaces over as many indented lines as *width* columns need."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + 1 + len(name) <= width:
            lines[-1] += f" {name}"
        else:
            lines.append(indent + name)
    return "\n".join(lines)
