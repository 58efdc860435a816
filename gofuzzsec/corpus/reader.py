"""One line of a corpus file: a Go conversion of one literal, such as ``[]byte("x")``.

Go reads such a line with its whole expression parser and then accepts only a few shapes, so
comments, blanks between tokens, a trailing comma and even ``...`` are allowed. This reader accepts
the same lines without a general parser: type name, parenthesis, one literal, parenthesis. One
difference is left: a ``/*line x:0*/`` comment is plain here, while Go checks it as a directive.

Every token is one regular expression match without backtracking, so the time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from gofuzzsec.corpus import quote
from gofuzzsec.corpus.floats import CANONICAL_NAN, infinity, parse_float
from gofuzzsec.corpus.integers import INTEGER_RANGE, parse_integer
from gofuzzsec.corpus.values import GoType, Value
from gofuzzsec.errors import CorpusError

_SPACE = re.compile(rb"(?:[ \t\r]++|//.*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+")
_NAME = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+")
_RAW_STRING = re.compile(rb"`([^`]*+)`")
_INTEGER = re.compile(
    rb"(?:0[xX](?:_?[0-9A-Fa-f])++|0[bB](?:_?[01])++|0[oO](?:_?[0-7])++"
    rb"|0(?:_?[0-7])*+|[1-9](?:_?[0-9])*+)(?!\.)"
)
_DECIMAL = rb"[0-9](?:_?[0-9])*+"
_HEX = rb"[0-9A-Fa-f](?:_?[0-9A-Fa-f])*+"
_FLOAT = re.compile(
    rb"(?:D\.(?:D)?+|\.D)(?:[eE][+-]?D)?+|D[eE][+-]?D"
    rb"|0[xX](?:_?H(?:\.(?:H)?+)?+|\.H)[pP][+-]?D"
    rb"|(?:0(?:_?[0-7])*+|[1-9](?:_?[0-9])*+)".replace(b"D", _DECIMAL).replace(b"H", _HEX)
)
_MINUS = re.compile(rb"-")
_BEFORE_INF = re.compile(rb"[-+!^~&]|<-")
_ELLIPSIS = re.compile(rb"\.\.\.")
_COMMA = re.compile(rb",")

_BOM = b"\xef\xbb\xbf"


class _Line:
    """A position in one line of Go source; every `take` skips blanks and comments first."""

    def __init__(self, text: bytes, number: int) -> None:
        self.text = text
        self.number = number
        self.position = 0

    def skip(self) -> int:
        space = _SPACE.match(self.text, self.position)
        self.position = space.end() if space else self.position
        return self.position

    def take(self, pattern: re.Pattern[bytes]) -> str | None:
        match = pattern.match(self.text, self.skip())
        if match is None:
            return None
        self.position = match.end()
        return match[0].decode()

    def expect(self, token: bytes) -> None:
        if not self.text.startswith(token, self.skip()):
            raise self.error(f"'{token.decode()}'")
        self.position += len(token)

    def error(self, expected: str) -> CorpusError:
        rest = self.text[self.skip() :]
        excerpt = rest[:24].decode("utf-8", "replace") + ("…" if len(rest) > 24 else "")
        found = repr(excerpt) if rest else "the end of the line"
        return CorpusError(f"line {self.number}: expected {expected}, found {found}")


def read_value(text: bytes, number: int) -> Value:
    """The value on line *number* of a corpus file. Raises CorpusError when Go would refuse it."""
    line = _Line(_checked(text, number), number)
    reader = _type_name(line)
    line.expect(b"(")
    value = reader(line)
    line.take(_ELLIPSIS)
    line.take(_COMMA)
    line.expect(b")")
    if line.skip() < len(line.text):
        raise line.error("nothing after the ')'")
    return value


def _checked(text: bytes, number: int) -> bytes:
    """*text* without a leading byte order mark. Raises CorpusError for what no Go source holds."""
    text = text.removeprefix(_BOM)
    try:
        text.decode()
    except UnicodeDecodeError as error:
        found = f"byte 0x{text[error.start]:02x} at column {error.start + 1}"
        raise CorpusError(
            f"line {number}: expected UTF-8 (other bytes as \\x escapes), found {found}"
        ) from error
    for name, forbidden in (("a NUL", b"\0"), ("a byte order mark", _BOM)):
        if forbidden in text:
            raise CorpusError(f"line {number}: expected Go source, found {name} in it")
    return text


def _type_name(line: _Line) -> Callable[[_Line], Value]:
    if line.text.startswith(b"[", line.skip()):
        line.expect(b"[")
        line.expect(b"]")
        if line.take(_NAME) != "byte":
            raise line.error("'[]byte'")
        return partial(_string, GoType.BYTES)
    start = line.skip()
    name = line.take(_NAME)
    if name == "math":
        line.expect(b".")
        name = f"math.{line.take(_NAME)}"
    reader = _READERS.get(name or "")
    if reader is None:
        line.position = start
        raise line.error("a type that a fuzz target can take")
    return reader


def _string(kind: GoType, line: _Line) -> Value:
    raw = _RAW_STRING.match(line.text, line.skip())
    if raw is not None:
        line.position = raw.end()
        return Value(kind, raw[1].replace(b"\r", b""))
    if not line.text.startswith(b'"', line.position):
        raise line.error("a string literal")
    data, end = quote.read_string(line.text, line.position)
    line.position = end + 1
    if line.text[end : end + 1] != b'"':
        line.position = end
        found_end = end == len(line.text)
        raise line.error("the closing quote" if found_end else "an escape sequence of Go")
    return Value(kind, data)


def _bool(line: _Line) -> Value:
    start = line.skip()
    name = line.take(_NAME)
    if name not in ("true", "false"):
        line.position = start
        raise line.error("true or false")
    return Value(GoType.BOOL, name == "true")


def _integer(kind: GoType, line: _Line) -> Value:
    return Value(kind, _number(line, *INTEGER_RANGE[kind], "an integer"))


def _character(kind: GoType, line: _Line) -> Value:
    """A byte or rune: a rune literal or an integer."""
    if not line.text.startswith(b"'", line.skip()):
        return Value(kind, _number(line, *INTEGER_RANGE[kind], "a rune literal or an integer"))
    rune = quote.read_rune(line.text, line.position)
    if rune is None or rune[0] > INTEGER_RANGE[kind][1]:
        raise line.error("a rune literal" + (" below 256" if kind is GoType.BYTE else ""))
    line.position = rune[1]
    return Value(kind, rune[0])


def _number(line: _Line, low: int, high: int, what: str) -> int:
    start = line.skip()
    negative = low < 0 and line.take(_MINUS) is not None
    literal = line.take(_INTEGER)
    if literal is not None:
        magnitude = parse_integer(literal)
        value = None if magnitude is None else -magnitude if negative else magnitude
        if value is not None and low <= value <= high:
            return value
        what = f"an integer from {low} to {high}"
    line.position = start
    raise line.error(what)


def _float(kind: GoType, line: _Line) -> Value:
    start = line.skip()
    operator = line.take(_BEFORE_INF)
    name = line.take(_NAME)
    if name == ("Inf" if operator else "NaN"):
        # Go looks only for a minus: any other operator before Inf leaves it positive.
        bits = infinity(kind, negative=operator == "-") if operator else CANONICAL_NAN[kind]
        return Value(kind, bits)
    literal = None if name else line.take(_FLOAT)
    if literal is None or operator not in (None, "-"):
        line.position = start
        raise line.error("a number, NaN, +Inf or -Inf")
    try:
        return Value(kind, parse_float((operator or "") + literal, kind))
    except OverflowError as error:
        line.position = start
        raise line.error(f"a number in the range of {kind}") from error


def _bits(kind: GoType, line: _Line) -> Value:
    limit = 1 << (64 if kind is GoType.FLOAT64 else 32)
    return Value(kind, _number(line, 0, limit - 1, "the bits of a float as an integer"))


_ALIASES = {"int32": GoType.RUNE, "uint8": GoType.BYTE}
_READERS: dict[str, Callable[[_Line], Value]] = {
    "string": partial(_string, GoType.STRING),
    "bool": _bool,
    **{kind: partial(_integer, kind) for kind in INTEGER_RANGE},
    **{alias: partial(_integer, kind) for alias, kind in _ALIASES.items()},
    "byte": partial(_character, GoType.BYTE),
    "rune": partial(_character, GoType.RUNE),
    "float32": partial(_float, GoType.FLOAT32),
    "float64": partial(_float, GoType.FLOAT64),
    "math.Float32frombits": partial(_bits, GoType.FLOAT32),
    "math.Float64frombits": partial(_bits, GoType.FLOAT64),
}
