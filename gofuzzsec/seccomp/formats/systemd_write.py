"""Profiles written as a systemd drop-in (see `systemd` for what its settings mean).

systemd can only say yes or no to a call as a whole. A call that the profile lets through for some
arguments only is refused here: whoever runs the unit then sees that it fails, and which line to
add; the other choice would let through what somebody decided to refuse, and nobody would see.

``@default``, which systemd adds by itself, is taken back as far as the profile does not allow it.
A group stands for its calls only where the profile says the same of all that any version of systemd
has in it; calls that not all versions have in it are named as well. So the file means the same to
all of these versions.
"""

from __future__ import annotations

import errno as errno_numbers
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby

from gofuzzsec.seccomp.decision import Access, Verdict
from gofuzzsec.seccomp.effect import CallEffect, default_verdict, named_effects
from gofuzzsec.seccomp.formats.normal import Written, normal
from gofuzzsec.seccomp.formats.remark import join_entries
from gofuzzsec.seccomp.formats.systemd import ARCHITECTURES, NAME, PROVENANCE
from gofuzzsec.seccomp.formats.systemd_groups import (
    IMPLIED,
    KNOWN,
    always,
    ever,
    group_names,
    members,
)
from gofuzzsec.seccomp.model import ARCHITECTURES as TABLES
from gofuzzsec.seccomp.model import Action, Profile, Provenance
from gofuzzsec.seccomp.regions import Effort
from gofuzzsec.syscalls import table

_KILL = Verdict(Action.KILL_PROCESS)
_ALLOW = Verdict(Action.ALLOW)
_LOG = Verdict(Action.LOG)
_EPERM = Verdict(Action.ERRNO, 1)
_ENOSYS = Verdict(Action.ERRNO, 38)
_INSTEAD = {
    Action.KILL_THREAD: (_KILL, "kills the process instead of one thread"),
    Action.TRAP: (_KILL, "kills the process instead of sending it SIGSYS"),
    Action.TRACE: (_ENOSYS, "answers ENOSYS, as without a tracer"),
    Action.NOTIFY: (_ENOSYS, "answers ENOSYS, as without a listener"),
}
_SHOWN = 8  # calls that one loss names


def write_systemd(profile: Profile) -> Written:
    """*profile*, which is resolved (see `resolve`), as a drop-in for a service.

    Raises ProfileError where `effect.effects` does.
    """
    profile = normal(profile)
    losses: dict[str, list[str]] = {}
    default, loss = _sayable(default_verdict(profile))
    if loss:
        losses[loss] = ["the default action"]
    refusal = _EPERM if default.lets_through else default
    effort = Effort()
    answers = {
        name: _answer(effect, effect.decision.access(effort), refusal, losses)
        for name, effect in named_effects(profile).items()
    }
    lines = [*_header(profile), "[Service]"]
    scope = _scope(profile)
    if default.lets_through:
        lines += _denying(answers, scope)
    else:
        lines += _allowing(answers, default, scope)
    lines += _architectures(profile, losses)
    lines += _logging(answers, default, scope)
    told = [f"{_some(calls)}: {loss}" for loss, calls in losses.items()]
    return Written("\n".join((*lines, "")), (*told, *_other_losses(profile)))


def _answer(
    effect: CallEffect, access: Access, refusal: Verdict, losses: dict[str, list[str]]
) -> Verdict:
    """What systemd can have *effect*'s call answer. What is lost goes to *losses*."""
    if access == "some":
        loss = "allowed for some arguments only, which systemd cannot say: refused altogether"
        losses.setdefault(loss, []).append(effect.name)
        return refusal
    verdict = effect.otherwise
    if access == "always" and not verdict.lets_through:
        verdict = _ALLOW
    elif access == "never" and verdict.lets_through:
        verdict = refusal
    if effect.cases:
        loss = "its answer depends on arguments, which systemd cannot say"
        losses.setdefault(loss, []).append(effect.name)
    answer, loss = _sayable(verdict)
    if loss:
        losses.setdefault(loss, []).append(effect.name)
    return answer


def _sayable(verdict: Verdict) -> tuple[Verdict, str]:
    """The nearest answer that systemd has, and what is lost."""
    if verdict.action in _INSTEAD:
        answer, loss = _INSTEAD[verdict.action]
        return answer, f"systemd has no {verdict.action}: {loss}"
    if verdict == Verdict(Action.ERRNO, 0):
        return _EPERM, "systemd has no errno 0 (pretend that it worked): answers EPERM"
    return verdict, ""


