"""From two runs of one thing to what they say about the profile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gofuzzsec.coordinator.verifying.model import Ended, Finding, Judgement, Refusal
from gofuzzsec.coordinator.verifying.refusals import blamed


def judged(
    label: str, without: Ended, under: Ended | None, rerun: tuple[str, ...] = ()
) -> Finding | None:
    """What the runs *without* the profile and *under* it (None in an audit) say, None when there is
    nothing to tell.

    Refusals are those under the profile, and behind them calls that only the run without it came
    to: what is refused early keeps a program from calls that would be refused later.
    """
    refusals = blamed(without.refusals) if under is None else _both(without, under)
    after = under or without
    if without.ok and not after.ok:
        judgement = Judgement.FAILED
    elif refusals:
        judgement = Judgement.DENIED
    elif not without.ok:
        judgement = Judgement.BROKEN
    else:
        return None
    return Finding(label, judgement, without.text, after.text, refusals, rerun)


def unexplained(without: Ended, under: Ended) -> bool:
    """Whether a failure under the profile comes without any call that was seen to be refused: both
    are to be run again, for it may come of something else, such as what the first run left."""
    return without.ok and not under.ok and not any(each.enforced for each in under.refusals)


def _both(without: Ended, under: Ended) -> tuple[Refusal, ...]:
    seen = blamed(under.refusals)
    names = {refusal.name for refusal in seen}
    later = (each for each in blamed(without.refusals) if each.name not in names)
    return (*seen, *(replace(each, enforced=False) for each in later))


def still_refused(refusals: Iterable[Refusal]) -> frozenset[str]:
    """Names of the harness's calls that the kernel refused: they must be let through too."""
    return frozenset(each.name for each in refusals if each.by_harness and each.enforced)
