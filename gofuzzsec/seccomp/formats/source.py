"""Documents as trees of values that know where they stand.

Profiles come as JSON and as YAML, from people, who want to be told line and column, and from
strangers, whose documents must end in an error within a second and in bounded memory. So both
languages are read into one tree of `Node`, strictly and within limits, and `Fields` takes it apart
the same way whatever the language was. `json_text` and `yaml_text` have the parsers.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NoReturn

from gofuzzsec.errors import ProfileError

MAX_BYTES = 1 << 20
"""Of a document. Docker's default profile has 14 KiB; a Kubernetes object may have 1.5 MiB in
etcd, a ConfigMap 1 MiB."""

MAX_NODES = 60_000
"""Values in a document, those that aliases repeat counted each time. All calls of all
architectures, each in a rule of its own with six conditions, are 20,000."""

MAX_DEPTH = 32
"""Objects and arrays inside each other; a profile inside a whole OCI configuration has 7."""

_SHOWN = 60  # characters of a value that an error shows

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the place of its first character (both counted from 1).

    ``value`` is a scalar, a tuple of nodes (an array) or a dict of (key node, value node) by key
    (an object, in the document's order). ``count`` is the number of values in it, itself included.
    """

    value: Scalar | tuple[Node, ...] | dict[str, tuple[Node, Node]]
    line: int
    column: int
    count: int = 1

    def shown(self) -> str:
        """The value as an error names it: what is short and has no parts is quoted."""
        match self.value:
            case dict():
                return "an object"
            case tuple():
                return "an array"
            case None:
                return "null"
            case bool():
                return "true" if self.value else "false"
            case str() as text:
                return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
            case number:
                return repr(number)[:_SHOWN]


def fail(where: str, line: int, column: int, message: str) -> NoReturn:
    """Raise ProfileError for a place of the document called *where*."""
    raise ProfileError(f"{where}:{line}:{column}: {message}")


def nearest(word: str, known: Collection[str]) -> str:
    """`` (did you mean 'openat'?)`` for a word of *known* that is close to *word*, else ``""``."""
    close = difflib.get_close_matches(word[:_SHOWN], known, n=1, cutoff=0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""


class Fields:
    """An object being read field by field: every field must be known, and of its type.

    *what* names the object in errors ("a rule"), *where* the document. Fields that are null count
    as absent, as they do for the runtimes, whose JSON library leaves them unset.
    """

    def __init__(self, node: Node, where: str, what: str, known: Collection[str]) -> None:
        self.node = node
        self.where = where
        self._what = what
        if not isinstance(node.value, dict):
            self.fail(node, f"expected {what} as an object, found {node.shown()}")
        self._fields = node.value
        for name, (key, _) in node.value.items():
            if name not in known:
                self._unknown(key, known)

    def _unknown(self, key: Node, known: Collection[str]) -> NoReturn:
        name = str(key.value)
        hint = nearest(name, known) or f", which has {', '.join(sorted(known))}"
        self.fail(
            key,
            f"expected a field of {self._what}, found {key.shown()}{hint}; correct or remove it",
        )

    def fail(self, node: Node, message: str) -> NoReturn:
        """Raise ProfileError for *node*'s place."""
        fail(self.where, node.line, node.column, message)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def key(self, name: str) -> Node:
        """The node of the field's name, for errors about the field itself."""
        return self._fields[name][0]

    def get(self, name: str) -> Node | None:
        """The field's value, None when it is absent or null."""
        found = self._fields.get(name)
        return None if found is None or found[1].value is None else found[1]

    def need(self, name: str) -> Node:
        """The field's value; an error where it is absent."""
        found = self.get(name)
        if found is None:
            self.fail(self.node, f"expected the field {name!r} in {self._what}, found none; add it")
        return found

    def text(self, name: str) -> str:
        """A string, "" when absent."""
        found = self.get(name)
        return "" if found is None else self.string(found, name)

    def string(self, node: Node, name: str) -> str:
        """*node* as the string that *name* must be."""
        if not isinstance(node.value, str):
            self.fail(node, f"expected {name} as a string, found {node.shown()}")
        return node.value

    def integer(self, name: str, most: int) -> int | None:
        """A whole number from 0 to *most*, None when absent."""
        found = self.get(name)
        if found is None:
            return None
        value = found.value
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            self.fail(
                found, f"expected {name} as a whole number from 0 to {most}, found {found.shown()}"
            )
        return value

    def boolean(self, name: str) -> bool:
        """True or false, False when absent."""
        found = self.get(name)
        if found is None:
            return False
        if not isinstance(found.value, bool):
            self.fail(found, f"expected {name} to be true or false, found {found.shown()}")
        return found.value

    def items(self, name: str) -> tuple[Node, ...]:
        """The elements of an array, none when absent."""
        found = self.get(name)
        if found is None:
            return ()
        if not isinstance(found.value, tuple):
            self.fail(found, f"expected {name} as an array, found {found.shown()}")
        return found.value

    def strings(self, name: str) -> tuple[str, ...]:
        """An array of strings, empty when absent."""
        return tuple(self.string(item, f"each of {name}") for item in self.items(name))

    def chosen(self, node: Node, name: str, known: Collection[str]) -> str:
        """*node* as one of the words that *name* may be."""
        word = self.string(node, name)
        if word not in known:
            hint = nearest(word, known) or f", which may be {', '.join(sorted(known))}"
            self.fail(node, f"expected {name} that is known, found {node.shown()}{hint}")
        return word

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """All fields as (key node, value node), in the document's order."""
        yield from self._fields.values()
