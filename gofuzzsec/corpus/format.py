"""Go's corpus file format, version 1: a header line, then one Go literal for each argument.

Source of the format: ``internal/fuzz/encoding.go``, the same from Go 1.21 to 1.27.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from gofuzzsec.corpus.floats import CANONICAL_NAN, format_float, is_nan
from gofuzzsec.corpus.integers import INTEGER_RANGE
from gofuzzsec.corpus.printable import DEFAULT_UNICODE
from gofuzzsec.corpus.quote import is_valid_rune, quote_rune, quote_string
from gofuzzsec.corpus.reader import read_value
from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.errors import CorpusError

HEADER = b"go test fuzz v1"

MAX_VALUES = 1 << 12
"""More arguments than this are refused: no Go function takes them, a broken file may hold them."""

_FLOATS = (GoType.FLOAT32, GoType.FLOAT64)
_FLOAT_BITS = {GoType.FLOAT32: 32, GoType.FLOAT64: 64}

# What Go's bytes.TrimSpace takes off a line; str.strip would also take U+001C to U+001F.
_GO_SPACE = "\t\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_LINE = re.compile(rb"[^\n]++")


def marshal(values: Sequence[Value], unicode: str = DEFAULT_UNICODE) -> bytes:
    """*values* as the corpus file that Go would write for them, to the byte.

    *unicode* is that of the Go release to equal, see `printable.unicode_of_go`; any choice reads
    back the same. Raises CorpusError without values, or for a raw that its type cannot hold.
    """
    if not values:
        raise CorpusError("expected at least one value to write, found none")
    lines = [_literal(value, unicode) for value in values]
    return HEADER + b"\n" + "".join(lines).encode()


def unmarshal(data: bytes) -> Input:
    """The values of a corpus file, accepting what Go's reader accepts.

    Raises CorpusError, which names the line, for anything else and for a file without values.
    """
    end = data.find(b"\n")
    header = data[: end if end >= 0 else len(data)]
    if header.removesuffix(b"\r") != HEADER:
        found = repr(header[:40].decode("utf-8", "replace")) if data else "an empty file"
        raise CorpusError(f"line 1: expected {HEADER.decode()!r}, found {found}")
    values: list[Value] = []
    number, counted = 1, 0
    for match in _LINE.finditer(data, len(header)):
        number += data.count(b"\n", counted, match.start())
        counted = match.start()
        line = _trim(match[0])
        if not line:
            continue
        if len(values) == MAX_VALUES:
            raise CorpusError(f"expected at most {MAX_VALUES} values, found more")
        values.append(read_value(line, number))
    if not values:
        raise CorpusError('line 2: expected a value such as []byte("x"), found the end of the file')
    return tuple(values)


def file_name(data: bytes) -> str:
    """The name Go gives a corpus file with this content: 16 hex digits of its SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def _trim(line: bytes) -> bytes:
    if line.isascii():
        return line.strip(b"\t\v\f\r ")
    # Bytes that are no UTF-8 survive the round trip and are reported by the reader.
    text = line.decode("utf-8", "surrogateescape").strip(_GO_SPACE)
    return text.encode("utf-8", "surrogateescape")


def _literal(value: Value, unicode: str) -> str:
    """One line of a corpus file, with its newline."""
    kind, raw = value.type, value.raw
    if kind in (GoType.BYTES, GoType.STRING) and isinstance(raw, bytes):
        return f"{kind}({quote_string(raw, unicode)})\n"
    if kind is GoType.BOOL and isinstance(raw, bool):
        return f"bool({'true' if raw else 'false'})\n"
    if isinstance(raw, int) and not isinstance(raw, bool):
        if kind in INTEGER_RANGE and INTEGER_RANGE[kind][0] <= raw <= INTEGER_RANGE[kind][1]:
            return _integer(kind, raw, unicode)
        if kind in _FLOATS and 0 <= raw < 1 << _FLOAT_BITS[kind]:
            return _float(kind, raw)
    raise CorpusError(f"expected a value that {kind} can hold, found {raw!r:.60}")


def _integer(kind: GoType, raw: int, unicode: str) -> str:
    if kind is GoType.BYTE:
        return f"byte({quote_rune(raw, unicode)})\n"
    if kind is GoType.RUNE:
        # Go writes what no rune literal can express as the number it is.
        return f"rune({quote_rune(raw, unicode)})\n" if is_valid_rune(raw) else f"int32({raw})\n"
    return f"{kind}({raw})\n"


def _float(kind: GoType, bits: int) -> str:
    if is_nan(bits, kind) and bits != CANONICAL_NAN[kind]:
        return f"math.Float{_FLOAT_BITS[kind]}frombits(0x{bits:x})\n"
    return f"{kind}({format_float(bits, kind)})\n"
