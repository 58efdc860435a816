"""The evidence of several campaigns as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.campaign import CampaignEvidence, campaign_evidence
from gofuzzsec.store import Store, TargetRow
from gofuzzsec.store.model import SyscallRow
from gofuzzsec.syscalls.model import Recording

Pairs = tuple[tuple[TargetRow, SyscallRow], ...]
"""Rows of evidence, each with the target that it is of."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """``pairs``: everything recorded, as `campaign_evidence` says; the other fields likewise.
    ``campaigns`` are the folders."""

    campaigns: tuple[Path, ...]
    arch: str
    pairs: Pairs
    baseline: frozenset[str]
    warnings: tuple[str, ...]

    @property
    def rows(self) -> tuple[SyscallRow, ...]:
        """The rows without their targets."""
        return tuple(row for _, row in self.pairs)


def gather(
    campaigns: Sequence[Path],
    *,
    arch: str | None,
    machine: str,
    observe_baseline: Callable[[], Recording],
) -> Gathered:
    """The evidence of all targets of *campaigns* (folders). The other arguments are those of
    `campaign_evidence`. Raises StoreError, and ProfileError for campaigns that were recorded on
    different architectures where no *arch* is given."""
    found: list[CampaignEvidence] = []
    pairs: list[tuple[TargetRow, SyscallRow]] = []
    for folder in campaigns:
        with Store.open_readonly(folder) as store:
            targets = store.targets(programs=True)
            found.append(
                campaign_evidence(
                    store, targets, arch=arch, machine=machine, observe_baseline=observe_baseline
                )
            )
            pairs += [(target, row) for target in targets for row in store.syscalls(target.id)]
    arches = sorted({each.arch for each in found})
    if len(arches) > 1:
        raise ProfileError(
            f"expected campaigns of one architecture, found {' and '.join(arches)}: choose one "
            "with --arch, or use one campaign at a time"
        )
    return Gathered(
        campaigns=tuple(campaigns),
        arch=arches[0] if arches else machine,
        pairs=tuple(pairs),
        baseline=frozenset(name for each in found for name in each.baseline),
        warnings=tuple(warning for each in found for warning in _warnings(each)),
    )


def _warnings(evidence: CampaignEvidence) -> list[str]:
    found = list(evidence.warnings)
    if evidence.unrecorded:
        found.append(
            f"EVIDENCE INCOMPLETE: {evidence.unrecorded} kept inputs are not recorded yet; run the "
            "campaign again until none is left"
        )
    if evidence.incomplete:
        found.append(f"EVIDENCE INCOMPLETE: {evidence.incomplete} recordings may miss calls")
    return found
