"""Which combinations of rules a call's arguments can meet: exact over all 64-bit values.

A rule of a filter is a conjunction of tests, each on one argument. To know what a list of rules
does to every call one needs to know which sets of rules can hold together. That is worked out
argument by argument. The bits of one argument are walked from the top, and of every comparison only
its outcome so far is kept (equal, greater, less), so all values that no comparison tells apart stay
together: a few dozen states where there are 2⁶⁴ values. Arguments are independent, so the rules
that hold are those that hold for each; equal sets are merged after every argument. Every set comes
with arguments that show it.

The alternatives were trying values next to each constant, which is wrong for masks, and an SMT
solver, which is a dependency. Masks can make the walk exponential (the question is then as hard as
satisfiability), so the work is counted and ends with an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.model import Condition, Op

ARGUMENTS = 6
FULL = (1 << 64) - 1
_STEPS = 400_000  # about half a second; a large profile compared with another needs some 10,000


@dataclass(frozen=True, slots=True, order=True)
class Test:
    """A comparison of argument ``arg`` (0 to 5; 6 is the instruction pointer, which only foreign
    BPF programs look at): its bits of ``mask`` as one number ``op`` (all but MASKED_EQ) ``value``.
    """

    arg: int
    mask: int
    op: Op
    value: int

    def holds(self, args: Sequence[int]) -> bool:
        """Whether it holds for a call's arguments (unsigned; missing ones are 0)."""
        found = (args[self.arg] if self.arg < len(args) else 0) & self.mask
        return _decided(self.op, (found > self.value) - (found < self.value))

    @property
    def negated(self) -> Test:
        """The test that holds where this one does not."""
        return Test(self.arg, self.mask, _NEGATED[self.op], self.value)


_NEGATED = {
    Op.EQ: Op.NE,
    Op.NE: Op.EQ,
    Op.LT: Op.GE,
    Op.GE: Op.LT,
    Op.LE: Op.GT,
    Op.GT: Op.LE,
}


def test_of(condition: Condition) -> Test:
    """A profile's condition as a test. libseccomp masks the value of MASKED_EQ, too (measured),
    so bits of it outside the mask do not count."""
    if condition.op is Op.MASKED_EQ:
        mask = condition.value
        return Test(condition.arg, mask, Op.EQ, condition.value_two & mask)
    return Test(condition.arg, FULL, condition.op, condition.value)


