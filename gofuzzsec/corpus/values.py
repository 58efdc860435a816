"""The values a Go fuzz target can take, with every bit kept.

Go strings hold any bytes and Go floats hold any NaN, so neither is a Python ``str`` or ``float``
here: both would lose bits that a crash may depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GoType(StrEnum):
    """Argument types `testing.F` accepts. ``byte`` is also uint8, ``rune`` is also int32."""

    BYTES = "[]byte"
    STRING = "string"
    BOOL = "bool"
    BYTE = "byte"
    RUNE = "rune"
    INT = "int"
    INT8 = "int8"
    INT16 = "int16"
    INT64 = "int64"
    UINT = "uint"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


@dataclass(frozen=True, slots=True)
class Value:
    """One argument.

    ``raw`` is bytes for ``[]byte`` and ``string``, bool for ``bool``, an int in the type's range
    for integers, and the IEEE 754 bit pattern as an unsigned int for floats.
    """

    type: GoType
    raw: bytes | bool | int


Input = tuple[Value, ...]
"""All arguments of one execution, in order."""
