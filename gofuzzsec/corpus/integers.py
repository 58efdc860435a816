"""Ranges of Go's integer types, and integer literals."""

from __future__ import annotations

from gofuzzsec.corpus.values import GoType


def _signed(bits: int) -> tuple[int, int]:
    return -(1 << bits - 1), (1 << bits - 1) - 1


INTEGER_RANGE: dict[GoType, tuple[int, int]] = {
    GoType.BYTE: (0, 0xFF),
    GoType.UINT: (0, (1 << 64) - 1),
    GoType.UINT16: (0, 0xFFFF),
    GoType.UINT32: (0, 0xFFFFFFFF),
    GoType.UINT64: (0, (1 << 64) - 1),
    GoType.RUNE: _signed(32),
    GoType.INT: _signed(64),
    GoType.INT8: _signed(8),
    GoType.INT16: _signed(16),
    GoType.INT64: _signed(64),
}
"""Smallest and largest value of each integer type, on a 64-bit machine."""

# The longest digits a 64-bit value can have are binary. Longer literals are out of every range,
# and Python would take quadratic time, or refuse, to convert them.
_MOST_DIGITS = 64


def parse_integer(literal: str) -> int | None:
    """The value of a well-formed unsigned Go integer literal; None when it exceeds 64 bits."""
    text = literal.replace("_", "").lower()
    prefix = text[:2]
    if prefix in ("0x", "0o", "0b"):
        base, digits = {"0x": 16, "0o": 8, "0b": 2}[prefix], text[2:]
    else:
        base, digits = (8, text) if text.startswith("0") else (10, text)
    digits = digits.lstrip("0") or "0"
    if len(digits) > _MOST_DIGITS:
        return None
    value = int(digits, base)
    return value if value < 1 << 64 else None
