"""Go's mutator, so that an input a worker made up can be made again outside it.

A worker never sends the input it found something with. It sends how many executions it did and the
state of its generator when the current chain of mutations began; `replay` turns these and the seed
into the input, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from gofuzzsec.corpus.floats import CANONICAL_NAN
from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.errors import CorpusError
from gofuzzsec.mutate.byteslice import BYTE_MUTATORS, Scratch
from gofuzzsec.mutate.pcg import Pcg
from gofuzzsec.mutate.scalars import mutate_float, mutate_integer

# Go leaves this much of each value's share for what the corpus format adds.
_FORMAT_SHARE = 100


class Mutator:
    """Go's mutator with its scratch buffer; to be used on one list of values at a time.

    In Go a changed ``[]byte`` is a view of the mutator's one scratch buffer, not a copy. While a
    chain of mutations goes on, changing another ``[]byte`` or string therefore also changes the
    bytes of those that were changed before. ``_views`` holds, by index, the values that are such
    views; it is current as long as the caller leaves those very objects in the list.
    """

    def __init__(self, rng: Pcg, max_bytes: int) -> None:
        """*max_bytes* is the size of a worker's shared memory less its header."""
        self.rng = rng
        self._max_bytes = max_bytes
        self._scratch = Scratch(0)
        self._views: dict[int, Value] = {}

    def mutate(self, values: list[Value]) -> None:
        """Change one of *values* once, in place.

        Raises CorpusError where a worker would panic: no values, or one too large to change.
        """
        if not values:
            raise CorpusError("expected at least one value to mutate, found none")
        index = self.rng.intn(len(values))
        value = values[index]
        if isinstance(value.raw, bytes):
            self._mutate_bytes(values, index, value.raw)
        elif value.type is GoType.BOOL:
            values[index] = Value(GoType.BOOL, value.raw != (self.rng.intn(2) == 1))
        elif value.type in CANONICAL_NAN:
            values[index] = Value(value.type, mutate_float(self.rng, value.raw, value.type))
        else:
            values[index] = Value(value.type, mutate_integer(self.rng, value.raw, value.type))

    def _mutate_bytes(self, values: list[Value], index: int, content: bytes) -> None:
        limit = self._max_bytes // len(values) - _FORMAT_SHARE
        if len(content) > limit or limit < 2:
            raise CorpusError(
                f"expected at most {max(limit, 0)} bytes in argument {index + 1}, as Go changes no "
                f"longer ones, found {len(content)}"
            )
        self._forget_stale_views(values)
        if self._scratch.capacity < limit:
            self._scratch = Scratch(limit)
            self._views.clear()  # they stay views of the old buffer, which nothing changes now
        self._scratch.load(content)
        length = None
        while length is None:
            mutator = BYTE_MUTATORS[self.rng.intn(len(BYTE_MUTATORS))]
            length = mutator(self.rng, self._scratch, len(content))
        kind = values[index].type
        values[index] = Value(kind, bytes(self._scratch.data[:length]))
        self._views.pop(index, None)
        self._refresh_views(values)
        if kind is GoType.BYTES:
            self._views[index] = values[index]

    def _forget_stale_views(self, values: list[Value]) -> None:
        self._views = {
            index: view
            for index, view in self._views.items()
            if index < len(values) and values[index] is view
        }

    def _refresh_views(self, values: list[Value]) -> None:
        for index, view in self._views.items():
            assert isinstance(view.raw, bytes)
            values[index] = Value(GoType.BYTES, bytes(self._scratch.data[: len(view.raw)]))
            self._views[index] = values[index]


def replay(
    seed: Sequence[Value], rand_state: int, rand_inc: int, mutations: int, max_bytes: int
) -> Input:
    """The input a worker had after *mutations* mutations of *seed* from a saved generator state.

    Raises CorpusError when the seed is one that no worker could have mutated.
    """
    values = list(seed)
    mutator = Mutator(Pcg(rand_state, rand_inc), max_bytes)
    for _ in range(mutations):
        mutator.mutate(values)
    return tuple(values)
