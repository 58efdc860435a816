"""Profiles as settings of a systemd unit: ``SystemCallFilter=`` and its kin (systemd.exec(5)).

Reading follows ``config_parse_syscall_filter`` and ``seccomp_parse_syscall_filter`` of systemd 252
to 258 (checked against ``systemd-analyze verify``), but for one thing: what systemd warns of and
ignores is an error here. The first ``SystemCallFilter=`` says whether the list allows or denies;
later lines add to it or, when they say the opposite, take away. A list that allows starts with
``@default``. An empty value starts over.

What the settings mean beyond that: a list that allows refuses other calls with
``SystemCallErrorNumber=`` or, without it, kills the process (calls that systemd itself does not
know fail with ENOSYS instead, which is not modelled). Without ``SystemCallArchitectures=`` the
filter stands on all ways into the machine's kernel; the profile then names those of this machine.
``SystemCallLog=`` is a second filter; the kernel takes the stricter answer, and logging is stricter
than allowing. All other settings of the unit, also those that install filters of their own
(``RestrictNamespaces=``), are no part of the profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from gofuzzsec.seccomp.formats.remark import split_entries
from gofuzzsec.seccomp.formats.source import fail, nearest
from gofuzzsec.seccomp.formats.systemd_groups import IMPLIED, group_names, members
from gofuzzsec.seccomp.formats.systemd_unit import Assignment, Word, assignments, comments
from gofuzzsec.seccomp.formats.words import ERRNO_BY_NAME, MAX_ERRNO, known_calls
from gofuzzsec.seccomp.model import Action, Profile, Provenance, Rule
from gofuzzsec.syscalls import table

ARCHITECTURES = {
    "x86": "SCMP_ARCH_X86",
    "x86-64": "SCMP_ARCH_X86_64",
    "x32": "SCMP_ARCH_X32",
    "arm": "SCMP_ARCH_ARM",
    "arm64": "SCMP_ARCH_AARCH64",
    "loongarch64": "SCMP_ARCH_LOONGARCH64",
    "mips": "SCMP_ARCH_MIPS",
    "mips64": "SCMP_ARCH_MIPS64",
    "mips64-n32": "SCMP_ARCH_MIPS64N32",
    "mips-le": "SCMP_ARCH_MIPSEL",
    "mips64-le": "SCMP_ARCH_MIPSEL64",
    "mips64-le-n32": "SCMP_ARCH_MIPSEL64N32",
    "parisc": "SCMP_ARCH_PARISC",
    "parisc64": "SCMP_ARCH_PARISC64",
    "ppc": "SCMP_ARCH_PPC",
    "ppc64": "SCMP_ARCH_PPC64",
    "ppc64-le": "SCMP_ARCH_PPC64LE",
    "riscv64": "SCMP_ARCH_RISCV64",
    "s390": "SCMP_ARCH_S390",
    "s390x": "SCMP_ARCH_S390X",
}
"""systemd's names (``seccomp_arch_from_string``) of libseccomp's architectures, but "native"."""

LOCAL = {
    "amd64": ("SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32"),
    "arm64": ("SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"),
}
"""What systemd filters on a machine when the unit does not say (``seccomp_local_archs``)."""

KILL = -1
"""The errno of what kills the process."""
_AS_DEFAULT = -2

SECTIONS = ("Service", "Socket", "Mount", "Swap")
"""Where a unit says how its processes are run."""
PROVENANCE = "provenance: "
NAME = "profile: "
"""What comments begin with that `write_systemd` leaves and `read_systemd` understands."""

_MOST_WORDS = 5000  # each may be a group of 500 calls; every call there is has 700 names
_OTHER_FILTERS = frozenset(
    table.words(
        "LockPersonality MemoryDenyWriteExecute PrivateDevices ProtectClock ProtectHostname "
        "ProtectKernelLogs ProtectKernelModules ProtectKernelTunables RestrictAddressFamilies "
        "RestrictNamespaces RestrictRealtime RestrictSUIDSGID"
    )
)
"""Settings for which systemd installs further seccomp filters, beside the one of the profile."""


@dataclass(slots=True)
class _List:
    """A setting's calls while they are read: each with the errno it answers with (`KILL`, or
    `_AS_DEFAULT`). ``allows`` is None until the first line."""

    allows: bool | None = None
    calls: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Reader:
    """A unit file being read."""

    where: str
    filter: _List = field(default_factory=_List)
    log: _List = field(default_factory=_List)
    errno: int = KILL
    architectures: dict[str, None] | None = None
    found: bool = False
    words: int = 0
    left_out: dict[str, None] = field(default_factory=dict)

    def take(self, assignment: Assignment) -> None:
        """One assignment, of whatever setting."""
        match assignment.setting:
            case "SystemCallFilter":
                self._list(assignment, self.filter)
            case "SystemCallLog":
                self._list(assignment, self.log)
            case "SystemCallErrorNumber":
                self.errno = self._error_number(assignment)
            case "SystemCallArchitectures":
                self._architectures(assignment)
            case setting:
                if setting in _OTHER_FILTERS:
                    self.left_out[f"{setting}=, for which systemd has a filter of its own"] = None
                return
        self.found = True
        if assignment.section not in SECTIONS:
            here = f"[{assignment.section}]" if assignment.section else "no section"
            fail(
                self.where,
                assignment.line,
                assignment.column,
                f"expected {assignment.setting}= in [Service] (or [Socket], [Mount], [Swap]), "
                f"found it in {here}, where systemd ignores it",
            )

    def _list(self, assignment: Assignment, into: _List) -> None:
        words = list(assignment.words)
        self.words += len(words)
        if self.words > _MOST_WORDS:
            self._fail(words[0], f"expected at most {_MOST_WORDS} calls and groups, found more")
        if not words:
            into.allows, into.calls = None, {}
            return
        inverted = words[0].text.startswith("~")
        if inverted:
            first = words.pop(0)
            if first.text != "~":
                words.insert(0, Word(first.text[1:], first.line, first.column + 1))
        filtering = into is self.filter
        if into.allows is None:
            into.allows = not inverted
            if filtering and into.allows:
                into.calls = dict.fromkeys(members(IMPLIED), _AS_DEFAULT)
        for word in words:
            names, errno = self._calls(word, with_errno=filtering)
            if errno != _AS_DEFAULT and not inverted:
                self._fail(word, "expected an errno only in a list that denies (~), found one")
            if inverted != into.allows or errno != _AS_DEFAULT:
                into.calls |= dict.fromkeys(names, errno)
            else:
                for name in names:
                    into.calls.pop(name, None)

    def _calls(self, word: Word, *, with_errno: bool) -> tuple[frozenset[str], int]:
        """The calls that *word* names, and the errno behind it."""
        name, colon, errno = word.text.partition(":")
        code = _AS_DEFAULT
        if colon:
            if not with_errno:
                self._fail(word, f"expected a call without an errno, found {word.text!r}")
            code = self._errno(Word(errno, word.line, word.column + len(name) + 1), least=0)
        if name.startswith("@"):
            if name not in group_names():
                hint = nearest(name, group_names()) or "; systemd-analyze syscall-filter lists them"
                self._fail(word, f"expected a group of system calls, found {name[:60]!r}{hint}")
            return members(name), code
        if name not in known_calls():
            hint = nearest(name, known_calls()) or ", which no architecture of Linux has"
            self._fail(word, f"expected the name of a system call, found {name[:60]!r}{hint}")
        return frozenset({name}), code

    def _errno(self, word: Word, *, least: int) -> int:
        text = word.text
        if text == "kill":
            return KILL
        number = ERRNO_BY_NAME.get(text)
        if number is None and re.fullmatch(r"[0-9]{1,9}", text):
            number = int(text)
        if number is None or not least <= number <= MAX_ERRNO:
            self._fail(
                word,
                f"expected an errno (EPERM, or {least} to {MAX_ERRNO}) or kill, found "
                f"{text[:60]!r}",
            )
        return number

    def _error_number(self, assignment: Assignment) -> int:
        if not assignment.words:
            return KILL
        if len(assignment.words) > 1:
            self._fail(assignment.words[1], "expected one errno, found a second word")
        return self._errno(assignment.words[0], least=1)

    def _architectures(self, assignment: Assignment) -> None:
        if not assignment.words:
            self.architectures = None
            return
        self.architectures = {} if self.architectures is None else self.architectures
        for word in assignment.words:
            if word.text == "native":
                continue
            if word.text not in ARCHITECTURES:
                hint = nearest(word.text, ARCHITECTURES) or "; systemd.exec(5) lists them"
                self._fail(word, f"expected an architecture, found {word.text[:60]!r}{hint}")
            self.architectures[ARCHITECTURES[word.text]] = None

    def _fail(self, word: Word, message: str) -> NoReturn:
        fail(self.where, word.line, word.column, message)


def read_systemd(text: str, where: str) -> Profile:
    """The profile that the unit file or drop-in *text* holds.

    Raises ProfileError, which begins with *where*, line and column.
    """
    reader = _Reader(where)
    for assignment in assignments(text, where, "SystemCall"):
        reader.take(assignment)
    if not reader.found:
        fail(where, 1, 1, "expected SystemCallFilter= or another SystemCall setting, found none")
    default, rules = _rules(reader)
    named = reader.architectures
    local = LOCAL[table.machine_arch()]
    provenance, name = _described(text)
    return Profile(
        default_action=default[0],
        default_errno=default[1],
        architectures=local if named is None else tuple(named),
        rules=rules,
        provenance=provenance,
        name=name,
        left_out=tuple(reader.left_out),
    )


_Answer = tuple[Action, int | None]


def _rules(reader: _Reader) -> tuple[_Answer, tuple[Rule, ...]]:
    """The default answer and what differs from it."""
    allows = reader.filter.allows
    refusal = _answer(reader.errno)
    through = (Action.ALLOW, None)
    logged = (Action.LOG, None)
    answers: dict[str, _Answer] = {}
    default = refusal if allows else through
    for name, errno in reader.filter.calls.items():
        if errno != _AS_DEFAULT:
            answers[name] = _answer(errno)
        else:
            answers[name] = through if allows else refusal
    if reader.log.allows is not None:
        listed = reader.log.calls.keys()
        for name in answers.keys() | listed:
            if answers.get(name, default) == through:
                answers[name] = logged if (name in listed) == reader.log.allows else through
        if default == through and not reader.log.allows:
            default = logged
    names: dict[_Answer, set[str]] = {}
    for name, answer in answers.items():
        if answer != default:
            names.setdefault(answer, set()).add(name)
    rules = (Rule(tuple(sorted(group)), action, errno) for (action, errno), group in names.items())
    return default, tuple(sorted(rules, key=lambda rule: (rule.action, rule.errno or 0)))


def _answer(errno: int) -> _Answer:
    return (Action.KILL_PROCESS, None) if errno == KILL else (Action.ERRNO, errno)


def _described(text: str) -> tuple[Provenance, str]:
    """What `write_systemd` left in comments: where the profile comes from and what it is called."""
    entries: list[tuple[str, str]] = []
    name = ""
    for comment in comments(text):
        if comment.startswith(PROVENANCE):
            entries += split_entries(comment.removeprefix(PROVENANCE)).entries
        elif comment.startswith(NAME):
            name = comment.removeprefix(NAME)
    return Provenance(tuple(entries)), name
