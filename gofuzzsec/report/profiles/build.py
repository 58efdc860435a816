"""What ``profile build`` says: how complete the evidence is, and which arguments are ruled on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from textwrap import fill

from gofuzzsec.report.text import clean, number, plural, wrap_names
from gofuzzsec.seccomp.arguments import ArgumentRule
from gofuzzsec.seccomp.completeness import (
    NO_BOUND,
    Completeness,
    Holder,
    Reach,
    TargetCompleteness,
)
from gofuzzsec.seccomp.estimate import CampaignEstimate
from gofuzzsec.seccomp.steer import Steered

_WIDTH = 100
_MOST_HOLDERS = 8
_MOST_NAMES = 12
_ASSUMES = (
    "estimates take the executions for independent draws; a campaign that learns is not that, so "
    "the upper ends are the highest of what the whole, its second half and the finds of that half "
    "give. They speak of more of the same fuzzing, and of nothing that it cannot show"
)


def completeness_text(found: Completeness) -> str:
    """A short paragraph with its numbers; nothing in it says that something is complete."""
    lines = [
        f"how complete: {_calls(len(found.seen))} seen, and {len(found.runtime)} of the Go runtime"
    ]
    alone = len(found.targets) == 1 and not found.of_program
    for target in found.targets:
        lines.append(_fold(f"{clean(target.name)}: {_calls(len(target.seen))} seen", 1))
        lines += [_fold(line, 2) for line in _target_lines(target)]
        if target.reach is not None and not alone:
            lines.append(_fold(_reach_line(target.reach), 2))
    if any(target.behaviours for target in found.targets):
        lines.append(_fold(f"({_ASSUMES})", 1))
    if found.reach is None:
        lines.append(_fold(NO_BOUND, 1))
    else:
        what = "the program" if found.of_program else "the fuzz tests"
        lines.append(_fold(f"{what}: {_reach_line(found.reach)}", 1))
        lines += [_fold(line, 2) for line in _holder_lines(found.reach)]
    return "\n".join(lines)


def unseen_text(found: Completeness) -> str:
    """Every call that is reachable and was never seen, by the function that holds it, with its
    shortest path; "" when there is none."""
    if found.reach is None:
        return ""
    lines = []
    for holder in found.reach.unseen:
        lines.append(f"never seen, {_holder(holder)}:")
        for call in holder.calls:
            allowed = " (allowed for other reasons)" if call.allowed else ""
            way = " → ".join(clean(step) for step in call.path)
            lines.append(f"  {clean(call.name)}{allowed}: {clean(call.place)}; by {way}")
    return "\n".join(lines)


def argument_text(
    rules: Mapping[str, ArgumentRule], unruled: Mapping[str, str], names: Collection[str]
) -> str:
    """Of *names*, each rule on arguments with the values seen and how often, and why others that
    could have one have none."""
    lines = {name: f"only with arguments as {rule.text}" for name, rule in rules.items()}
    lines |= {name: f"any arguments: {why}" for name, why in unruled.items()}
    told = sorted(lines.keys() & set(names))
    return "\n".join(f"{clean(name)}: {clean(lines[name])}" for name in told)


def ruled_text(rules: Mapping[str, ArgumentRule], names: Collection[str]) -> str:
    """Which of *names* are let through only with the arguments seen; "" for none."""
    ruled = sorted(rules.keys() & set(names))
    if not ruled:
        return ""
    return f"only with the arguments seen:\n{wrap_names([clean(name) for name in ruled])}"


def steered_text(calls: Sequence[Steered]) -> str:
    """Which calls are answered so that another one is made; "" for none."""
    return "\n".join(_fold(f"{call.name} {call.text}", 0) for call in calls)


def _fold(text: str, depth: int) -> str:
    """*text* over as many lines as it needs, two spaces in for each of *depth*."""
    indent = "  " * depth
    return fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _target_lines(target: TargetCompleteness) -> Iterable[str]:
    if target.behaviours is None or target.calls is None:
        yield target.no_estimate
    else:
        closed = target.reach is not None and not target.reach.openings
        most = target.reach.calls if target.reach is not None and closed else inf
        yield from _estimate_lines(target.behaviours, target.calls, most)
    for label, statements in target.statements:
        yield f"{clean(label)}: {statements.percent:.1f} % of the statements covered"
    if target.edges is not None:
        covered, total = target.edges
        share = 100 * covered / max(total, 1)
        yield f"kept inputs reached {number(covered)} of {number(total)} edges ({share:.1f} %)"
    for problem in target.problems:
        yield clean(problem)


def _estimate_lines(
    behaviours: CampaignEstimate, calls: CampaignEstimate, most_calls: float
) -> Iterable[str]:
    whole = behaviours.whole
    chance = f"about 1 in {1 / whole.next_new:,.0f}" if whole.once else "none was seen only once"
    yield (
        f"in {plural(whole.executions, 'random execution')} {plural(whole.seen, 'behaviour')}, "
        f"{behaviours.late_new} of them new in the second half; that the next execution shows a "
        f"new one: {chance}, with 95 % at most 1 in {_one_in(behaviours.next_new_high)}"
    )
    again = behaviours.again
    yield (
        f"as many executions again: about {again.expected:.1f} new behaviours, with 95 % "
        f"{again.low} to {again.high}"
    )
    if whole.is_thin:
        yield "half of what was seen was seen once: too early to tell how much there is"
        return
    ranges = f"{_range(behaviours)} behaviours and {_range(calls, most_calls)} calls"
    yield (
        f"in all with 95 % {ranges}, of those that 1 in {number(whole.executions)} executions "
        "shows or more; of rarer ones no sample tells"
    )


def _one_in(probability: float) -> str:
    return number(max(int(1 / probability), 1))


def _range(found: CampaignEstimate, most: float = inf) -> str:
    """From the lower end to the upper one, or to *most*, if there can be no more."""
    low, high = found.whole.low, min(found.high, max(most, found.whole.low))
    return f"{low} to {high:.0f}" if high < inf else f"{low} up"


def _reach_line(reach: Reach) -> str:
    unseen, refused = reach.unseen_calls(), reach.unseen_calls(refused=True)
    text = (
        f"the code can make {_calls(reach.calls)}; {len(unseen)} of them were never seen, of which "
        f"the profile refuses {len(refused)}"
    )
    if reach.openings:
        text += f". MORE ARE POSSIBLE: {clean('; '.join(reach.openings))}"
    return text


def _holder_lines(reach: Reach) -> Iterable[str]:
    """The refused ones by the function on whose way they are; those with the most first."""
    told = [(holder, [c.name for c in holder.calls if not c.allowed]) for holder in reach.unseen]
    told = [(holder, names) for holder, names in told if names]
    for holder, names in told[:_MOST_HOLDERS]:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        listed = wrap_names([clean(name) for name in names[:_MOST_NAMES]], width=1000, indent="")
        yield f"{_holder(holder)}: {listed}{more}"
    if len(told) > _MOST_HOLDERS:
        left = sum(len(names) for _, names in told[_MOST_HOLDERS:])
        yield f"{_calls(left)} in {len(told) - _MOST_HOLDERS} more functions (--explain lists all)"


def _holder(holder: Holder) -> str:
    if not holder.function:
        return "where no edges are counted"
    return f"{clean(holder.function)} ({holder.covered} of {holder.counters} edges reached)"


def _calls(count: int) -> str:
    return plural(count, "call")