def _allowing(answers: Mapping[str, Verdict], default: Verdict, scope: bool) -> Iterator[str]:
    """A list of what is allowed; what ``@default`` has and is not; what has an errno of its own."""
    allowed = {name for name, answer in answers.items() if answer.lets_through}
    others = {
        name: answer
        for name, answer in answers.items()
        if not answer.lets_through and answer != default
    }
    yield from _filter(allowed, "", scope) if allowed else [f"SystemCallFilter={IMPLIED}"]
    implied = ever(IMPLIED) if scope else ever(IMPLIED) & _native()
    taken = implied - allowed - others.keys()
    if taken:
        yield "# what systemd would allow by itself:"
        yield from _filter(taken, "~", scope)
    for answer in sorted(set(others.values()), key=_suffix):
        calls = {name for name, found in others.items() if found == answer}
        yield from _filter(calls, "~", scope, _suffix(answer))
    if default != _KILL:
        yield f"SystemCallErrorNumber={_error(default.errno)}"


def _denying(answers: Mapping[str, Verdict], scope: bool) -> Iterator[str]:
    """A list of what is denied; the commonest answer stands apart."""
    refused = {name: answer for name, answer in answers.items() if not answer.lets_through}
    if not refused:
        return
    counts = Counter(refused.values())
    common = min(counts, key=lambda answer: (-counts[answer], _suffix(answer)))
    for answer in sorted(counts, key=lambda answer: (answer != common, _suffix(answer))):
        calls = {name for name, found in refused.items() if found == answer}
        yield from _filter(calls, "~", scope, "" if answer == common else _suffix(answer))
    if common != _KILL:
        yield f"SystemCallErrorNumber={_error(common.errno)}"


def _logging(answers: Mapping[str, Verdict], default: Verdict, scope: bool) -> Iterator[str]:
    if default == _LOG:
        quiet = {name for name, answer in answers.items() if answer == _ALLOW}
        yield from _filter(quiet, "~", scope, setting="SystemCallLog")
        if not quiet:
            yield "SystemCallLog=~"
    else:
        logged = {name for name, answer in answers.items() if answer == _LOG}
        yield from _filter(logged, "", scope, setting="SystemCallLog")


def _filter(
    calls: Collection[str],
    mark: str,
    scope: bool,
    suffix: str = "",
    setting: str = "SystemCallFilter",
) -> Iterator[str]:
    """Lines for *calls*, *mark* before them and *suffix* behind each: a line a group, then a line
    for each initial, so that a call more or less changes one line."""
    left = set(calls)
    for group in _by_size():
        whole = ever(group) if scope else ever(group) & _native()
        useful = len(whole & always(group) & left) > 1
        if useful and whole <= set(calls):
            left -= always(group)
            yield f"{setting}={mark}{group}{suffix}"
    for _, names in groupby(sorted(left), key=lambda name: name[0]):
        yield f"{setting}={mark}{' '.join(name + suffix for name in names)}"


def _by_size() -> list[str]:
    """Groups, large ones first; systemd's two special ones are not for lists."""
    groups = [name for name in group_names() if name not in (IMPLIED, KNOWN)]
    return sorted(groups, key=lambda name: (-len(members(name)), name))


def _native() -> frozenset[str]:
    """The calls that an architecture has whose table is here."""
    return frozenset().union(*(table.names(arch) for arch in table.ARCHITECTURES))


def _scope(profile: Profile) -> bool:
    """Whether the profile is also for architectures of which no table is here, so that every name
    counts."""
    return not {*TABLES.values(), "SCMP_ARCH_NATIVE"}.issuperset(profile.architectures)


def _architectures(profile: Profile, losses: dict[str, list[str]]) -> Iterator[str]:
    names = {libseccomp: name for name, libseccomp in ARCHITECTURES.items()}
    names["SCMP_ARCH_NATIVE"] = "native"
    unknown = [arch for arch in profile.architectures if arch not in names]
    if unknown:
        losses["systemd has no name for the architecture: its calls are refused"] = unknown
    known = [names[arch] for arch in profile.architectures if arch in names]
    yield f"SystemCallArchitectures={' '.join(known) or 'native'}"


def _header(profile: Profile) -> Iterator[str]:
    if profile.name and re.fullmatch(r"\S+", profile.name):
        yield f"# {NAME}{profile.name}"
    for entry in profile.provenance.entries:
        yield f"# {PROVENANCE}{join_entries(Provenance((entry,)))}"


def _other_losses(profile: Profile) -> Iterator[str]:
    if profile.name and not re.fullmatch(r"\S+", profile.name):
        yield "the name, which has spaces"
    if profile.flags:
        yield f"flags, which systemd sets itself: {', '.join(profile.flags)}"
    if profile.listener_path or profile.listener_metadata:
        yield "the listener, which systemd has not"
    if any(rule.comment for rule in profile.rules):
        yield "comments of rules"


def _some(calls: Collection[str]) -> str:
    ordered = sorted(calls)
    more = len(ordered) - _SHOWN
    return ", ".join(ordered[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _suffix(answer: Verdict) -> str:
    return ":kill" if answer == _KILL else f":{_error(answer.errno)}"


def _error(number: int | None) -> str:
    return errno_numbers.errorcode.get(number or 0, str(number))
