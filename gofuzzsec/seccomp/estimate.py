"""What sampling says of behaviours that it has not shown: how likely the next execution shows a new
one, and how many there are in all.

The data are *incidences*: of n executions, how many showed each behaviour. An execution shows many
behaviours or none, so this is sampling by units (quadrats, in ecology's words), not by individuals.
f1 and f2 are the numbers of behaviours that exactly one and exactly two executions showed.

- I. J. Good, The population frequencies of species and the estimation of population parameters,
  Biometrika 40 (1953): the unseen have together the probability f1 / n.
- W. W. Esty, A normal limit law for a nonparametric estimator of the coverage of a random sample,
  Annals of Statistics 11 (1983): the error of that has the variance (f1 + 2 f2) / n².
- A. Chao, Estimating the population size for capture-recapture data with unequal catchability,
  Biometrics 43 (1987): the number of the unseen (Chao2) and the log-transformed interval.
- R. K. Colwell et al., Models and estimators linking individual-based and sample-based rarefaction,
  extrapolation and comparison of assemblages, Journal of Plant Ecology 5 (2012): variances,
  extrapolation (equation 18).
- M. Böhme, STADS: software testing as species discovery, ACM TOSEM 27 (2018): all this for fuzzers.

All of it takes executions to be independent draws from one distribution. A campaign that learns
from what it finds is not that: M. Böhme, D. Liyanage, V. Wüstholz, Estimating residual risk in
greybox fuzzing, ESEC/FSE 2021, show that Good's estimate is then too small. `campaign_estimate`
looks at the second half by itself for that reason.

No such estimate bounds what is much rarer than one in n: Chao's is a lower bound by design, and of
what may never show, samples say nothing. docs/completeness.md has the figures of how often these
intervals held the truth, shape by shape. The improved form of Chiu et al. (Biometrics 70, 2014;
iChao2) held it less often than Chao2 wherever they differed by more than chance, so it is not used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_Z = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""
_OFTEN = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of ``executions`` and the ``seen`` behaviours, ``once`` and ``twice`` of them shown by just
    one and two executions.

    ``next_new`` is the estimated probability that one more execution shows a behaviour not seen
    before, ``next_new_high`` the upper end of its 95 % interval (with nothing seen just once, about
    3.7 / n: the rule of three for that confidence). ``richness`` is the estimated number of
    behaviours in all, from ``low`` to ``high`` with 95 %, rounded to whole ones outwards; ``high``
    is infinite when no behaviour came twice.
    """

    executions: int
    seen: int
    once: int
    twice: int
    next_new: float
    next_new_high: float
    richness: float
    low: int
    high: float

    @property
    def is_thin(self) -> bool:
        """Whether it is too early: half of what is seen was shown once. Chao's number is then far
        below the truth as a rule (the advice of Colwell's EstimateS)."""
        return 2 * self.once >= max(self.seen, 1)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What ``more`` executions add: ``expected`` behaviours, with 95 % from ``low`` to ``high``."""

    more: int
    expected: float
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class CampaignEstimate:
    """``whole`` takes the campaign as one sample; ``late`` its second half (``late.executions``)
    by itself, as if nothing had come before. ``late_new`` behaviours came first in that half.

    ``next_new_high`` is the largest of three upper ends: of both estimates, and of the rate at
    which the second half found new ones. Where learning makes the first two too small, the last is
    not, as long as finds do not become more frequent. ``again`` is what as many executions more
    would add.
    """

    whole: Estimate
    late: Estimate
    late_new: int
    next_new_high: float
    again: Prediction

    @property
    def high(self) -> float:
        """The upper end of how many there are in all, not less than what is predicted."""
        return max(self.whole.high, float(self.whole.seen + self.again.high))


Part = tuple[int, Mapping[str, int]]
"""Executions, and how many of them showed each behaviour."""


def estimate(executions: int, counts: Iterable[int]) -> Estimate:
    """From *counts*, how many of *executions* showed each behaviour (0 for one not seen)."""
    seen, f = _frequencies(counts)
    unseen, variance = _chao2(executions, f)
    low, high = seen, math.inf
    if executions > 1 and (f[1] < seen or not seen):
        factor = _log_factor(unseen, variance)
        low = seen + math.floor(unseen / factor)
        # Of behaviours that come in one of n executions or more often, fewer are unseen than were
        # seen once, on average: x exp(-x) >= exp(-x) from x = 1 on.
        high = seen + math.ceil(max(unseen * factor, poisson_high(f[1])))
    return Estimate(
        executions=executions,
        seen=seen,
        once=f[1],
        twice=f[2],
        next_new=min(f[1] / executions, 1.0) if executions else 1.0,
        next_new_high=_next_new_high(executions, f),
        richness=seen + unseen,
        low=low,
        high=high,
    )


def predict(executions: int, counts: Iterable[int], more: int) -> Prediction:
    """What *more* executions of the same kind add; good for at most as many as there were.

    Colwell et al. (2012), equation 18, with at least half of f1 for the unseen, since Chao's number
    is 0 for f1 = 1. The interval is that of a Poisson number predicted from another (square roots
    have the same variance whatever the mean).
    """
    _, f = _frequencies(counts)
    unseen = max(_chao2(executions, f)[0], f[1] / 2)
    expected = 0.0
    if unseen > 0:
        share = f[1] / (executions * unseen + f[1])
        expected = unseen * -math.expm1(more * math.log1p(-share)) if share < 1 else unseen
    return Prediction(more, expected, *_around(expected))


def _around(expected: float) -> tuple[int, int]:
    spread = _Z / math.sqrt(2)
    low = max(math.sqrt(expected) - spread, 0.0) ** 2
    return math.floor(low), math.floor((math.sqrt(expected + 0.5) + spread) ** 2)


def campaign_estimate(parts: Sequence[Part]) -> CampaignEstimate:
    """From the successive *parts* of a campaign; the second half begins with one of them."""
    earlier, later = halves(parts)
    whole = total(parts)
    late_new = len(whole[1].keys() - earlier[1].keys())
    both = estimate(whole[0], whole[1].values())
    late = estimate(later[0], later[1].values())
    rate = poisson_high(late_new) / later[0] if later[0] else 1.0
    high = max(both.next_new_high, late.next_new_high, rate)
    again = campaign_predict(parts, whole[0])
    return CampaignEstimate(both, late, late_new, min(high, 1.0), again)


def campaign_predict(parts: Sequence[Part], more: int) -> Prediction:
    """What *more* executions of the campaign add; good for at most as many as there were.

    `predict` takes finds for chance, and a campaign builds on them: early on each brings others,
    and none stays a singleton. Finds of fuzzers become rarer about as time's inverse (M. Böhme,
    B. Falk, Fuzzing: on the exponential cost of vulnerability discovery, ESEC/FSE 2020), so that
    each doubling of the executions brings as many as the last: this is the other guess. The larger
    is expected, and the interval holds both of theirs, both wider by what always comes together.
    """
    whole, (earlier, _) = total(parts), halves(parts)
    chance = predict(whole[0], whole[1].values(), more)
    if not earlier[0]:
        return chance
    late_new = len(whole[1].keys() - earlier[1].keys())
    trend = late_new * math.log1p(more / whole[0]) / math.log(whole[0] / earlier[0])
    size = _together(parts)
    ends = [_around(guess / size) for guess in (chance.expected, trend)]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return Prediction(
        more, max(chance.expected, trend), math.floor(low * size), math.ceil(high * size)
    )


def _together(parts: Sequence[Part]) -> float:
    """How many behaviours come together on average: what starts a server listens and accepts, too,
    so that one find brings several. Those that showed equally often in every part do, among those
    that showed often enough for that to be no chance."""
    counts = total(parts)[1]
    often = [name for name, count in counts.items() if count >= _OFTEN]
    courses = {tuple(one.get(name, 0) for _, one in parts) for name in often}
    return len(often) / len(courses) if courses else 1.0


def halves(parts: Sequence[Part]) -> tuple[Part, Part]:
    """*parts* in two, the second with as near to half of the executions as parts allow."""
    every = sum(executions for executions, _ in parts)
    best, done = 0, 0
    nearest = every
    for index, (executions, _) in enumerate(parts):
        if abs(every - 2 * done) < nearest:
            best, nearest = index, abs(every - 2 * done)
        done += executions
    return total(parts[:best]), total(parts[best:])


def total(parts: Sequence[Part]) -> Part:
    """*parts* as one."""
    counts: Counter[str] = Counter()
    for _, one in parts:
        counts.update(one)
    return sum(executions for executions, _ in parts), counts


def poisson_high(count: int) -> float:
    """The upper end of the 95 % interval for the mean of a Poisson number that came out as *count*.

    Byar's approximation, within 0.6 % (K. J. Rothman, J. D. Boice, Epidemiologic analysis with a
    programmable calculator, 1979); 3.7 for 0.
    """
    one_more = count + 1
    return one_more * float((1 - 1 / (9 * one_more) + _Z / (3 * math.sqrt(one_more))) ** 3)


def _frequencies(counts: Iterable[int]) -> tuple[int, tuple[int, int, int]]:
    """How many were seen at all, and (0, f1, f2)."""
    found = np.fromiter(counts, dtype=np.int64)
    return (
        int(np.count_nonzero(found > 0)),
        (0, int(np.count_nonzero(found == 1)), int(np.count_nonzero(found == 2))),
    )


def _next_new_high(executions: int, f: Sequence[int]) -> float:
    """Esty's variance has two parts: that of f1, for which the Poisson interval serves (the normal
    one is no good near 0), and 2 f2."""
    if not executions:
        return 1.0
    spread = math.hypot(poisson_high(f[1]) - f[1], _Z * math.sqrt(2 * f[2]))
    return min((f[1] + spread) / executions, 1.0)


def _chao2(executions: int, f: Sequence[int]) -> tuple[float, float]:
    """The number of the unseen and the variance of that; bias-corrected where f2 = 0."""
    a = (executions - 1) / executions if executions else 0.0
    f1, f2 = float(f[1]), float(f[2])
    if f2:
        ratio = f1 / f2
        variance = f2 * (a * ratio**2 / 2 + a**2 * ratio**3 + a**2 * ratio**4 / 4)
        return a * f1**2 / (2 * f2), variance
    unseen = a * f1 * (f1 - 1) / 2
    if not unseen:
        return 0.0, 0.0
    # The term that the published form subtracts is left out: it needs the estimate itself and makes
    # the interval of few sights only narrower.
    return unseen, unseen + a**2 * f1 * (2 * f1 - 1) ** 2 / 4


def _log_factor(unseen: float, variance: float) -> float:
    """Chao (1987): the logarithm of the number of the unseen is taken to be normal, so that the
    interval never goes below what was seen."""
    if not unseen:
        return 1.0
    return math.exp(_Z * math.sqrt(math.log1p(variance / unseen**2)))
