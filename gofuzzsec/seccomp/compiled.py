"""Rules of one call whose effect is not what they say, but what libseccomp makes of them.

Rules are meant as alternatives. libseccomp keeps those of a call as a tree of 32-bit comparisons in
an order of its own (earlier arguments above later ones, greater numbers first), shares what is
equal and refuses some contradictions. Where the rules only ask for equality and agree on what then
happens, that is what they say. Elsewhere it need not be (found by the tests, libseccomp 2.5.4):

- of "allow what is not 1" and "refuse what is not 2" the first wins where the upper half of the
  argument is not 0, the second elsewhere, whatever their order;
- "allow if the first is not 0" and "allow if the first is not 1 and the second is not 0" together
  refuse the arguments 2 and 0, which the first alone allows.

Rather than to imitate that, libseccomp is asked: a profile of nothing but these rules is compiled,
and what the program does is read from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.bpf import parse_bpf
from gofuzzsec.seccomp.decision import Decision, Verdict
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.execution import decision_of
from gofuzzsec.seccomp.model import Condition, Op, Profile, Rule
from gofuzzsec.seccomp.regions import Effort, regions, test_of
from gofuzzsec.syscalls import table

Case: TypeAlias = tuple[tuple[Condition, ...], Verdict]
"""Conditions that must all hold, and what then happens."""

_MOST = 100
"""Rules that libseccomp is given at once. Its time grows with the fourth power of them at worst:
100 take a tenth of a second, 400 half a minute. Docker's default profile has three."""


def decision(cases: Sequence[Case], otherwise: Verdict) -> Decision:
    """The first case that holds decides."""
    tested = (
        (tuple(test_of(condition) for condition in conditions), verdict)
        for conditions, verdict in cases
    )
    return Decision(tuple(tested), otherwise)


def plain(cases: Sequence[Case], effort: Effort) -> bool:
    """Whether libseccomp does what *cases* say, tried in any order. Raises ProfileError when the
    conditions are too entangled to tell."""
    if len(cases) < 2:
        return True
    if any(c.op not in (Op.EQ, Op.MASKED_EQ) for conditions, _ in cases for c in conditions):
        return False
    if len({verdict for _, verdict in cases}) < 2:
        return True
    rules = [[test_of(condition) for condition in conditions] for conditions, _ in cases]
    return not any(
        len({v for i, (_, v) in enumerate(cases) if region.holding >> i & 1}) > 1
        for region in regions(rules, effort)
    )


def compiled(calls: Mapping[str, Sequence[Case]], default: Verdict) -> dict[str, Decision]:
    """What libseccomp makes of the rules of *calls*, told in this order.

    Raises ProfileError when it refuses them, RecorderError when it is missing.
    """
    if not calls:
        return {}
    count = sum(map(len, calls.values()))
    if count > _MOST:
        raise ProfileError(
            f"expected at most {_MOST} rules that compare arguments for more than equality, found "
            f"{count}: libseccomp needs minutes for so many; say them with EQ and MASKED_EQ"
        )
    arch = table.machine_arch()
    names = _stand_ins(calls, arch)
    rules = tuple(
        Rule((names[call],), verdict.action, verdict.errno, conditions)
        for call, cases in calls.items()
        for conditions, verdict in cases
    )
    made = compile_filter(Profile(default.action, default.errno, rules=rules), arch)
    program = parse_bpf(made.program)
    return {call: decision_of(program, arch, name) for call, name in names.items()}


def _stand_ins(calls: Iterable[str], arch: str) -> dict[str, str]:
    """The calls that rules are compiled for: the tree is the same for every call and architecture,
    so calls that this machine does not have are stood in for by others."""
    wanted = list(calls)
    here = table.names(arch)
    spare = iter(sorted(here.difference(wanted)))
    names = {call: call if call in here else next(spare, "") for call in wanted}
    if not all(names.values()):
        raise ProfileError(f"expected at most {len(here)} calls with such rules, found more")
    return names
