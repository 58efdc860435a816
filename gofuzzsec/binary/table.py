"""The functions of one program, by address and by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gofuzzsec.binary.pclntab import MAX_NAME, Column

_TYPE_ARGUMENTS = re.compile(r"\[.*\]")
_TYPE_LITERAL = re.compile(r"(struct|interface) ?\{.*\}")


@dataclass(frozen=True, slots=True)
class Function:
    """``address`` as linked and ``size`` in bytes, with the padding after it in some binaries;
    ``name`` with the whole package path and type arguments as ``[...]``. ``generated``: the
    compiler made it, such as a wrapper of a method or between calling conventions. ``assembly``:
    written in assembly, or by a C compiler."""

    address: int
    size: int
    name: str
    generated: bool = False
    assembly: bool = False

    @property
    def end(self) -> int:
        """The address after its last byte."""
        return self.address + self.size


def plain_name(name: str) -> str:
    """*name* as Go's tracebacks write it, type arguments as ``[...]``, and without blanks: what the
    compiler makes for a type without a name is shortened likewise, ``type:.eq.struct{...}``."""
    if "[" in name:
        name = _TYPE_ARGUMENTS.sub("[...]", name)
    if " " in name:
        name = _TYPE_LITERAL.sub(r"\1{...}", name).replace(" ", "")
    return name


class FunctionTable:
    """All functions of a program in the order of their addresses. Immutable; `Function` values are
    made when they are asked for, so that a table of 100,000 costs little."""

    def __init__(
        self,
        addresses: Column,
        sizes: Column,
        names: Column,
        text: bytes,
        generated: np.ndarray,
        assembly: np.ndarray,
    ) -> None:
        """Columns, sorted by address; *names* are offsets of zero-ended strings in *text*."""
        self._addresses, self._sizes, self._offsets = addresses, sizes, names
        self._text, self._generated, self._assembly = text, generated, assembly

    def __len__(self) -> int:
        return len(self._addresses)

    def __iter__(self) -> Iterator[Function]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Function:
        return Function(
            int(self._addresses[index]),
            int(self._sizes[index]),
            self._name(int(self._offsets[index])),
            bool(self._generated[index]),
            bool(self._assembly[index]),
        )

    def _name(self, offset: int) -> str:
        end = self._text.find(b"\0", offset, offset + MAX_NAME)
        return plain_name(self._text[offset : max(end, offset)].decode("utf-8", "replace"))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all functions, in the order of the table."""
        offsets = self._offsets.tolist()
        name = {offset: self._name(offset) for offset in set(offsets)}
        return tuple(name[offset] for offset in offsets)

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            found.setdefault(name, []).append(index)
        return found

    def at(self, address: int) -> Function | None:
        """The function that *address* is in."""
        if not 0 <= address < 1 << 64:
            return None
        index = int(np.searchsorted(self._addresses, np.uint64(address), "right")) - 1
        if index < 0 or address >= int(self._addresses[index]) + int(self._sizes[index]):
            return None
        return self[index]

    def named(self, name: str) -> tuple[Function, ...]:
        """The functions with exactly this full name: several for the instances of a generic one.
        Those that the compiler made are left out where others have the name, too."""
        return self._chosen(self._by_name.get(plain_name(name), []))

    def matching(self, pattern: str) -> tuple[Function, ...]:
        """Functions by full name, else by short name (``Foo``, ``pkg.Foo``, ``(*T).M``), else by a
        full name with ``*`` for any text; none is an empty tuple."""
        pattern = plain_name(pattern)
        if exact := self._by_name.get(pattern):
            return self._chosen(exact)
        names = [unescaped(name) for name in self.names]
        found = [i for i, name in enumerate(names) if is_short_for(pattern, name)]
        if not found and "*" in pattern:
            accepts = glob(unescaped(pattern))
            found = [i for i, name in enumerate(names) if accepts.match(name)]
        return self._chosen(found)

    def _chosen(self, indexes: list[int]) -> tuple[Function, ...]:
        written = {self.names[i] for i in indexes if not self._generated[i]}
        return tuple(
            self[i] for i in indexes if not self._generated[i] or self.names[i] not in written
        )


def unescaped(name: str) -> str:
    """*name* with the ``%2e`` that the linker writes for some dots of a package's path undone."""
    return re.sub("%([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), name) if "%" in name else name


def is_short_for(short: str, name: str) -> bool:
    """Whether *short* is *name* (as `unescaped` gives it), or that without its package, or without
    leading elements of the package's path."""
    if not short or not name.endswith(short):
        return False
    if len(name) == len(short):
        return True
    before = name[: -len(short)]
    # After a package's dot, or a slash of its path; never in the middle of a method's name.
    path = len(name) - len(name[name.rfind("/", 0, _first_bracket(name)) + 1 :])
    if before[-1] == "/":
        return len(before) <= path
    dot = _package_dot(name, path)
    return before[-1] == "." and len(before) == dot + 1


def _first_bracket(name: str) -> int:
    """Where type arguments or a receiver begin: slashes behind belong to no package path."""
    at = [i for i in (name.find("["), name.find("(")) if i >= 0]
    return min(at, default=len(name))


def _package_dot(name: str, path: int) -> int:
    """Index of the dot between the package and the rest, for *name* whose last path element begins
    at *path*. Dots of ``yaml.v3`` belong to the package: a version suffix is skipped."""
    versioned = re.compile(r"[^.(]*\.v\d+\.").match(name, path)
    return versioned.end() - 1 if versioned else name.find(".", path)


def glob(pattern: str) -> re.Pattern[str]:
    """A pattern in which ``*`` stands for any text, but for that of a pointer receiver, ``(*T)``:
    a bracket is followed by nothing else in Go's names."""
    pieces = (re.escape(piece) for piece in re.split(r"(?<!\()\*", pattern))
    return re.compile(".*".join(pieces) + r"\Z", re.DOTALL)
