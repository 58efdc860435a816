"""JSON (RFC 8259) with positions, stricter than Python's own.

Python's decoder gives no positions, keeps the last of equal keys, takes NaN, and recurses without
a limit of ours. A profile in which a key comes twice means one thing to one runtime and another to
the next, so that is an error here.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import NoReturn

from gofuzzsec.seccomp.formats.source import MAX_DEPTH, MAX_NODES, Node, Scalar, fail

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(
    r"""(?P<punctuation>[{}\[\],:])
      | (?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![0-9A-Za-z_.]))
      | (?P<word>[A-Za-z_][A-Za-z_0-9]*)""",
    re.VERBOSE,
)
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_LONGEST = 40  # digits of a number: 64 bits have 20
_ENDS = {"{": "}", "[": "]"}


def parse_json(text: str, where: str) -> Node:
    """The one value that *text* is. Raises ProfileError with its place in the document *where*."""
    return _Parser(text, where).document()


class _Parser:
    """One pass over one text."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self._next = 0
        self._nodes = 0
        self._depth = 0

    def document(self) -> Node:
        node = self._value(*self._token())
        kind, token, at = self._token()
        if kind:
            self._fail(at, f"expected the end of the document, found {token[:40]!r}; remove it")
        return node

    def _value(self, kind: str, token: str, at: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fail(at, f"expected at most {MAX_NODES} values in a profile, found more")
        line, column = self._place(at)
        if token in _ENDS and kind == "punctuation":
            return self._nested(token, at)
        if kind == "string":
            return Node(self._string(token, at), line, column)
        if kind == "number":
            return Node(self._number(token, at), line, column)
        if kind == "word" and token in _WORDS:
            return Node(_WORDS[token], line, column)
        return self._fail(at, f"expected a value, found {self._found(kind, token)}")

    def _nested(self, opening: str, at: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(at, f"expected at most {MAX_DEPTH} arrays and objects inside each other")
        before = self._nodes
        value = self._object() if opening == "{" else self._array()
        self._depth -= 1
        return Node(value, *self._place(at), self._nodes - before + 1)

    def _object(self) -> dict[str, tuple[Node, Node]]:
        fields: dict[str, tuple[Node, Node]] = {}
        kind, token, at = self._token()
        while token != "}" or kind != "punctuation":
            if kind != "string":
                self._fail(
                    at, f"expected a field's name in quotes, found {self._found(kind, token)}"
                )
            key = Node(self._string(token, at), *self._place(at))
            if key.value in fields:
                first = fields[str(key.value)][0]
                self._fail(
                    at,
                    f"expected each field once, found {key.shown()} again (first in line "
                    f"{first.line}); keep one of them",
                )
            kind, token, at = self._token()
            if token != ":" or kind != "punctuation":
                self._fail(at, f"expected a colon, found {self._found(kind, token)}")
            fields[str(key.value)] = (key, self._value(*self._token()))
            kind, token, at = self._after_item("}")
        return fields

    def _array(self) -> tuple[Node, ...]:
        items: list[Node] = []
        kind, token, at = self._token()
        while token != "]" or kind != "punctuation":
            items.append(self._value(kind, token, at))
            kind, token, at = self._after_item("]")
        return tuple(items)

    def _after_item(self, end: str) -> tuple[str, str, int]:
        """The token after an item and its comma, or the *end*."""
        kind, token, at = self._token()
        if kind == "punctuation" and token == end:
            return kind, token, at
        if kind != "punctuation" or token != ",":
            self._fail(at, f"expected a comma or {end!r}, found {self._found(kind, token)}")
        kind, token, at = self._token()
        if kind == "punctuation" and token == end:
            self._fail(
                at, f"expected another item after the comma, found {end!r}; remove the comma"
            )
        return kind, token, at

    def _token(self) -> tuple[str, str, int]:
        """(kind, text, offset) of the next token; the kind "" at the end."""
        space = _SPACE.match(self._text, self._next)
        at = self._next if space is None else space.end()
        if at == len(self._text):
            return "", "", at
        found = _TOKEN.match(self._text, at)
        if found is None:
            self._fail(at, f"expected a JSON value, found {self._text[at : at + 20]!r}")
        self._next = found.end()
        return str(found.lastgroup), found.group(), at

    def _string(self, token: str, at: int) -> str:
        if "\\" not in token:
            return token[1:-1]
        try:
            text = json.loads(token)
        except ValueError:
            self._fail(at, "expected a string with JSON's escapes, found another escape")
        if any("\ud800" <= char <= "\udfff" for char in text):
            self._fail(at, "expected whole characters, found half of a surrogate pair")
        return str(text)

    def _number(self, token: str, at: int) -> int | float:
        if len(token) > _LONGEST:
            self._fail(at, f"expected a number of at most {_LONGEST} digits, found {token[:20]}…")
        return float(token) if set(token) & set(".eE") else int(token)

    def _found(self, kind: str, token: str) -> str:
        return repr(token[:40]) if kind else "the end of the document"

    def _place(self, at: int) -> tuple[int, int]:
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1

    def _fail(self, at: int, message: str) -> NoReturn:
        fail(self._where, *self._place(at), message)
