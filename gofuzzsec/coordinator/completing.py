"""What a campaign, its binaries and captured runs say of how much was seen, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from gofuzzsec.coordinator.reached import Reached, bounds_of
from gofuzzsec.seccomp.campaign import CampaignEvidence
from gofuzzsec.seccomp.completeness import Completeness, Facts, completeness
from gofuzzsec.store import Store, TargetRow

Look = Callable[[TargetRow], Reached]
"""Looks into the binary of one target."""


def completeness_of(
    store: Store,
    targets: Sequence[TargetRow],
    evidence: CampaignEvidence,
    *,
    allowed: Collection[str],
    look: Look | None,
    programs: Sequence[Path] = (),
) -> Completeness:
    """How complete the *evidence* of *targets* is, for a profile with *allowed* names.

    *look* is asked about the code of each fuzz test, None: nobody is. *programs* run under the
    profile. Raises StoreError, and BinaryError for a program that cannot be read.
    """
    facts = [_facts(store, target, _code(target, look, evidence.arch)) for target in targets]
    return completeness(
        facts, baseline=evidence.baseline, allowed=allowed, programs=bounds_of(programs)
    )


def _code(target: TargetRow, look: Look | None, arch: str) -> Reached:
    """What *look* sees, if it is of *arch*."""
    if look is None or not target.name:
        return Reached((), {}, ())
    code = look(target)
    others = {bound.arch for bound in code.bounds} - {arch}
    if not others:
        return code
    problem = f"the fuzz binary is for {', '.join(sorted(others))}, and the profile for {arch}"
    return Reached((), {}, (problem,))


def _facts(store: Store, target: TargetRow, code: Reached) -> Facts:
    statements = {
        _label(capture.source, capture.label): capture.statements
        for capture in store.captures(target.id)
        if capture.statements is not None
    }
    return Facts(
        name=target.full_name,
        is_fuzz_test=bool(target.name),
        rows=store.syscalls(target.id),
        sights=[(part.executions, part.counts) for part in store.incidence(target.id)],
        statements=tuple(statements.items()),
        bound=code.bounds[0] if code.bounds else None,
        cover=code.cover,
        problems=code.problems,
    )


def _label(source: str, label: str) -> str:
    what = "hand-written tests" if source == "tests" else "run"
    return f"{what} {label}".strip()
