"""What two sets of conditions let through together, as far as one rule can say it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gofuzzsec.seccomp.model import Condition, Op

_LOW = 0xFFFFFFFF
Conjunction = tuple[Condition, ...]
"""Conditions that all hold, at most one on each argument: libseccomp refuses more in one rule, and
OCI runtimes take such a rule apart into alternatives."""


def both(first: Sequence[Conjunction], second: Sequence[Conjunction]) -> list[Conjunction] | None:
    """Alternatives that let through what *first* and *second* (alternatives, too) both let through;
    none when that is nothing. None when a rule cannot say it."""
    found: dict[Conjunction, None] = {}
    for one in first:
        for other in second:
            merged = _merged((*one, *other))
            if merged is None:
                return None
            if merged:
                found[merged[0]] = None
    return list(found)


def _merged(conditions: Iterable[Condition]) -> list[Conjunction] | None:
    """The one conjunction that says what *conditions* say, [] when they contradict each other, None
    when there is no such conjunction."""
    by_arg: dict[int, Condition] = {}
    for condition in conditions:
        if condition.op is Op.MASKED_EQ and not condition.value:
            continue  # always holds, as libseccomp masks the other value, too
        there = by_arg.get(condition.arg)
        if there is None:
            by_arg[condition.arg] = condition
            continue
        found = _one(there, condition)
        if found is None:
            return None
        if not found:
            return []
        by_arg[condition.arg] = found[0]
    return [tuple(by_arg[arg] for arg in sorted(by_arg))]


def _one(a: Condition, b: Condition) -> list[Condition] | None:
    """As `_merged`, of two conditions on one argument."""
    if a == b:
        return [a]
    for one, other in ((a, b), (b, a)):
        if one.op is Op.EQ:
            return [one] if _holds(other, one.value) else []
    if a.op is b.op is Op.MASKED_EQ:
        common = a.value & b.value
        if (a.value_two ^ b.value_two) & common:
            return []
        wanted = a.value_two & a.value | b.value_two & b.value
        return [Condition(a.arg, Op.MASKED_EQ, a.value | b.value, wanted)]
    for one, other in ((a, b), (b, a)):
        if one.op is Op.MASKED_EQ:
            return _masked(one, other)
    if a.op is b.op and a.op in (Op.LT, Op.LE):
        return [min(a, b, key=lambda c: c.value)]
    if a.op is b.op and a.op in (Op.GT, Op.GE):
        return [max(a, b, key=lambda c: c.value)]
    return None


def _masked(one: Condition, other: Condition) -> list[Condition] | None:
    """A masked number and an order, or an inequality.

    The mask of an argument that the kernel takes as 32 bits leaves out its upper half. An order
    that bounds such a number above makes that half zero. Where the number itself is refused, what
    is left are upper halves that nobody passes: it is left out, which lets through less.
    """
    value = one.value_two & one.value
    if other.op is Op.NE and other.value & one.value != value:
        return [one]
    if one.value != _LOW or other.value > _LOW:
        return None
    if not _holds(other, value):
        return []
    above = other.op in (Op.LT, Op.LE)
    return [Condition(one.arg, Op.EQ, value) if above else one]


def _holds(condition: Condition, value: int) -> bool:
    if condition.op is Op.MASKED_EQ:
        return not (value ^ condition.value_two) & condition.value
    return condition.holds((0,) * condition.arg + (value,))
