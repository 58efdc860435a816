"""Which code points Go prints as they are, and which it escapes.

Go decides with a table made from the Unicode version it was built with, so Python's own
``unicodedata``, of another version, would quote other characters. The tables in ``printable.json``
are what ``strconv.IsPrint`` said for every code point; ``make_printable.py`` asks it again.

Go 1.21 to 1.26 have Unicode 15.0, Go 1.27 has 17.0. The second only adds: 10,615 code points that
nobody had assigned before. A file written with the other table holds the same values, so all that
depends on the choice is whether two tools give one input the same file name.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources

CODE_POINTS = 0x110000
DEFAULT_UNICODE = "15.0.0"
_FIRST_MINOR_OF_17 = 27


def unicode_of_go(version: str) -> str:
    """The Unicode version of a Go *version* such as "1.27.3" or "go1.21".

    A Go newer than all that were looked at is taken to have the newest table known, one whose
    version cannot be read to have the default.
    """
    match = re.match(r"(?:go)?1\.([0-9]{1,4})", version)
    is_new = match is not None and int(match[1]) >= _FIRST_MINOR_OF_17
    return "17.0.0" if is_new else DEFAULT_UNICODE


@cache
def printable(unicode: str = DEFAULT_UNICODE) -> bytes:
    """One byte for each code point, 1 where ``strconv.IsPrint`` is true.

    Raises KeyError for a Unicode version that no supported Go has.
    """
    text = resources.files(__package__).joinpath("printable.json").read_text("ascii")
    lengths: list[int] = json.loads(text)["runs"][unicode]
    table = bytearray()
    for index, length in enumerate(lengths):
        table += (b"\1" if index % 2 else b"\0") * length
    return bytes(table.ljust(CODE_POINTS, b"\0"))
