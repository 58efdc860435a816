"""Made-up populations of behaviours, of which everything is known: to hold estimates against.

A population is the probability of each behaviour to show in one execution, independently of the
others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gofuzzsec.seccomp.estimate import estimate, predict

Probabilities = NDArray[np.float64]

RARE = 1e-4


def _geometric(ratio: float) -> Callable[[int, np.random.Generator], Probabilities]:
    return lambda size, _: 0.5 * np.power(ratio, np.arange(size, dtype=np.float64))


def _zipf(exponent: float) -> Callable[[int, np.random.Generator], Probabilities]:
    return lambda size, _: 0.5 * np.power(np.arange(1.0, size + 1), -exponent)


def _rare(size: int, rng: np.random.Generator) -> Probabilities:
    found = np.full(size, 0.2)
    found[-max(size // 5, 1) :] = RARE
    return found


def _scattered(size: int, rng: np.random.Generator) -> Probabilities:
    found = np.full(size, 0.2)
    rare = max(size // 5, 1)
    found[-rare:] = np.power(10.0, rng.uniform(-5, -3, rare))
    return found


SHAPES: dict[str, Callable[[int, np.random.Generator], Probabilities]] = {
    "uniform": lambda size, _: np.full(size, min(4 / size, 0.5)),
    "geometric, ratio 0.97": _geometric(0.97),
    "geometric, ratio 0.9": _geometric(0.9),
    "Zipf, exponent 1": _zipf(1),
    "Zipf, exponent 2": _zipf(2),
    "a fifth at 1 in 10,000": _rare,
    "a fifth from 1e-5 to 1e-3": _scattered,
    "lognormal, sigma 2": lambda size, rng: np.clip(0.02 * np.exp(rng.normal(0, 2, size)), 0, 0.9),
}
"""By what the tables call them."""

SIZES = (20, 100, 400)
EXECUTIONS = (100, 1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Coverage:
    """In which share of the runs an interval held the truth.

    ``richness``: the size of the population. ``reach``: what the interval claims where some of it
    is out of reach: not more than the size, and not less than all that was seen or has a
    probability of at least 1 in ``executions``. ``next_new``: the upper end, of the probability
    that the next execution shows something unseen. ``prediction``: new behaviours in as many
    executions again. ``seen`` is the mean share of the population that showed. ``visible``: each of
    it has a probability of at least 1 in ``executions``.
    """

    shape: str
    size: int
    executions: int
    visible: bool
    seen: float
    richness: float
    reach: float
    next_new: float
    prediction: float


def coverage(shape: str, size: int, executions: int, *, runs: int, seed: int = 1) -> Coverage:
    """Draw *runs* samples, and hold the estimates of each against what is known."""
    rng = np.random.default_rng([seed, size, executions, list(SHAPES).index(shape)])
    population = SHAPES[shape](size, rng)
    common = population * executions >= 1
    first = rng.binomial(executions, population, (runs, size))
    again = rng.binomial(executions, population, (runs, size))
    held = np.zeros(4)
    for counts, later in zip(first, again, strict=True):
        found = estimate(executions, counts)
        unseen = counts == 0
        guess = predict(executions, counts, executions)
        new = int(np.count_nonzero(unseen & (later > 0)))
        held += np.array(
            [
                found.low <= size <= found.high,
                found.low <= size and np.count_nonzero(common | ~unseen) <= found.high,
                1 - np.prod(1 - population[unseen]) <= found.next_new_high,
                guess.low <= new <= guess.high,
            ]
        )
    shares = (float(share) for share in held / runs)
    seen = float(np.count_nonzero(first) / first.size)
    return Coverage(shape, size, executions, bool(common.all()), seen, *shares)
