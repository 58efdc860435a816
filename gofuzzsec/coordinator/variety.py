"""What a turn starts from: an entry as it is, or one that no single mutation would give.

A stock worker goes back to the value it was given every fifth mutation, so it never strays far
from it, and it knows only that one value. Far-off starting points must therefore come from here:
crossing two entries (AFL's splice stage) and stacking many of Go's own mutations (AFL's havoc
stage). They are tried for a shorter time, since most lead nowhere.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from gofuzzsec.coordinator.pool import Entry
from gofuzzsec.coordinator.state import State, is_fuzzable, values_of
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import Input, Value
from gofuzzsec.mutate import Mutator, Pcg

# Shares of turns; guesses in the range of AFL's stage lengths, to be replaced by measurement.
_CROSSED, _STACKED = 0.25, 0.15
_SHORT = 0.3  # of an ordinary turn
_LARGEST = 1 << 20  # bytes: beyond this the copying costs more than the turn is worth


@dataclass(frozen=True, slots=True)
class Start:
    """``data`` is what the worker mutates; ``share`` is how much of an ordinary turn it gets."""

    data: bytes
    share: float


def start_of(state: State, entry: Entry) -> Start:
    """The starting point of one turn of *entry*."""
    draw = state.rng.random()
    if draw >= _CROSSED + _STACKED or len(entry.data) > _LARGEST:
        return Start(entry.data, 1.0)
    values = values_of(entry.data)
    if draw < _CROSSED:
        other = state.schedule.another(entry)
        if other is None or len(other.data) > _LARGEST:
            return Start(entry.data, 1.0)
        values = crossed(values, values_of(other.data), state.rng)
    else:
        values = stacked(values, state.rng, state.options.shm_size)
    if not is_fuzzable(values, state.options.shm_size):
        return Start(entry.data, 1.0)
    return Start(marshal(values), _SHORT)


def crossed(first: Input, second: Input, rng: random.Random) -> Input:
    """*first* with one argument changed by what *second* has in the same place.

    Byte arguments get a piece of the other inserted, overwritten or put in place of their end;
    other arguments are taken over.
    """
    index = rng.randrange(len(first))
    ours, theirs = first[index].raw, second[index].raw
    raw: bytes | bool | int = theirs
    if isinstance(ours, bytes) and isinstance(theirs, bytes):
        at = rng.randint(0, len(ours))
        begin = rng.randint(0, len(theirs))
        piece = theirs[begin : begin + rng.randint(1, max(len(theirs) - begin, 1))]
        way = rng.randrange(3)
        rest = (b"", ours[at:], ours[at + len(piece) :])[way]
        raw = ours[:at] + (theirs[begin:] if way == 0 else piece) + rest
    return (*first[:index], Value(first[index].type, raw), *first[index + 1 :])


def stacked(values: Input, rng: random.Random, shm_size: int) -> Input:
    """*values* after 8 to 64 of Go's mutations."""
    mutator = Mutator(Pcg.seeded(rng.getrandbits(63), 1), shm_size)
    changed = list(values)
    for _ in range(1 << rng.randint(3, 6)):
        mutator.mutate(changed)
    return tuple(changed)
