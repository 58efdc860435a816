"""Rules from which libseccomp does not return.

libseccomp (2.5.4) runs in circles on some rules that look harmless: "first argument at most 5 and
second at most 7" with "first at most 5 and second equal to 7" is enough. A container runtime that
is given such a profile hangs. It takes two rules for one call and an inequality on an argument that
is not the rule's last: then a part of libseccomp's tree has two ways into it. Calls with such rules
are tried in a process of its own first, whose CPU time the kernel limits.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from gofuzzsec.errors import ProfileError, RecorderError
from gofuzzsec.seccomp.model import Condition, Op

Told: TypeAlias = tuple[int, tuple[Condition, ...]]
"""One rule as libseccomp is told it: the action's number, and the conditions."""

_SECONDS = 0.5  # of CPU; what returns at all does so in milliseconds
_PATIENCE = 60  # seconds of time, on a machine however busy
_EQUALITIES = (Op.EQ, Op.MASKED_EQ)

_TRIAL = f"""
import json, signal, sys
import pyseccomp
signal.setitimer(signal.ITIMER_PROF, {_SECONDS})
default, calls = json.load(sys.stdin)
for number, rules in enumerate(calls):
    print(number, flush=True)
    made = pyseccomp.SyscallFilter(default)
    for action, conditions in rules:
        args = [pyseccomp.Arg(arg, getattr(pyseccomp, op), *two) for arg, op, *two in conditions]
        try:
            made.add_rule(action, 0, *args)
        except OSError:
            break  # refused, which is an answer
    with open("/dev/null", "w") as nowhere:
        made.export_bpf(nowhere)
"""


def check_finite(default: int, calls: Mapping[str, Sequence[Told]]) -> None:
    """Raise ProfileError when libseccomp does not return from the rules of one of *calls*, in a
    filter whose default action has the number *default*."""
    doubtful = {name: tuple(rules) for name, rules in calls.items() if _is_doubtful(rules)}
    if not doubtful:
        return
    stuck = _stuck(default, tuple(dict.fromkeys(doubtful.values())))
    if stuck is not None:
        name = next(name for name, rules in doubtful.items() if rules == stuck)
        raise ProfileError(
            f"expected rules for {name} that libseccomp takes, found ones from which it does not "
            "return: container runtimes hang on this profile; compare arguments before the last "
            "one for equality only"
        )


def _is_doubtful(rules: Sequence[Told]) -> bool:
    """Whether libseccomp might not return from these rules for one call."""
    return len(rules) > 1 and any(
        condition.op not in _EQUALITIES
        for _, conditions in rules
        for condition in sorted(conditions)[:-1]
    )


@lru_cache(maxsize=1 << 8)
def _stuck(default: int, calls: tuple[tuple[Told, ...], ...]) -> tuple[Told, ...] | None:
    """The first of *calls* from whose rules libseccomp does not return."""
    told = [
        [
            (action, [(c.arg, c.op[len("SCMP_CMP_") :], c.value, c.value_two) for c in conditions])
            for action, conditions in rules
        ]
        for rules in calls
    ]
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _TRIAL],
            input=json.dumps((default, told)),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RecorderError(
            f"expected libseccomp to try rules in {_PATIENCE} s: {error}"
        ) from error
    if ended.returncode == 0:
        return None
    if ended.returncode != -signal.SIGPROF or not ended.stdout:
        raise RecorderError(
            f"expected libseccomp to try rules, found exit status {ended.returncode}: "
            f"{ended.stderr.strip()[-300:]}"
        )
    return calls[int(ended.stdout.split()[-1])]
