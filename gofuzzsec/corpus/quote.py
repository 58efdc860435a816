"""Go string and rune literals: writing them as ``%q`` does, reading them as Go's scanner does.

Written anew from the behaviour of ``strconv.Quote``, ``strconv.QuoteRune`` and ``go/scanner``.
Inputs of 64 KB pass through here on a campaign's path, so no loop runs once a byte: writing is one
`str.translate`, reading is one regular expression whose quantifiers are all possessive (linear
whatever the input) and one pass of a codec.
"""

from __future__ import annotations

import re
from functools import cache

from gofuzzsec.corpus.printable import printable

# Code points whose escapes a table may remember. Scripts in use fit; the bound is for inputs that
# walk through all of Unicode, which would otherwise leave a hundred megabytes behind.
_REMEMBERED = 1 << 16

_LETTERS = dict(zip(b"abfnrtv\\", b"\a\b\f\n\r\t\v\\", strict=True))
_SHORT_ESCAPES = {code: f"\\{chr(letter)}" for letter, code in _LETTERS.items()}

_STRING_QUOTE, _RUNE_QUOTE = '"', "'"

# Invalid UTF-8 travels as surrogates U+DC80 to U+DCFF (Python's surrogateescape). Both languages
# take an ill-formed sequence apart into single bytes, so nothing else has to be told apart.
_INVALID_BYTES = range(0xDC80, 0xDD00)


class _Escapes(dict[int, str]):
    """Code point to what stands for it between quotes; filled as code points come by."""

    def __init__(self, unicode: str, quote: str) -> None:
        super().__init__(_SHORT_ESCAPES)
        self[ord(quote)] = "\\" + quote
        self._printable = printable(unicode)

    def __missing__(self, code: int) -> str:
        text = self._escape(code)
        if len(self) < _REMEMBERED:
            self[code] = text
        return text

    def _escape(self, code: int) -> str:
        if self._printable[code]:
            return chr(code)
        if code in _INVALID_BYTES:
            return f"\\x{code - 0xDC00:02x}"
        if code < 0x20 or code == 0x7F:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def _escapes(unicode: str, quote: str) -> _Escapes:
    return _Escapes(unicode, quote)


def quote_string(data: bytes, unicode: str) -> str:
    """*data* as an interpreted Go string literal, quotes included."""
    text = data.decode("utf-8", "surrogateescape")
    return f'"{text.translate(_escapes(unicode, _STRING_QUOTE))}"'


def quote_rune(code: int, unicode: str) -> str:
    """The code point *code*, no surrogate, as a Go rune literal, quotes included."""
    return f"'{_escapes(unicode, _RUNE_QUOTE)[code]}'"


_STRING_PART = re.compile(
    rb"""
    ( (?: [^\\"]++ | \\(?: [abfnrtv\\"] | x[0-9A-Fa-f]{2} | [0-3][0-7]{2} ) )++ )
    | \\u([0-9A-Fa-f]{4})
    | \\U([0-9A-Fa-f]{8})
    """,
    re.VERBOSE,
)


def read_string(line: bytes, start: int) -> tuple[bytes, int]:
    """The value of the interpreted literal that opens at ``line[start]``, and where reading ended.

    The end is that of the closing quote, or of the first thing that is neither a character nor a
    valid escape: the caller finds no quote there.
    """
    body = bytearray()
    end = start + 1
    while (part := _STRING_PART.match(line, end)) is not None:
        if part[1] is not None:
            body += part[1]
        else:
            encoded = _encode(int(part[2] or part[3], 16))
            if encoded is None:
                break
            body += encoded
        end = part.end()
    # What is left are bytes, \x and octal escapes and single letters: all mean the same to Python.
    return bytes(body).decode("unicode_escape").encode("latin-1"), end


def _encode(code: int) -> bytes | None:
    """UTF-8 of *code*; ASCII as \\x, since a bare backslash would look like an escape."""
    if not is_valid_rune(code):
        return None
    return b"\\x%02x" % code if code < 0x80 else chr(code).encode()


def is_valid_rune(code: int) -> bool:
    """True for what UTF-8 can hold, as Go's ``utf8.ValidRune``."""
    return 0 <= code < 0xD800 or 0xE000 <= code < 0x110000


_RUNE = re.compile(
    rb"""
    ' (?: ([^'\\\x80-\xff] | [\xc2-\xf4][\x80-\xbf]++)
        | \\([abfnrtv\\'])
        | \\([0-3][0-7]{2})
        | \\(?: x([0-9A-Fa-f]{2}) | u([0-9A-Fa-f]{4}) | U([0-9A-Fa-f]{8}) )
      ) '
    """,
    re.VERBOSE,
)


def read_rune(line: bytes, start: int) -> tuple[int, int] | None:
    """The code point of the rune literal at ``line[start]`` and the literal's end, or None.

    *line* must be valid UTF-8.
    """
    match = _RUNE.match(line, start)
    if match is None:
        return None
    plain, letter, octal, *hexadecimal = match.groups()
    if plain is not None:
        code = ord(plain.decode())
    elif letter is not None:
        code = _LETTERS.get(letter[0], ord("'"))
    elif octal is not None:
        code = int(octal, 8)
    else:
        code = int(next(digits for digits in hexadecimal if digits), 16)
    return (code, match.end()) if is_valid_rune(code) else None
