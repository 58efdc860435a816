"""Everything that a campaign, its binaries and a profile say of system calls, put together."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.coordinator.reached import Reached, bounds_of, reached
from gofuzzsec.coordinator.rebuild import DEFAULT_BUILD, BuildChoice
from gofuzzsec.errors import UsageError
from gofuzzsec.seccomp.campaign import CampaignEvidence
from gofuzzsec.seccomp.effect import effects
from gofuzzsec.seccomp.explain import Explanation, explain, sights_of
from gofuzzsec.seccomp.model import Profile
from gofuzzsec.seccomp.reproduce import Tools, reproduction
from gofuzzsec.seccomp.standing import Standing, standings
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.syscalls import table

_NEAR = 0.6  # how alike names are at least, as difflib counts


@dataclass(frozen=True, slots=True)
class Question:
    """``names`` are the calls asked about, none: all that the evidence needs or ``profile``
    (resolved) lets through. ``programs`` run under the profile, ``children_known`` as in
    `standings`. ``choice`` is how fuzz binaries are built that are not kept any more."""

    names: tuple[str, ...] = ()
    profile: Profile | None = None
    programs: tuple[Path, ...] = ()
    children_known: bool = False
    choice: BuildChoice = DEFAULT_BUILD


@dataclass(frozen=True, slots=True)
class Answer:
    """``calls`` in the order asked, else by name. ``doubts`` say what could not be looked at."""

    calls: tuple[Explanation, ...]
    doubts: tuple[str, ...]


def check_names(names: Sequence[str], arch: str) -> None:
    """Raise UsageError for a name that is no system call of *arch*, with what may be meant."""
    known = table.names(arch)
    for name in names:
        if name in known:
            continue
        near = difflib.get_close_matches(name, sorted(known), 3, _NEAR)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"expected a system call of {arch}, found {name[:80]!r}{meant}")


def answer(
    question: Question,
    store: Store,
    targets: Sequence[TargetRow],
    evidence: CampaignEvidence,
    tools: Tools,
) -> Answer:
    """What *store* says of *targets*, whose *evidence* this is, and what their code could do.

    Code is only looked at where a call was not seen. Raises UsageError for names that are no calls,
    StoreError, ProfileError, and BinaryError for a program that cannot be read.
    """
    arch = evidence.arch
    check_names(question.names, arch)
    effect = effects(question.profile, arch) if question.profile else {}
    allowed = [name for name, each in effect.items() if each.access != "never"]
    every = sorted(table.names(arch))
    needed = {
        name
        for name, each in standings(
            every, evidence.rows, None, arch, baseline=evidence.baseline
        ).items()
        if each.standing is Standing.NEEDED
    }
    asked = list(dict.fromkeys(question.names)) or sorted(needed | set(allowed))
    code = Reached((), {}, ())
    if question.programs or not needed.issuperset(asked):
        code = reached(store, targets, question.choice)
    found = standings(
        asked,
        evidence.rows,
        bounds_of(question.programs) or code.bounds,
        arch,
        baseline=evidence.baseline,
        children_known=question.children_known,
    )
    rows = [(target, row) for target in targets for row in store.syscalls(target.id)]
    wanted = set(asked)
    sights = sights_of(
        [(target, row) for target, row in rows if row.name in wanted],
        lambda target, row: reproduction(store, target, row, tools),
    )
    calls = [
        explain(
            found[name],
            sights.get(name, ()),
            cover=code.cover,
            access=effect[name].access if question.profile else None,
        )
        for name in asked
    ]
    return Answer(tuple(calls), code.problems)
