"""Carrying out attacks without the profile and under it, and telling who stopped what."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gofuzzsec.errors import RecorderError
from gofuzzsec.seccomp.attacks import perform
from gofuzzsec.seccomp.attacks.table import ATTACKS, Argument, Attack, Thing
from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.effect import effects
from gofuzzsec.seccomp.enforce import Filter, compile_filter
from gofuzzsec.seccomp.model import Action, Profile
from gofuzzsec.syscalls import table

_TIMEOUT = 120.0  # seconds for all of them; each takes milliseconds
_NO_RIGHT = frozenset({errno.EPERM, errno.EACCES})
_GATES = {"x32": "SCMP_ARCH_X32", "i386": "SCMP_ARCH_X86"}
_GATE_SHUT = Verdict(Action.KILL_THREAD)


class Stop(StrEnum):
    """Who stopped an attack.

    PROFILE: the profile says so, and the kernel did what it says. KERNEL: the profile lets it
    through, and the kernel refuses it to this user anyhow, or has no such call; elsewhere, or as
    another user, it gets through. NOBODY: it got through. UNCLEAR: profile and kernel do not agree.
    """

    PROFILE = "profile"
    KERNEL = "kernel"
    NOBODY = "nobody"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``without`` and ``under`` say what happened, in words; ``under`` is "" without a profile."""

    attack: Attack
    stop: Stop
    without: str
    under: str

    def got_through(self, needed: Collection[str] = ()) -> bool:
        """Whether it counts against the profile. *needed* are attacks that the program has to be
        allowed."""
        if not self.attack.wanted or self.attack.name in needed:
            return False
        return self.stop in (Stop.NOBODY, Stop.UNCLEAR)


def attempt(profile: Profile | None, arch: str) -> tuple[Outcome, ...]:
    """Carry out every attack that there is on *arch*, without *profile* (resolved; None: only
    without) and under it.

    Raises RecorderError when they cannot be carried out or libseccomp is missing, ProfileError.
    """
    chosen = [a for a in ATTACKS if table.number(a.call, arch) is not None]
    if arch != "amd64":
        chosen = [attack for attack in chosen if not attack.gate]
    without = _perform(chosen, arch, None)
    if profile is None:
        return tuple(
            Outcome(attack, _by_kernel(result), _words(result), "")
            for attack, result in zip(chosen, without, strict=True)
        )
    under = _perform(chosen, arch, compile_filter(profile, arch))
    known = effects(profile, arch)
    outcomes = []
    for attack, first, second in zip(chosen, without, under, strict=True):
        if attack.gate:
            shut = _GATES[attack.gate] not in profile.architectures
            verdict = _GATE_SHUT if shut else known[attack.call].verdict(())
        else:
            verdict = known[attack.call].verdict(tuple(map(_register, attack.args)))
        stop = _stop(verdict, first, second)
        outcomes.append(Outcome(attack, stop, _words(first), _words(second)))
    return tuple(outcomes)


_Result = Mapping[str, int]


def _stop(verdict: Verdict, without: _Result, under: _Result) -> Stop:
    died = under.get("signal") == signal.SIGSYS
    if verdict.action.lets_through:
        return Stop.UNCLEAR if died else _by_kernel(without)
    match verdict.action:
        case Action.ERRNO:
            agrees = under.get("errno") == verdict.errno
        case Action.TRACE | Action.NOTIFY:  # nobody answers
            agrees = under.get("errno") == errno.ENOSYS
        case _:
            agrees = died
    return Stop.PROFILE if agrees else Stop.UNCLEAR


def _by_kernel(without: _Result) -> Stop:
    refused = without.get("errno") in _NO_RIGHT | {errno.ENOSYS, errno.EAFNOSUPPORT}
    return Stop.KERNEL if refused else Stop.NOBODY


def _words(result: _Result) -> str:
    if result.get("errno"):
        return errno.errorcode.get(result["errno"], f"errno {result['errno']}")
    if "returned" in result:
        return "succeeds"
    if "signal" in result:
        return f"dies of {signal.Signals(result['signal']).name}"
    return "runs" if result.get("exited") == 0 else "no answer"


def _register(argument: Argument) -> int:
    """What a filter sees: the number; an address or a descriptor, of which no rule can know the
    value, is one that is not 0."""
    if isinstance(argument, int):
        return argument % (1 << 64)
    return 1 << 20


def _perform(attacks: Sequence[Attack], arch: str, compiled: Filter | None) -> list[_Result]:
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-attacks-") as folder:
        path = Path(folder) / "filter"
        if compiled is not None:
            path.write_bytes(compiled.program)
        plan = {
            "filter": str(path) if compiled is not None else "",
            "flags": compiled.flags if compiled is not None else 0,
            "attacks": [_planned(attack, arch) for attack in attacks],
        }
        done = subprocess.run(
            [sys.executable, "-I", "-S", perform.__file__],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            cwd=folder,
            env=dict(os.environ),
        )
    try:
        results: list[_Result] = json.loads(done.stdout)
    except ValueError as error:
        raise RecorderError(
            f"expected the attacks to be carried out, found: {done.stderr.strip()[-500:]}; "
            "look for what keeps this user from starting processes"
        ) from error
    return results


def _planned(attack: Attack, arch: str) -> dict[str, object]:
    return {
        "number": table.number(attack.call, arch),
        "gate": attack.gate,
        "args": [_encoded(argument) for argument in attack.args],
    }


def _encoded(argument: Argument) -> object:
    if isinstance(argument, Thing):
        return {"thing": argument.value}
    if isinstance(argument, bytes):
        return {"bytes": argument.hex()}
    return argument
