"""YAML with positions, as far as Kubernetes' resources use it.

The document is built from the parser's events, not by PyYAML's composer: that recurses as deep as
the document and expands aliases without a limit. Refused are tags, several documents and merge
keys. Aliases are followed; what they repeat counts against the limit each time, so that a few lines
cannot become billions of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

import yaml

from gofuzzsec.seccomp.formats.source import MAX_DEPTH, MAX_NODES, Node, Scalar, fail

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, ten times faster
_RESOLVER = yaml.resolver.Resolver()
_WORDS: dict[str, bool] = {"yes": True, "true": True, "on": True}
_LONGEST = 40
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


def parse_yaml(text: str, where: str) -> Node:
    """The one document in *text*. Raises ProfileError with its place in the document *where*."""
    return _Builder(where).document(text)


class _Builder:
    """One pass over one document's events."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._depth = 0

    def document(self, text: str) -> Node:
        try:
            events = self._events(text)
            return self._one_document(events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            fail(self._where, line, column, f"expected YAML, found a parser that {error.problem}")
        except yaml.reader.ReaderError as error:
            before = text[: max(error.position, 0)]
            line = before.count("\n") + 1
            column = len(before) - (before.rfind("\n") + 1) + 1
            fail(self._where, line, column, "expected YAML, found a character that it cannot hold")

    def _events(self, text: str) -> Iterator[yaml.Event]:
        loader = _LOADER(text)
        try:
            while loader.check_event():
                yield loader.get_event()
        finally:
            loader.dispose()

    def _one_document(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._fail(event, "expected one document, found another; keep one in each file")
                root = self._node(next(events), events)
        if root is None:
            fail(self._where, 1, 1, "expected a document, found none")
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        # Between nodes the parser has no other events than those of the loops above and below.
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        self._count(event, 1)
        if event.tag is not None:
            self._fail(event, f"expected no tags, found {event.tag[:40]!r}; remove it")
        node = self._plain_node(event, events)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _plain_node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        line, column = _place(event)
        if isinstance(event, yaml.ScalarEvent):
            return Node(self._scalar(event), line, column)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(event, f"expected at most {MAX_DEPTH} lists and mappings inside each other")
        before = self._nodes
        value: tuple[Node, ...] | dict[str, tuple[Node, Node]]
        if isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events)
        else:
            value = self._mapping(events)
        self._depth -= 1
        return Node(value, line, column, self._nodes - before + 1)

    def _sequence(self, events: Iterator[yaml.Event]) -> tuple[Node, ...]:
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events))
        return tuple(items)

    def _mapping(self, events: Iterator[yaml.Event]) -> dict[str, tuple[Node, Node]]:
        fields: dict[str, tuple[Node, Node]] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events)
            if not isinstance(key.value, str) or key.value == "<<":
                self._fail(event, f"expected a field's name, found {key.shown()}")
            self._nodes -= key.count  # names are no values
            if key.value in fields:
                first = fields[key.value][0]
                self._fail(
                    event,
                    f"expected each field once, found {key.shown()} again (first in line "
                    f"{first.line}); keep one of them",
                )
            fields[key.value] = (key, self._node(next(events), events))
        return fields

    def _alias(self, event: yaml.AliasEvent) -> Node:
        anchor = str(event.anchor)
        node = self._anchors.get(anchor)
        if node is None:
            self._fail(event, f"expected an anchor before its alias, found *{anchor[:40]}")
        self._count(event, node.count)
        # The nodes inside keep the place where they stand in the text.
        return Node(node.value, *_place(event), node.count)

    def _count(self, event: yaml.Event, more: int) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            self._fail(event, f"expected at most {MAX_NODES} values in a profile, found more")

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        """The value by YAML 1.1's rules, which Kubernetes follows; a date is text."""
        text: str = event.value
        if not event.implicit[0]:
            return text
        match _kind(text, event.implicit):
            case "int":
                return self._integer(event, text)
            case "float":
                return self._float(event, text)
            case "bool":
                return text.lower() in _WORDS
            case "null":
                return None
            case _:
                return text

    def _integer(self, event: yaml.ScalarEvent, text: str) -> int:
        digits = text.replace("_", "")
        if len(digits) > _LONGEST or ":" in digits:
            self._fail(event, f"expected a number in digits, found {text[:20]!r}; quote text")
        sign, body = (-1, digits[1:]) if digits.startswith("-") else (1, digits.lstrip("+"))
        if body != "0" and re.fullmatch(r"0[0-7]+", body):
            return sign * int(body, 8)  # YAML 1.1's octal
        return sign * int(body, 0)

    def _float(self, event: yaml.ScalarEvent, text: str) -> float | str:
        try:
            return float(text.replace("_", ""))
        except ValueError:
            return text  # .inf, .nan, 1:30.5: no number that a profile could hold

    def _fail(self, event: yaml.Event, message: str) -> NoReturn:
        fail(self._where, *_place(event), message)


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _kind(text: str, implicit: tuple[bool, bool] = (True, False)) -> str:
    """``int``, ``bool``, ``str`` …: what YAML 1.1 takes an unquoted *text* for."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, implicit)  # type: ignore[no-untyped-call]
    return str(tag).rpartition(":")[2]


def quoted(text: str) -> str:
    """*text* as a YAML scalar that reads as this string and nothing else; ASCII only."""
    if _PLAIN.fullmatch(text) and _kind(text) == "str":
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if " " <= char <= "~":
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
