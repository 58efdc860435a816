"""What `profile lint` found, as lines and as JSON objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.text import clean, plural
from gofuzzsec.seccomp.dangers import Severity
from gofuzzsec.seccomp.finding import Finding


def finding_line(file: str, finding: Finding) -> str:
    """``FILE:LINE:COL: error: REASON [CHECK, amd64]; REMEDY``, as compilers print theirs."""
    line, column = finding.place or (0, 0)
    where = f"{file}:{line}:{column}" if finding.place else file
    about = ", ".join((finding.check, *finding.arches))
    severity = finding.severity.name.lower()
    return clean(f"{where}: {severity}: {finding.reason}; {finding.remedy} [{about}]")


def finding_fields(file: str, finding: Finding) -> Fields:
    """One finding as a JSON object."""
    line, column = finding.place or (None, None)
    return {
        "event": "finding",
        "file": file,
        "line": line,
        "column": column,
        "severity": finding.severity.name.lower(),
        "check": finding.check,
        "call": finding.call or None,
        "arches": list(finding.arches),
        "reason": finding.reason,
        "remedy": finding.remedy,
    }


def summary_line(findings: Sequence[Finding]) -> str:
    """How many findings there are of each severity, the worst first."""
    if not findings:
        return "nothing found"
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(
        plural(counts[severity], severity.name.lower())
        for severity in sorted(Severity, reverse=True)
        if counts[severity]
    )
