"""What tightening changed and why, as text and as JSON objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, number, plural, wrap_names
from gofuzzsec.seccomp.check import Finding
from gofuzzsec.seccomp.standing import Standing
from gofuzzsec.seccomp.tighten import Change, Tightened
from gofuzzsec.syscalls.arguments import words_of


def tightened_text(result: Tightened, profile: str, arch: str) -> str:
    """The changes as a table, the calls that stay although nobody saw them, what the evidence
    needs and the profile refuses, and the numbers."""
    changed = sorted(
        (each for each in result.changes if each.changed),
        key=lambda each: each.standing is Standing.IMPOSSIBLE,  # they are many, and alike
    )
    rows = [(each.name, each.was, each.becomes, "; ".join(each.why)) for each in changed]
    blocks = [table(("call", "was", "becomes", "why"), rows) if rows else "nothing changes"]
    kept = [each.name for each in result.changes if _is_unseen_and_kept(each)]
    if kept:
        blocks.append(f"{_these(len(kept))} possible, not seen, and kept:\n{wrap_names(kept)}")
    blocks += filter(None, [_missing(result, profile, arch), _doubts(result)])
    blocks.append(_numbers(result, profile))
    return "\n\n".join(blocks)


def _is_unseen_and_kept(change: Change) -> bool:
    return change.standing is Standing.POSSIBLE and not change.changed


def _these(count: int) -> str:
    return f"{plural(count, 'call')} {'is' if count == 1 else 'are'}"


def _missing(result: Tightened, profile: str, arch: str) -> str:
    lines = []
    for each in result.missing:
        if each.name in result.added:
            continue
        sure = each.finding is Finding.REFUSED
        values = f" ({words_of(each.name, each.values, arch)})" if each.values else ""
        needed = "is refused" if sure else f"may be refused ({each.doubt})"
        lines.append(clean(f"  {each.name}{values}: {needed}; needed by {each.reason}"))
    if not lines:
        return ""
    head = f"WARNING: the evidence needs what {clean(profile)} refuses already:"
    return "\n".join([head, *lines, "`gofuzzsec profile check` says more; --add-missing allows it"])


def _doubts(result: Tightened) -> str:
    if not result.doubts:
        return ""
    lines = [f"  {clean(doubt)}" for doubt in result.doubts]
    return "\n".join(["no call was held impossible:", *lines])


def _numbers(result: Tightened, profile: str) -> str:
    calls = [each for each in result.changes if not each.name.startswith("SCMP_ARCH_")]
    before = [each for each in calls if each.name not in result.added]
    standing = Counter(each.standing for each in before)
    after = sum(each.becomes != "refused" for each in calls)
    told = ", ".join(f"{number(standing[each])} {each.value}" for each in Standing)
    return clean(
        f"{profile}: {plural(len(before), 'call')} let through ({told}); {number(after)} now"
    )


def tightened_fields(result: Tightened, arch: str) -> list[Fields]:
    """JSON objects: ``change`` for every call that is let through, ``missing`` ones, and a
    ``tightened`` one at the end."""
    calls = [each for each in result.changes if not each.name.startswith("SCMP_ARCH_")]
    return [
        *({"event": "change"} | asdict(each) for each in result.changes),
        *(
            {
                "event": "missing",
                "call": each.name,
                "finding": each.finding.value,
                "values": list(each.values),
                "words": words_of(each.name, each.values, arch) if each.values else "",
                "reason": each.reason,
                "doubt": each.doubt,
                "added": each.name in result.added,
            }
            for each in result.missing
        ),
        {
            "event": "tightened",
            "before": sum(each.name not in result.added for each in calls),
            "after": sum(each.becomes != "refused" for each in calls),
            "doubts": list(result.doubts),
        },
    ]


def sentence(result: Tightened, evidence: Sequence[str]) -> str:
    """What the provenance says of how complete the result is."""
    standing = Counter(each.standing for each in result.changes)
    kept = sum(
        each.standing is Standing.POSSIBLE and each.becomes != "refused" for each in result.changes
    )
    unbound = "" if not result.doubts else "; no static bound held a call impossible"
    return (
        f"tightened by {plural(len(evidence), 'campaign')}: "
        f"{plural(standing[Standing.NEEDED], 'call')} needed, "
        f"{plural(kept, 'possible one')} kept{unbound}"
    )