class Effort:
    """The work that one comparison of profiles may cost. `spend` raises ProfileError when it is
    used up."""

    def __init__(self, steps: int = _STEPS) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Count *steps*."""
        self._left -= steps
        if self._left < 0:
            raise ProfileError(
                "expected conditions on arguments whose combinations can be told apart, found "
                "too many of them: give the calls fewer alternatives or simpler masks"
            )


@dataclass(frozen=True, slots=True)
class Region:
    """Arguments for which exactly the rules with numbers in ``holding`` (as bits) hold;
    ``witness`` is such an argument list."""

    holding: int
    witness: tuple[int, ...]


def regions(rules: Sequence[Iterable[Test]], effort: Effort) -> list[Region]:
    """Every set of *rules* (each the tests that must all hold) that some arguments meet.

    Raises ProfileError when *effort* is used up.
    """
    by_arg: dict[int, list[tuple[Test, int]]] = {}
    for position, tests in enumerate(rules):
        for test in tests:
            by_arg.setdefault(test.arg, []).append((test, 1 << position))
    every = (1 << len(rules)) - 1
    found: dict[int, tuple[int, ...]] = {every: ()}
    for arg in range(max(by_arg, default=-1) + 1):
        choices = _choices(by_arg.get(arg, ()), every, effort)
        effort.spend(len(found) * len(choices))
        merged: dict[int, tuple[int, ...]] = {}
        for holding, witness in found.items():
            for met, value in choices.items():
                merged.setdefault(holding & met, (*witness, value))
        found = merged
    return [Region(holding, witness) for holding, witness in found.items()]


def _choices(tests: Sequence[tuple[Test, int]], every: int, effort: Effort) -> dict[int, int]:
    """Sets of rules that one argument's value leaves standing, each with the smallest value that
    the walk finds for it. ``tests`` are (test, the bit of its rule)."""
    if not tests:
        return {every: 0}
    judge = _Judge(tests)
    choices: dict[int, int] = {}
    for (equal, greater), value in _walk(judge.pairs, judge.needs_order, effort).items():
        effort.spend(1 + equal.bit_count() + len(judge.ordered) // 4)
        left = every & ~judge.failed(equal, greater)
        if left not in choices or value < choices[left]:
            choices[left] = value
    return choices


class _Judge:
    """Which rules fail, by how comparisons with ``pairs`` (mask, number) came out.

    Nearly all tests are for equality and few of them hold at once, so only those that do are
    looked at; tests of order (``ordered``) are all looked at.
    """

    def __init__(self, tests: Sequence[tuple[Test, int]]) -> None:
        self.pairs = list(dict.fromkeys((test.mask, test.value) for test, _ in tests))
        position = {pair: 1 << index for index, pair in enumerate(self.pairs)}
        told = [(test.op, position[test.mask, test.value], rule) for test, rule in tests]
        self.ordered = [each for each in told if each[0] not in (Op.EQ, Op.NE)]
        self.needs_order = 0
        for _, bit, _ in self.ordered:
            self.needs_order |= bit
        self._needed: dict[int, int] = {}  # by rule: all pairs that it has to equal
        self._excluded: dict[int, int] = {}  # by pair: the rules that must not equal it
        for op, bit, rule in told:
            if op is Op.EQ:
                self._needed[rule] = self._needed.get(rule, 0) | bit
            elif op is Op.NE:
                self._excluded[bit] = self._excluded.get(bit, 0) | rule
        self._wanting: dict[int, list[int]] = {}  # by pair: the rules that have to equal it
        self._demanding = 0
        for rule, needed in self._needed.items():
            self._demanding |= rule
            self._wanting.setdefault(needed & -needed, []).append(rule)

    def failed(self, equal: int, greater: int) -> int:
        """The rules that do not hold."""
        failed = self._demanding
        left = equal
        while left:
            bit = left & -left
            left ^= bit
            for rule in self._wanting.get(bit, ()):
                if self._needed[rule] & ~equal == 0:
                    failed &= ~rule
        for bit, rules in self._excluded.items() if equal else ():
            if equal & bit:
                failed |= rules
        for op, bit, rule in self.ordered:
            if not _decided(op, 0 if equal & bit else (1 if greater & bit else -1)):
                failed |= rule
        return failed


def _walk(
    pairs: Sequence[tuple[int, int]], needs_order: int, effort: Effort
) -> dict[tuple[int, int], int]:
    """Outcomes of comparing one value with all (mask, number) of *pairs*: (those it equals, those
    it exceeds) as bits by position, each with the smallest value of that outcome. Which way an
    inequality goes is kept only for *needs_order*."""
    states = {((1 << len(pairs)) - 1, 0): 0}
    for bit in reversed(range(64)):
        looked = number = 0
        for index, (mask, value) in enumerate(pairs):
            looked |= (mask >> bit & 1) << index
            number |= (value >> bit & 1) << index
        following: dict[tuple[int, int], int] = {}
        effort.spend(2 * len(states))
        for (equal, greater), value in states.items():
            zero = (equal & ~number, greater)
            exceeded = equal & looked & ~number
            one = (
                equal & ~(looked ^ number),
                greater | exceeded & needs_order,
            )
            for state, new in ((zero, value), (one, value | 1 << bit)):
                if state not in following or new < following[state]:
                    following[state] = new
        states = following
    return states


def _decided(op: Op, sign: int) -> bool:
    """What *op* says when the comparison came out as *sign* (-1 less, 0 equal, 1 greater)."""
    match op:
        case Op.EQ:
            return sign == 0
        case Op.NE:
            return sign != 0
        case Op.LT:
            return sign < 0
        case Op.LE:
            return sign <= 0
        case Op.GT:
            return sign > 0
        case _:
            return sign >= 0
