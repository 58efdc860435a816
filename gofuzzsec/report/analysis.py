"""The functions worth capturing, as people and programs read them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from gofuzzsec.coordinator.capturing.analysis import Analysis, ReachedFunction
from gofuzzsec.report.jsonl import Fields
from gofuzzsec.report.tables import table
from gofuzzsec.report.text import clean, plural

_COLUMNS = ("function", "at", "covered", "calls it can reach")
_MOST_NAMES = 8
_MOST_HINTED = 3


def analysis_text(analyses: Sequence[Analysis], packages: Sequence[str]) -> str:
    """A table a package, then how to capture what it lists."""
    parts = [_package(analysis) for analysis in analyses]
    names = [each.name for analysis in analyses for each in analysis.reached]
    if names:
        parts.append(_hint(names, packages))
    return "\n\n".join(parts)


def analysis_objects(analysis: Analysis) -> list[Fields]:
    """One ``reached_function`` each (docs/capture.md)."""
    return [
        {
            "event": "reached_function",
            "import_path": each.import_path,
            "function": each.name,
            "file": each.file,
            "line": each.line,
            "statements": each.coverage.statements,
            "covered": each.coverage.covered,
            "calls": list(each.calls),
            "unknown": each.unknown,
        }
        for each in analysis.reached
    ]


def _package(analysis: Analysis) -> str:
    path = clean(analysis.package.import_path)
    lines = [
        f"{path}: {plural(len(analysis.reached), 'function')} of {analysis.functions} that tests "
        "and fuzz targets reach and that can make system calls"
    ]
    if analysis.reached:
        lines.append(table(_COLUMNS, [_cells(each) for each in analysis.reached], right="covered"))
    lines += [f"warning: {clean(text)}" for text in analysis.warnings]
    return "\n".join(lines)


def _cells(each: ReachedFunction) -> tuple[str, ...]:
    names = list(each.calls[:_MOST_NAMES])
    if len(each.calls) > _MOST_NAMES:
        names.append(f"and {len(each.calls) - _MOST_NAMES} more")
    if each.unknown:
        names.append("(some unknown)")
    place = f"{each.file.rpartition('/')[2]}:{each.line}"
    return each.name, place, f"{each.coverage.percent:.1f} %", " ".join(names)


def _hint(names: Sequence[str], packages: Sequence[str]) -> str:
    chosen = " ".join(f"-f {shlex.quote(name)}" for name in names[:_MOST_HINTED])
    more = " …" if len(names) > _MOST_HINTED else ""
    where = " ".join(map(shlex.quote, packages))
    return f"to capture them: gofuzzsec capture --tests {clean(chosen)}{more} -- {clean(where)}"
