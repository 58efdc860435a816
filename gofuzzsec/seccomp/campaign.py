"""What a campaign has to say about its targets, gathered for a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.store import Store
from gofuzzsec.store.model import RecordingRow, SyscallRow, TargetRow
from gofuzzsec.syscalls.model import Recording, SyscallUse

_SHOWN = 3  # incomplete recordings named one by one


@dataclass(frozen=True, slots=True)
class CampaignEvidence:
    """``rows``: everything recorded of the targets. ``arch``: the architecture to build for.
    ``baseline``: the runtime's own calls. ``unrecorded``: kept inputs without a recording.
    ``incomplete``: recordings that may miss calls. ``warnings``: what else may be missing, each one
    line."""

    rows: tuple[SyscallRow, ...]
    arch: str
    baseline: frozenset[str]
    unrecorded: int
    incomplete: int
    warnings: tuple[str, ...]


def campaign_evidence(
    store: Store,
    targets: Sequence[TargetRow],
    *,
    arch: str | None,
    machine: str,
    observe_baseline: Callable[[], Recording],
) -> CampaignEvidence:
    """The evidence of *targets* for a profile.

    It is for *arch*, or, if that is None, for the one architecture that everything was recorded on,
    else for *machine*, this machine's. Recordings of a gofuzzsec that did not note it are taken to
    be of *machine*. Where a target has no baseline (its campaign ran without a recorder, or ended
    too soon), *observe_baseline* makes one now, which joins the rows, but only for *machine*
    itself. Raises StoreError.
    """
    recorded: Counter[str] = Counter()
    for target in targets:
        recorded.update(store.architectures(target.id))
    recorded[machine] += recorded.pop("", 0)
    made_on = [each for each, count in recorded.items() if count]
    chosen = arch or (made_on[0] if len(made_on) == 1 else machine)
    rows = [row for target in targets for row in store.syscalls(target.id)]
    incomplete = sum(len(store.recordings(target.id, incomplete=True)) for target in targets)
    warnings = [warning for target in targets for warning in _gaps(store, target)]
    baseline = {row.name for row in rows if row.source == "baseline"}
    if chosen == machine and not baseline:
        try:
            observed = [_baseline_row(use) for use in observe_baseline().uses]
            rows += observed
            baseline = {row.name for row in observed}
        except (GofuzzsecError, OSError) as error:
            warnings.append(f"the Go runtime's baseline cannot be recorded: {_line(str(error))}")
    return CampaignEvidence(
        rows=tuple(rows),
        arch=chosen,
        baseline=frozenset(baseline),
        unrecorded=sum(store.unrecorded_count(target.id) for target in targets),
        incomplete=incomplete,
        warnings=(*_elsewhere(recorded, chosen), *warnings),
    )


def _baseline_row(use: SyscallUse) -> SyscallRow:
    return SyscallRow(
        name=use.name,
        origin=use.origin,
        source="baseline",
        first_input="",
        first_at=0.0,
        count=use.count,
        inputs=0,
        unstable=not use.stable,
        stack=use.stack,
        kind=use.kind,
        outcome=use.outcome,
        args=use.args,
    )


def _elsewhere(recorded: Counter[str], arch: str) -> Iterable[str]:
    """A warning where recordings are of another architecture than the profile."""
    others = {each: count for each, count in recorded.items() if count and each != arch}
    if others:
        made = ", ".join(f"{count} on {each}" for each, count in sorted(others.items()))
        yield (
            f"ANOTHER ARCHITECTURE: of {recorded.total()} recordings, {made}, and the profile is "
            f"for {arch}; the same program makes other calls there, and the profile breaks it"
        )


def _gaps(store: Store, target: TargetRow) -> Iterable[str]:
    label = target.full_name
    recordings = store.recordings(target.id)
    if target.name and not any(recording.source == "tests" for recording in recordings):
        yield f"{label}: the hand-written tests are not recorded; calls only they make are missing"
    broken = [recording for recording in recordings if not recording.complete]
    for recording in broken[:_SHOWN]:
        what = f"input {recording.input}" if recording.input else _process(recording)
        yield f"{label}: the calls of {what} are incomplete: {_line(recording.problem)}"
    if len(broken) > _SHOWN:
        yield f"{label}: {len(broken) - _SHOWN} more recordings are incomplete"


def _process(recording: RecordingRow) -> str:
    what = {"integration": "integration run", "campaign": "campaign's processes"}
    label = f" {_line(recording.label)}" if recording.label else ""
    return f"the {what.get(recording.source, recording.source)}{label}"


def _line(text: str) -> str:
    return text.strip().partition("\n")[0]
