"""What a campaign has to say about its targets, gathered for a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.store import Store
from gofuzzsec.store.model import SyscallRow, TargetRow
from gofuzzsec.syscalls.model import Recording

_SHOWN = 3  # incomplete recordings named one by one


@dataclass(frozen=True, slots=True)
class CampaignEvidence:
    """``rows``: everything recorded of the targets. ``baseline``: the runtime's own calls.
    ``unrecorded``: kept inputs without a recording. ``warnings``: what else may be missing, each
    one line."""

    rows: tuple[SyscallRow, ...]
    baseline: frozenset[str]
    unrecorded: int
    warnings: tuple[str, ...]


def campaign_evidence(
    store: Store,
    targets: Sequence[TargetRow],
    *,
    arch: str,
    machine: str,
    observe_baseline: Callable[[], Recording],
) -> CampaignEvidence:
    """The evidence of *targets* for a profile for *arch*.

    Recordings say nothing of the architecture they were made on; they are taken to be of
    *machine*, the architecture of this one, and for another one a warning says so. Where a target
    has no baseline (its campaign ran without a recorder, or ended too soon), *observe_baseline*
    makes one now, but only for *machine* itself. Raises StoreError.
    """
    rows = [row for target in targets for row in store.syscalls(target.id)]
    warnings = [warning for target in targets for warning in _gaps(store, target)]
    baseline = {row.name for row in rows if row.source == "baseline"}
    if arch != machine:
        warnings.insert(
            0,
            f"ANOTHER ARCHITECTURE: this is an {machine} machine and the profile is for {arch}; "
            f"unless the campaign ran on {arch}, the same program makes other calls there, and the "
            "profile breaks it",
        )
    elif not baseline:
        try:
            baseline = {use.name for use in observe_baseline().uses}
        except (GofuzzsecError, OSError) as error:
            warnings.append(f"the Go runtime's baseline cannot be recorded: {_line(str(error))}")
    return CampaignEvidence(
        rows=tuple(rows),
        baseline=frozenset(baseline),
        unrecorded=sum(store.unrecorded_count(target.id) for target in targets),
        warnings=tuple(warnings),
    )


def _gaps(store: Store, target: TargetRow) -> Iterable[str]:
    label = f"{target.import_path}.{target.name}"
    recordings = store.recordings(target.id)
    if not any(recording.source == "tests" for recording in recordings):
        yield f"{label}: the hand-written tests are not recorded; calls only they make are missing"
    broken = [recording for recording in recordings if not recording.complete]
    for recording in broken[:_SHOWN]:
        what = f"input {recording.input}" if recording.input else f"the {recording.source}"
        yield f"{label}: the calls of {what} are incomplete: {_line(recording.problem)}"
    if len(broken) > _SHOWN:
        yield f"{label}: {len(broken) - _SHOWN} more recordings are incomplete"


def _line(text: str) -> str:
    return text.strip().partition("\n")[0]
