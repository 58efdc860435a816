"""Where a profile comes from, as it is written into it: the same for the same campaign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from gofuzzsec import __version__
from gofuzzsec.binary import GoProgram
from gofuzzsec.errors import UsageError
from gofuzzsec.seccomp.model import Provenance
from gofuzzsec.store import Store, TargetRow

_EPOCH = "SOURCE_DATE_EPOCH"
_LATEST = 253402300799  # the last second of the year 9999, beyond which ISO 8601 does not go
_MOST = 2000  # characters of one value


def provenance_of(
    store: Store,
    targets: Sequence[TargetRow],
    programs: Sequence[GoProgram],
    sentence: str,
    environment: Mapping[str, str],
) -> Provenance:
    """The provenance of a profile from what *store* has of *targets*, for *programs*.

    A fuzz test's build id is the key of the build that was last fuzzed, which names all its sources
    by content. The date is that of the last recording, or SOURCE_DATE_EPOCH of *environment*, never
    that of now: who builds the profile again gets it again. Raises StoreError, UsageError.
    """
    entries = [("tool", f"gofuzzsec {__version__}")]
    for target in targets:
        entries.append(("program", target.full_name))
        entries += [("build-id", build.key) for build in store.builds(target.id)[-1:]]
    for program in programs:
        entries.append(("program", program.path.name))
        entries += [("build-id", program.build_id)] if program.build_id else []
    executions = sum(store.executions(target.id) for target in targets)
    inputs = sum(store.input_count(target.id) for target in targets)
    recordings = [each for target in targets for each in store.recordings(target.id)]
    entries.append(
        ("campaign", f"{executions} executions, {inputs} inputs, {len(recordings)} recordings")
    )
    entries += [("date", date) for date in _date((each.at for each in recordings), environment)]
    entries.append(("completeness", sentence))
    return Provenance(tuple((key, _line(value)) for key, value in entries))


def _date(recorded: Iterable[float], environment: Mapping[str, str]) -> Iterable[str]:
    given = environment.get(_EPOCH, "")
    if given and not (given.isascii() and given.isdigit() and int(given[:20]) <= _LATEST):
        raise UsageError(
            f"expected seconds since 1970 in {_EPOCH}, found {given[:40]!r}: set or unset it"
        )
    at = int(given) if given else max((int(each) for each in recorded), default=None)
    if at is not None and 0 <= at <= _LATEST:
        yield datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(text: str) -> str:
    """*text* as one printable line of bounded length: names come from programs."""
    cut = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    return "".join(char if char.isprintable() else "?" for char in cut)
