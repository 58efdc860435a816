"""A profile as the kernel has it: compiled by libseccomp as container runtimes do, and loaded.

What follows runc (``libcontainer/seccomp/seccomp_linux.go``) and crun (``src/libcrun/seccomp.c``):

- The machine's own architecture is always filtered; others only where the profile names them. A
  call by the gate of an architecture that is not filtered kills the thread (libseccomp's default).
- A rule whose action is the default action is left out, since libseccomp refuses it.
- Names that are no call of any filtered architecture are skipped (`Filter.skipped`).
- Where one rule compares the same argument twice, which libseccomp cannot, each comparison becomes
  a rule of its own: they are *or*-ed, whatever the specification says.

Calls are told to libseccomp by number, because a distribution's libseccomp often is older than the
kernel and does not know all names. For further architectures it has to translate a name; those that
it does not know are `Filter.untranslated`.

What is not as in runc: that makes calls newer than all the profile's fail with ENOSYS instead of
the default errno, by instructions of its own in front of libseccomp's. NOTIFY without anybody who
listens answers ENOSYS, the kernel's way.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from gofuzzsec.errors import ProfileError, RecorderError
from gofuzzsec.seccomp.endless import Told, check_finite
from gofuzzsec.seccomp.install import install
from gofuzzsec.seccomp.model import Action, Condition, Op, Profile, Rule
from gofuzzsec.syscalls import table

_EPERM = 1
_GATES = {
    "amd64": {"SCMP_ARCH_X86": "X86", "SCMP_ARCH_X32": "X32"},
    "arm64": {"SCMP_ARCH_ARM": "ARM"},
}
"""Other architectures whose calls a process on this one can make."""
_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 0,  # asks for a listener, which nobody is here
}
_OPERATORS = {op: op.value.removeprefix("SCMP_CMP_") for op in Op}  # pyseccomp's names
_UNKNOWN = -1  # __NR_SCMP_ERROR


@dataclass(frozen=True, slots=True)
class Filter:
    """A profile compiled for this machine: BPF instructions, and the flags of seccomp(2).

    ``skipped`` are names that the profile has rules for and that are no call here;
    ``untranslated`` are calls that libseccomp does not know by name, so that their rules hold for
    this machine's own gate alone.
    """

    program: bytes
    flags: int
    skipped: tuple[str, ...]
    untranslated: tuple[str, ...] = ()


def libseccomp() -> ModuleType:
    """pyseccomp. Raises RecorderError when the library under it is missing."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise RecorderError(
            f"expected libseccomp, which compiles profiles for the kernel, found: {error}; install "
            "the package libseccomp2 (Debian, Ubuntu) or libseccomp (Fedora, Alpine, Arch)"
        ) from error
    module: ModuleType = pyseccomp
    return module


def compile_filter(profile: Profile, arch: str, *, log_only: bool = False) -> Filter:
    """*profile*, which is resolved for *arch* (see `resolve`), for the kernel of this machine.

    *log_only* lets everything through and has the kernel log what the profile would not have let
    (into the audit log, which only root reads).
    Raises ProfileError when it is for another machine or libseccomp does not take a rule,
    RecorderError without libseccomp.
    """
    if log_only:
        profile = _logging(profile)
    native, untranslated = _built(profile, arch)
    with tempfile.TemporaryFile() as file:
        native.export_bpf(file)
        file.seek(0)
        program = file.read()
    known = table.names(arch) | frozenset(_foreign(profile, arch))
    skipped = tuple(sorted(_names(profile.rules) - known))
    return Filter(program, _flags(profile.flags), skipped, untranslated)


def pseudo_code(profile: Profile, arch: str) -> str:
    """What `compile_filter` makes of *profile* in libseccomp's pseudo filter code, for people.
    Raises what it raises."""
    native, _ = _built(profile, arch)
    with tempfile.TemporaryFile() as file:
        native.export_pfc(file)
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def _built(profile: Profile, arch: str) -> tuple[Any, tuple[str, ...]]:
    """libseccomp's filter for *profile*, and the calls of *arch* that it has no rules for at the
    gates of further architectures."""
    if arch != table.machine_arch():
        raise ProfileError(
            f"expected a profile for {table.machine_arch()}, which this machine is, found {arch}"
        )
    seccomp = libseccomp()
    native = _filled(seccomp, profile, _numbered(profile.rules, arch))
    unknown: list[str] = []
    gates = [gate for name, gate in _GATES[arch].items() if name in profile.architectures]
    if gates:
        rules, unknown = _translatable(seccomp, profile.rules)
        other = _filled(seccomp, profile, rules, gates)
        native.merge(other)
    return native, tuple(sorted(table.names(arch) & {*unknown}))


def _foreign(profile: Profile, arch: str) -> list[str]:
    """The names of *profile* that are calls of its further architectures, as libseccomp has it."""
    if not any(name in profile.architectures for name in _GATES[arch]):
        return []
    return [name for _, name, _ in _translatable(libseccomp(), profile.rules)[0]]


