"""Call paths merged into a tree: who leads to which system call, outermost function at the root."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gofuzzsec.coordinator.capturing.callpath import (
    call_path,
    function_of,
    own_frame,
    place_of,
)
from gofuzzsec.report.text import clean, number
from gofuzzsec.syscalls.model import CallOutcome, Origin, SyscallUse

RUNTIME = "(the Go runtime for itself)"
HARNESS = "(the test harness)"
NO_STACK = "(other programs and C code)"
_MARK = "● "
LEGEND = "● the first function of your own module on the way out from the call"
_MOST_PLACES = 3


@dataclass(slots=True)
class Node:
    """One function. ``places`` are the lines in it that led further, in order of sight; ``own``
    tells that some path has its first frame of the user's module here; ``calls`` are those whose
    path ends here, by what they are shown as."""

    places: dict[str, None] = field(default_factory=dict)
    own: bool = False
    children: dict[str, Node] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def total(self) -> int:
        """Calls made here and below."""
        return sum(self.calls.values()) + sum(child.total() for child in self.children.values())


def call_tree(paths: Iterable[SyscallUse], own: Sequence[str], *, test_binary: bool) -> Node:
    """The root of the tree of *paths*; it is no function itself."""
    root = Node()
    for use in paths:
        frames = _frames(use, test_binary)
        marked = own_frame(use.stack, own, test_binary=test_binary)
        node = root
        for frame in frames:
            name, place = _named(frame)
            node = node.children.setdefault(name, Node())
            if place:
                node.places[place] = None
            node.own = node.own or frame == marked
        label = call_label(use)
        node.calls[label] = node.calls.get(label, 0) + use.count
    return root


def _frames(use: SyscallUse, test_binary: bool) -> tuple[str, ...]:
    if use.origin is Origin.RUNTIME:
        return (RUNTIME,)
    if use.origin is Origin.HARNESS:
        return (HARNESS,)
    return call_path(use.stack, test_binary=test_binary) or (NO_STACK,)


def _named(frame: str) -> tuple[str, str]:
    """Function and place; one of the names above is no function."""
    return (frame, "") if frame.startswith("(") else (function_of(frame), place_of(frame))


def call_label(use: SyscallUse) -> str:
    """The call with its kind and, where it is not plain success, how it ended."""
    kind = f" {use.kind}" if use.kind else ""
    plain = use.outcome in (CallOutcome.OK, CallOutcome.UNTOLD)
    return f"{use.name}{kind}" + ("" if plain else f" ({use.outcome.value})")


def tree_text(root: Node) -> str:
    """The tree, a line a function and a line a call, with how many calls each led to."""
    return "\n".join(_lines(root, ""))


def _lines(node: Node, indent: str) -> Iterator[str]:
    children = sorted(node.children.items(), key=lambda item: (item[0][0] == "(", item[0]))
    count = len(node.calls) + len(children)
    for index, (label, times) in enumerate(sorted(node.calls.items())):
        last = index == count - 1
        yield f"{indent}{'└ ' if last else '├ '}{clean(label)}  ×{number(times)}"
    for index, (name, child) in enumerate(children, len(node.calls)):
        last = index == count - 1
        yield f"{indent}{'└ ' if last else '├ '}{_title(name, child)}"
        yield from _lines(child, indent + ("  " if last else "│ "))


def _title(name: str, node: Node) -> str:
    mark = _MARK if node.own else ""
    return f"{mark}{clean(name)}{_places(tuple(node.places))}  [{number(node.total())}]"


def _places(places: Sequence[str]) -> str:
    """`` run.go:33,41``: files by name, their folders are in the function's."""
    by_file: dict[str, list[str]] = {}
    for place in places:
        file, _, line = place.rpartition(":")
        by_file.setdefault(file.rpartition("/")[2], []).append(line)
    parts = []
    for file, lines in by_file.items():
        more = ",…" if len(lines) > _MOST_PLACES else ""
        parts.append(f"{file}:{','.join(lines[:_MOST_PLACES])}{more}")
    return f" {clean(' '.join(parts))}" if parts else ""
