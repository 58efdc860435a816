"""Floats as Go prints them with ``%v`` and reads them with ``strconv.ParseFloat``, bit for bit.

A float is its IEEE 754 bit pattern here. Values other than NaN pass through Python's own double,
whose ``repr`` gives the same shortest digits as Go's; float32 needs a little more care.
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal

from gofuzzsec.corpus.values import GoType

CANONICAL_NAN = {GoType.FLOAT64: 0x7FF8000000000001, GoType.FLOAT32: 0x7FC00000}
"""The bits of ``math.NaN()``, and of it converted to float32."""

_PACKED = {GoType.FLOAT64: ("<Q", "<d"), GoType.FLOAT32: ("<I", "<f")}
_EXPONENT = {GoType.FLOAT64: 0x7FF << 52, GoType.FLOAT32: 0xFF << 23}
_SIGN = {GoType.FLOAT64: 1 << 63, GoType.FLOAT32: 1 << 31}
_FRACTION32 = (1 << 23) - 1
_ALWAYS_ENOUGH = 8  # digits behind the point that tell any two float32 apart


def to_float(bits: int, kind: GoType) -> float:
    """The value of a bit pattern; exact, except that a NaN may lose its payload."""
    as_int, as_float = _PACKED[kind]
    value: float = struct.unpack(as_float, struct.pack(as_int, bits))[0]
    return value


def to_bits(value: float, kind: GoType) -> int:
    """The bit pattern nearest to *value*. Raises OverflowError when a float32 cannot hold it."""
    as_int, as_float = _PACKED[kind]
    bits: int = struct.unpack(as_int, struct.pack(as_float, value))[0]
    return bits


def infinity(kind: GoType, *, negative: bool) -> int:
    """The bits of an infinity."""
    return _EXPONENT[kind] | (_SIGN[kind] if negative else 0)


def is_nan(bits: int, kind: GoType) -> bool:
    """True when the pattern is any NaN."""
    return bits & ~_SIGN[kind] > _EXPONENT[kind]


def format_float(bits: int, kind: GoType) -> str:
    """The shortest text that reads back as *bits*, such as ``-0``, ``1e+06``, ``0.1``, ``+Inf``.

    An exponent below -4 or from 6 up is written out, as ``strconv.FormatFloat(v, 'g', -1, size)``
    does it. One value differs in one release: Go 1.26 writes float32 2^-12, which lies half-way
    between two texts of equal length, as 0.00024414063, all others as 0.00024414062 like we.
    """
    if is_nan(bits, kind):
        return "NaN"
    negative = bool(bits & _SIGN[kind])
    bits &= ~_SIGN[kind]
    if bits == infinity(kind, negative=False):
        return "-Inf" if negative else "+Inf"
    return ("-" if negative else "") + _layout(*_shortest(bits, kind))


def _shortest(bits: int, kind: GoType) -> tuple[str, int]:
    """Significant digits, and the power of ten of the first."""
    value = to_float(bits, kind)
    text = repr(value) if kind is GoType.FLOAT64 or not value else _repr32(value, bits)
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) + len(whole) - 1
    digits_only = (whole + fraction).lstrip("0")
    power -= len(whole + fraction) - len(digits_only)
    return (digits_only.rstrip("0"), power) if digits_only else ("0", 0)


def _repr32(value: float, bits: int) -> str:
    """The shortest text that reads back as the float32 *bits*, whose value is *value* > 0.

    The nearest text of a length is the one if any of that length is. Not so at a power of two:
    the next float below is only half as far as the next above, so a text above may do.
    """
    for digits in range(_ALWAYS_ENOUGH):
        text = f"{value:.{digits}e}"
        if _reads_as(text, bits):
            return text
        if not bits & _FRACTION32:
            mantissa, _, exponent = text.partition("e")
            above = f"{int(mantissa.replace('.', '')) + 1}e{int(exponent) - digits}"
            if _reads_as(above, bits):
                return above
    return f"{value:.{_ALWAYS_ENOUGH}e}"


def _reads_as(text: str, bits: int) -> bool:
    """Whether *text* is a float32 and this one; a text cut short may be beyond the largest."""
    try:
        return parse_float(text, GoType.FLOAT32) == bits
    except OverflowError:
        return False


def _layout(digits: str, power: int) -> str:
    if power < -4 or power >= 6:
        point = "." if len(digits) > 1 else ""
        return f"{digits[0]}{point}{digits[1:]}e{power:+03d}"
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    whole = digits[: power + 1].ljust(power + 1, "0")
    return f"{whole}.{digits[power + 1 :]}" if len(digits) > power + 1 else whole


def parse_float(text: str, kind: GoType) -> int:
    """The bits nearest to a decimal or hexadecimal number in Go's spelling, ties to even.

    Raises OverflowError when it is too large, like Go; a number too small becomes zero.
    """
    text = text.replace("_", "")
    value = float.fromhex(text) if "x" in text or "X" in text else float(text)
    if value in (float("inf"), float("-inf")):
        raise OverflowError(f"{text[:40]} is out of range")
    return to_bits(value, kind) if kind is GoType.FLOAT64 else _narrow(text, value)


_LARGEST_FLOAT32 = 0x7F7FFFFF


def _narrow(text: str, value: float) -> int:
    """Round the number *text* to float32, given the double nearest to it.

    Rounding a double once more goes wrong only when the double lies exactly between two float32:
    the text then says on which side the number really is.
    """
    sign = to_bits(value, GoType.FLOAT64) >> 63 << 31
    value = abs(value)
    try:
        bits = to_bits(value, GoType.FLOAT32)
    except OverflowError:
        bits = _LARGEST_FLOAT32 + 1
    rounded = _float32(bits)
    other = bits + (1 if rounded < value else -1)
    if rounded == value or (rounded + _float32(other)) / 2 != value:
        nearest = bits
    else:
        side = _compare(text.lstrip("-"), value)
        nearest = bits if side == 0 else (min, max)[side > 0](bits, other)
    if nearest > _LARGEST_FLOAT32:
        raise OverflowError(f"{text[:40]} is out of range")
    return nearest | sign


def _float32(bits: int) -> float:
    """As `to_float`, but the pattern of infinity counts as 2^128, the next step of the scale."""
    return 2.0**128 if bits > _LARGEST_FLOAT32 else to_float(bits, GoType.FLOAT32)


_HEX = re.compile(r"0[xX]([0-9A-Fa-f]*)\.?([0-9A-Fa-f]*)[pP]([+-]?[0-9]+)")


def _compare(text: str, value: float) -> int:
    """Sign of (number in *text*) - *value*; *value* is its nearest double, neither is negative."""
    match = _HEX.fullmatch(text)
    if match is None:
        return int(Decimal(text).compare(Decimal(value)))
    whole, fraction, exponent = match.groups()
    # The two are close, so the exponent is no larger than the text is long.
    shift = int(exponent) - 4 * len(fraction)
    numerator, denominator = value.as_integer_ratio()
    left = int(whole + fraction, 16) << max(shift, 0)
    left *= denominator
    right = numerator << max(-shift, 0)
    return (left > right) - (left < right)