def load(profile: Profile, arch: str, *, log_only: bool = False) -> Filter:
    """Put this thread, and whatever it starts, under *profile* for good; what was loaded.

    See `compile_filter` for the arguments and errors. Raises OSError when the kernel refuses.
    """
    compiled = compile_filter(profile, arch, log_only=log_only)
    install(compiled.program, compiled.flags)
    return compiled


def with_calls(profile: Profile, names: Iterable[str], arch: str) -> Profile:
    """*profile* with *names* allowed on *arch*, whatever its rules say of them."""
    more = frozenset(names)
    if not more:
        return profile
    kept = (
        replace(rule, names=tuple(n for n in rule.names if n not in more)) for rule in profile.rules
    )
    rules = tuple(rule for rule in kept if rule.names)
    return replace(profile, rules=(*rules, Rule(tuple(sorted(more)), Action.ALLOW)))


def _logging(profile: Profile) -> Profile:
    """*profile* with LOG in place of whatever does not let a call through."""
    rules = tuple(
        rule if rule.action.lets_through else replace(rule, action=Action.LOG, errno=None)
        for rule in profile.rules
    )
    default = profile.default_action
    return replace(
        profile,
        default_action=default if default.lets_through else Action.LOG,
        default_errno=None,
        rules=rules,
    )


_Numbered = Iterable[tuple[int, str, Rule]]


def _numbered(rules: Iterable[Rule], arch: str) -> Iterator[tuple[int, str, Rule]]:
    for rule in rules:
        for name in rule.names:
            number = table.number(name, arch)
            if number is not None:
                yield number, name, rule


def _translatable(
    seccomp: ModuleType, rules: Iterable[Rule]
) -> tuple[list[tuple[int, str, Rule]], list[str]]:
    """What libseccomp knows by name, in its own numbers (negative for calls that only other
    architectures have), and the names that it does not know."""
    found: list[tuple[int, str, Rule]] = []
    unknown: dict[str, None] = {}
    for rule in rules:
        for name in rule.names:
            number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
            if number == _UNKNOWN:
                unknown[name] = None
            else:
                found.append((number, name, rule))
    return found, list(unknown)


def _names(rules: Iterable[Rule]) -> set[str]:
    return {name for rule in rules for name in rule.names}


def _filled(
    seccomp: ModuleType, profile: Profile, rules: _Numbered, gates: Iterable[str] = ()
) -> Any:  # a SyscallFilter: pyseccomp has no types
    """A filter of the architectures *gates*, this machine's without any, with *rules*."""
    default = _action(seccomp, profile.default_action, profile.default_errno)
    made = seccomp.SyscallFilter(default)
    chosen = list(gates)
    for gate in chosen:
        made.add_arch(getattr(seccomp.Arch, gate))
    if chosen:
        made.remove_arch(seccomp.Arch.NATIVE)
    told = [
        (number, name, action, conditions)
        for number, name, rule in rules
        if (action := _action(seccomp, rule.action, rule.errno)) != default
        for conditions in _alternatives(rule.conditions)
    ]
    calls: dict[str, list[Told]] = {}
    for _, name, action, conditions in told:
        calls.setdefault(name, []).append((action, conditions))
    check_finite(default, calls)
    for number, name, action, conditions in told:
        _add(seccomp, made, action, number, name, conditions)
    return made


def _alternatives(conditions: tuple[Condition, ...]) -> Iterator[tuple[Condition, ...]]:
    counted = Counter(condition.arg for condition in conditions)
    if any(count > 1 for count in counted.values()):
        yield from ((condition,) for condition in conditions)
    else:
        yield conditions


def _add(
    seccomp: ModuleType,
    made: Any,
    action: int,
    number: int,
    name: str,
    conditions: tuple[Condition, ...],
) -> None:
    arguments = [
        seccomp.Arg(c.arg, getattr(seccomp, _OPERATORS[c.op]), c.value, c.value_two)
        for c in conditions
    ]
    try:
        made.add_rule(action, number, *arguments)
    except OSError as error:
        raise ProfileError(
            f"expected libseccomp to take the rule for {name}, found: {error.strerror}; look for "
            "a second rule for the same call that says something else"
        ) from error


def _action(seccomp: ModuleType, action: Action, errno: int | None) -> int:
    code = _EPERM if errno is None else errno
    name = action.value.removeprefix("SCMP_ACT_")
    found = getattr(seccomp, name)
    number: int = found(code) if action in (Action.ERRNO, Action.TRACE) else found
    return number


def _flags(names: Iterable[str]) -> int:
    flags = 0
    for name in names:
        if name not in _FLAGS:
            raise ProfileError(f"expected flags out of {', '.join(sorted(_FLAGS))}, found {name!r}")
        flags |= _FLAGS[name]
    return flags
