"""Trying out words on the inputs that are nearest to a goal, one after the other.

Where an input stops short of a system call, what is missing is often one word: a flag, an option, a
name. Havoc finds it by luck, once in a hundred thousand executions. The number of words that a
corpus and a dictionary know, times the places that an input has for one, is a few thousand: they
can all be tried. That is worth its executions for the few inputs at a frontier, and would not be
for all (AFL's deterministic stages, and its dictionary's among them, were given up for that).

Words are what stands between spaces and punctuation; nothing else is known of the format. A short
word that begins with punctuation (``-p``) stands for all that end with another letter: a corpus has
seen some flags, and programs have others.
"""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from gofuzzsec.coordinator.pool import Entry, Pool
from gofuzzsec.coordinator.state import values_of
from gofuzzsec.coordinator.tokens import TokenBook
from gofuzzsec.corpus.values import Input

_WORD = re.compile(rb"[^\s,;:=&|()\[\]{}<>\"'/?\x00]+")
_FLAG = re.compile(rb"[^\w\s][A-Za-z0-9]")
_LETTERS = (string.ascii_lowercase + string.ascii_uppercase + string.digits).encode()
_LONGEST_WORD = 48
_MOST_WORDS = 512
_LONGEST_VALUE = 2048  # bytes: longer ones have too many places
_MOST_ENTRIES = 256  # that words are taken from
_FIRST = 128
"""Words that are tried in all places before the others are: flags, and the most common ones."""
SLICE = 256
"""Inputs of one job."""
_MOST_TRIES = 16384
"""Of one input: what is left then is left to chance."""
MOST, LEAST = 0.4, 0.05
"""Of all executions, those that may go into it: the most while it finds something, and down to the
least while it does not, as with formats that have no words. Guesses."""
_PATIENCE = 48
"""Slices without a find after which half of the difference is gone."""


@dataclass(slots=True)
class _Tried:
    """What is still to be tried of one input: places and words in a random order of numbers."""

    places: tuple[tuple[int, int, int], ...]
    words: tuple[tuple[bytes, bytes], ...]
    order: Iterator[int]


@dataclass(slots=True)
class Prober:
    """Which words were tried on which inputs. Owned by the coordinator thread."""

    rng: random.Random
    pool: Pool
    tokens: TokenBook
    executions: int = 0
    _tried: dict[int, _Tried] = field(default_factory=dict)
    _done: set[int] = field(default_factory=set)
    _slices: Counter[int] = field(default_factory=Counter)
    _vain: int = 0  # slices since the last find

    def next(self, entries: Iterable[Entry], executions: int) -> Entry | None:
        """Of *entries*, on which something is left to try, the first on which least was tried; None
        as well where no more of the campaign's *executions* may be spent on it now."""
        if self.executions > self._share() * executions:
            return None
        left = [entry for entry in entries if entry.id not in self._done]
        return min(left, key=lambda entry: self._slices[entry.id], default=None)

    def found(self) -> None:
        """Take note that a word led to something new."""
        self._vain = 0

    def inputs(self, entry: Entry) -> list[Input]:
        """The next inputs to try, at most `SLICE`; none when *entry* has none left."""
        if entry.id in self._done:
            return []
        values = values_of(entry.data)
        tried = self._tried.get(entry.id)
        if tried is None:
            tried = self._tried[entry.id] = self._begin(values)
        found = [_put(values, tried, number) for number in islice(tried.order, SLICE)]
        if len(found) < SLICE:
            self._done.add(entry.id)
            del self._tried[entry.id]
        self._slices[entry.id] += 1
        self._vain += 1
        self.executions += len(found)
        return found

    def _share(self) -> float:
        return LEAST + (MOST - LEAST) / (1.0 + self._vain / _PATIENCE)

    def _begin(self, values: Input) -> _Tried:
        places, words = tuple(_places(values)), tuple(self._words())
        first = len(places) * min(_FIRST, len(words))
        every = len(places) * len(words)
        order = self.rng.sample(range(first), min(first, _MOST_TRIES))
        more = min(every - first, _MOST_TRIES - len(order))
        order += self.rng.sample(range(first, every), more)
        return _Tried(places, words, iter(order))

    def _words(self) -> Iterator[tuple[bytes, bytes]]:
        """(what parts it from the word before, the word), of the corpus and the dictionary."""
        entries = list(self.pool)
        if len(entries) > _MOST_ENTRIES:
            entries = self.rng.sample(entries, _MOST_ENTRIES)
        seen: Counter[bytes] = Counter()
        parted: dict[bytes, bytes] = {}
        for entry in entries:
            for raw in (value.raw for value in values_of(entry.data)):
                if isinstance(raw, bytes):
                    for word, before in _parted(raw[:_LONGEST_VALUE]):
                        seen[word] += 1
                        parted.setdefault(word, before)
        common = [word for word, _ in seen.most_common(_MOST_WORDS)]
        dictionary = [token for token, _ in self.tokens.pairs() if 0 < len(token) <= _LONGEST_WORD]
        between = Counter(before for before in parted.values() if before).most_common(1)
        usual = between[0][0] if between else b" "
        for word in dict.fromkeys([*_kinds(common), *common, *dictionary[:_MOST_WORDS]]):
            yield parted.get(word) or usual, word


def _places(values: Input) -> Iterator[tuple[int, int, int]]:
    """(argument, from, to): each word, to be replaced, and where each ends, to go on there."""
    for number, value in enumerate(values):
        raw = value.raw
        if not isinstance(raw, bytes) or len(raw) > _LONGEST_VALUE:
            continue
        ends = {0}
        for match in _WORD.finditer(raw):
            yield number, match.start(), match.end()
            ends.add(match.end())
        yield from ((number, end, end) for end in sorted(ends))


def _parted(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    for match in _WORD.finditer(raw):
        if len(match[0]) <= _LONGEST_WORD:
            yield match[0], raw[max(match.start() - 1, 0) : match.start()]


def _kinds(words: Iterable[bytes]) -> Iterator[bytes]:
    """All flags of the kinds among *words*."""
    for mark in dict.fromkeys(word[:1] for word in words if _FLAG.fullmatch(word)):
        yield from (mark + bytes([letter]) for letter in _LETTERS)


def _put(values: Input, tried: _Tried, number: int) -> Input:
    word_number, place = divmod(number, len(tried.places))
    argument, start, end = tried.places[place]
    before, word = tried.words[word_number]
    value = values[argument]
    raw = bytes(value.raw) if isinstance(value.raw, bytes) else b""
    put = word if start < end or not start else before + word
    changed = replace(value, raw=raw[:start] + put + raw[end:])
    return (*values[:argument], changed, *values[argument + 1 :])
