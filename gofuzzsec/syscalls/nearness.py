"""How near each block of a fuzz binary is to each system call, by name, kept by its content.

The distances are worked out in `gofuzzsec.binary.distance`; this gives the calls their names, says
which calls are left to the runtime and the test harness, and keeps the answer beside the static
bound, since both take seconds a binary and never change.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary import GoProgram, code_tokens
from gofuzzsec.binary.counters import Counters, counters_of
from gofuzzsec.binary.distance import FAR, distances
from gofuzzsec.binary.static import CallGraph
from gofuzzsec.files import write_atomic
from gofuzzsec.syscalls import bound_cache, table
from gofuzzsec.syscalls.attribution import package_of
from gofuzzsec.syscalls.bound import bound_of
from gofuzzsec.syscalls.bound_model import Bound
from gofuzzsec.toolchain.cache import cache_dir, made_cache_dir

_FOLDER = "nearness"
_HARNESS = ("testing.", "testing/", "internal/fuzz.", "main.")
"""Beginnings of the names of functions that run fuzz tests; what they call is not the target's."""
_MOST_PACKAGES, _MOST_TOKENS, _TOKEN_SECONDS = 6, 128, 1.0
"""Packages whose constants are taken, of each so many at most, read for so long at most."""
_MOST_BYTES = 256 << 20
"""Of kept distances, unpacked: a million counters to 250 calls."""


@dataclass(frozen=True, slots=True)
class Nearness:
    """``rows[i, k]`` is how many blocks still have to run between counter i and the call
    ``names[k]``, `FAR` where no way is known; ``functions[i]`` holds counter i, by number in
    ``labels``. ``harness`` are calls in the bound that only the runtime, package initialisation or
    the test harness make, or what they leave in variables. ``bound`` is the static bound from the
    same roots.
    ``tokens`` are constants in the code of the program's packages, the standard library's left out:
    what decides on the way is often compared with in a dependency."""

    names: tuple[str, ...]
    rows: npt.NDArray[np.uint8]
    functions: npt.NDArray[np.uint32]
    labels: tuple[str, ...]
    harness: tuple[str, ...]
    bound: Bound
    tokens: tuple[bytes, ...] = ()

    def function(self, counter: int) -> str:
        """The function that holds *counter*."""
        return self.labels[int(self.functions[counter])]


def nearness(program: GoProgram, roots: Sequence[str]) -> Nearness:
    """Distances in the fuzz binary *program* to the calls that the functions *roots* (full names)
    lead to. Raises BinaryError for a binary that cannot be followed or has no counters."""
    named = tuple(roots)
    name = bound_cache.entry_name(program, named)
    bound = bound_cache.kept(program, named)
    found = None if bound is None else _kept(name, bound)
    if found is None:
        graph = CallGraph.read(program)
        if bound is None:
            bound = bound_of(graph, named)
            bound_cache.keep(program, bound)
        found = _work_out(graph, named, bound)
        _keep(name, found)
    return found


def _work_out(graph: CallGraph, roots: Sequence[str], bound: Bound) -> Nearness:
    counters = counters_of(graph.program, graph.code)
    wanted = frozenset(roots)
    units = list(enumerate(graph.code.units.names))
    closed = [unit for unit, name in units if name.startswith(_HARNESS) and name not in wanted]
    found = distances(graph, counters, [u for u, name in units if name in wanted], closed)
    arch = graph.program.arch
    led = (found.start < FAR) & (found.rows < FAR).any(axis=0)
    reached = np.flatnonzero(led).tolist()
    names = [table.name(found.numbers[k], arch) or f"number {found.numbers[k]}" for k in reached]
    labels = {name: index for index, name in enumerate(dict.fromkeys(counters.functions))}
    return Nearness(
        names=tuple(names),
        rows=found.rows[:, reached],
        functions=np.array([labels[name] for name in counters.functions], np.uint32),
        labels=tuple(labels),
        harness=tuple(sorted(bound.names - set(names))),
        bound=bound,
        tokens=_tokens(graph.program, counters),
    )


def _tokens(program: GoProgram, counters: Counters) -> tuple[bytes, ...]:
    """Those of the packages with the most counters, in that order."""
    sizes = Counter(package_of(name) for name in counters.functions)
    own = [path for path, _ in sizes.most_common() if "." in path.partition("/")[0]]
    found: dict[bytes, None] = {}
    for path in own[:_MOST_PACKAGES]:
        found |= dict.fromkeys(
            code_tokens(program.path, path, _MOST_TOKENS, seconds=_TOKEN_SECONDS).tokens
        )
    return tuple(found)


def _keep(name: str, found: Nearness) -> None:
    """A full disk only means that the next one works it out again. Raises ToolchainError when the
    cache folder cannot be made."""
    head = {
        "names": found.names,
        "labels": found.labels,
        "harness": found.harness,
        "counters": len(found.functions),
        "tokens": [token.hex() for token in found.tokens],
    }
    body = json.dumps(head).encode("utf-8", "surrogatepass")
    data = body + b"\n" + zlib.compress(found.rows.tobytes() + found.functions.tobytes(), 1)
    folder = made_cache_dir(_FOLDER)
    with contextlib.suppress(OSError):
        bound_cache.prune(folder)
        write_atomic(folder / name, data)


def _kept(name: str, bound: Bound) -> Nearness | None:
    """What `_keep` wrote; None if there is nothing that is whole."""
    path = cache_dir() / _FOLDER / name
    try:
        head, _, packed = path.read_bytes().partition(b"\n")
        data = zlib.decompressobj().decompress(packed, _MOST_BYTES)
        fields = json.loads(head)
        size = int(fields["counters"])
        names = tuple(map(str, fields["names"]))
        rows = np.frombuffer(data, np.uint8, size * len(names)).reshape(size, len(names))
        functions = np.frombuffer(data, "<u4", size, size * len(names))
        labels = tuple(map(str, fields["labels"]))
        if size and int(functions.max()) >= len(labels):
            return None
        tokens = tuple(map(bytes.fromhex, fields["tokens"]))
        os.utime(path)  # its last use, for pruning
    except (OSError, ValueError, KeyError, TypeError, zlib.error, RecursionError):
        return None
    harness = tuple(map(str, fields["harness"]))
    return Nearness(names, rows, functions, labels, harness, bound, tokens)
