"""Values on the command line that are more than text: times, budgets, sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

_T = TypeVar("_T")

_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 100 * 365 * 86400.0
"""A century of seconds still fits Go's time.Duration."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(B|KiB|MiB|GiB|TiB)")
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

_TEXT_LIMIT = 40
"""Longer than any sensible value, short enough that no number in it is costly."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much fuzzing: exactly one of the two is set."""

    seconds: float | None = None
    executions: int | None = None


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as ``30s``, ``1h30m`` or ``500ms``; ``0`` needs no unit.

    Raises ValueError for anything else and for more than a century.
    """
    if text == "0":
        return 0.0
    if len(text) > _TEXT_LIMIT or not _DURATION.fullmatch(text):
        raise ValueError(f"expected a time such as 30s, 10m or 1h30m, found {text!r}")
    seconds = math.fsum(float(value) * _SECONDS[unit] for value, unit in _PART.findall(text))
    if seconds > _LONGEST:
        raise ValueError(f"expected less than a century, found {text!r}")
    return seconds


def parse_budget(text: str) -> Budget:
    """A duration above zero, or a number of executions such as ``1000000x``.

    Raises ValueError for anything else.
    """
    if re.fullmatch(r"[0-9]{1,18}x", text, re.ASCII) and int(text[:-1]) > 0:
        return Budget(executions=int(text[:-1]))
    if text == "0" or text.endswith("x"):
        raise ValueError(f"expected a time or a count above zero, found {text!r}")
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError(f"expected a time or a count above zero, found {text!r}")
    return Budget(seconds=seconds)


def parse_size(text: str) -> int:
    """Bytes of a size such as ``2GiB`` or ``512MiB``, in the units of Go's GOMEMLIMIT.

    Raises ValueError for anything else, for 0 and from 8 EiB on.
    """
    match = _SIZE.fullmatch(text) if len(text) <= _TEXT_LIMIT else None
    if match is None:
        raise ValueError(f"expected a size such as 2GiB or 512MiB, found {text!r}")
    count = int(float(match[1]) * _BYTES[match[2]])
    if not 0 < count < 1 << 63:
        raise ValueError(f"expected a size from 1B to below 8 EiB, found {text!r}")
    return count


def checked(parse: Callable[[str], _T]) -> Callable[..., _T | None]:
    """A click callback that passes an option's text through *parse*.

    Its ValueError becomes a usage error that names the option; an option that was not given and
    has no default stays None.
    """

    def convert(ctx: click.Context, param: click.Parameter, value: str | None) -> _T | None:
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return convert
