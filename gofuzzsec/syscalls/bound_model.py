"""What a static upper bound says: the values; `bound` makes them."""

from __future__ import annotations

from dataclasses import dataclass

from gofuzzsec.errors import UsageError
from gofuzzsec.syscalls import table


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call is made: the innermost function, which may be inlined, with file and line; ""
    and 0 where the program does not say. ``str`` is the form of stack entries."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} {self.file}:{self.line}" if self.file else self.function


@dataclass(frozen=True, slots=True)
class PossibleCall:
    """One call with every place that makes it. ``path`` is the shortest way from a root: names of
    functions, the root first, the one that makes the call last."""

    name: str
    number: int
    sites: tuple[Place, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownCall:
    """A place that makes a call whose number is not constant, so that it could be any."""

    place: Place
    why: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """Something that makes calls which are not in the bound. ``kind`` is one of

    - ``c-library``: functions of other libraries that the program uses; *what* names them;
    - ``cgo``: C code in the program itself, which is followed, but not by rules made for it;
    - ``loader``: the dynamic loader, which runs before the program does;
    - ``plugin``: code loaded while the program runs;
    - ``legacy``: calls by the numbers of 32-bit programs;
    - ``exec``: other programs that it runs, whose calls are their own.
    """

    kind: str
    what: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """``calls`` by name. ``reached`` of ``functions`` can run. ``assumes`` are sentences that the
    bound is only right under."""

    arch: str
    go_version: str
    roots: tuple[str, ...]
    calls: tuple[PossibleCall, ...]
    unknown: tuple[UnknownCall, ...]
    opens: tuple[Opening, ...]
    assumes: tuple[str, ...]
    reached: int
    functions: int

    @property
    def names(self) -> frozenset[str]:
        """The names of all calls."""
        return frozenset(call.name for call in self.calls)

    @property
    def is_open(self) -> bool:
        """Whether the process itself could make calls that are not listed."""
        return bool(self.unknown) or any(opening.kind != "exec" for opening in self.opens)

    def call(self, name: str) -> PossibleCall:
        """The call *name*. Raises UsageError when the bound does not contain it."""
        for call in self.calls:
            if call.name == name:
                return call
        known = table.number(name, self.arch) is not None
        found = "one that nothing reachable makes" if known else f"no system call of {self.arch}"
        raise UsageError(
            f"expected one of the {len(self.calls)} system calls in the bound, found {name!r}, "
            f"{found}; run without --why for the list"
        )

    def path_to(self, name: str) -> tuple[str, ...]:
        """The shortest way from a root to the call *name*. Raises UsageError."""
        return self.call(name).path
