"""What a call is, beyond its number: classes of its first arguments.

One table for every recorder and for the agent in boosted binaries, whose Go file is written from it
(``python -m gofuzzsec.syscalls.classes amd64 > gofuzzsec/agent/syscall/classes_linux_amd64.go``,
the same for arm64). Only arguments that are plain numbers are looked at, never memory behind a
pointer: the agent looks while the call is being made, where a bad pointer would be fatal. So
`clone3` has a class only where the caller of the recorder knows its flags.

Values are those of the kernel's uapi headers; they are the same on amd64 and arm64 except where
`Flag` says otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gofuzzsec.syscalls.table import number

LIMIT = 10
"""Classes a call can have at most, class 0 (no rule matched) included."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A bit that is another one on each architecture."""

    amd64: int
    arm64: int

    def on(self, arch: str) -> int:
        """The bit on *arch* ("amd64" or "arm64")."""
        return self.amd64 if arch == "amd64" else self.arm64


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on argument ``arg`` (0 to 3): its bits of ``mask`` are ``value``, or, where that
    is None, any of them is set."""

    arg: int
    mask: int | Flag
    value: int | None

    def holds(self, args: Sequence[int], arch: str) -> bool:
        """Whether it holds for the call's arguments (unsigned 64-bit; missing ones are 0)."""
        bits = (args[self.arg] if self.arg < len(args) else 0) & self.bits(arch)
        return bits != 0 if self.value is None else bits == self.value

    def bits(self, arch: str) -> int:
        """The mask on *arch*."""
        return self.mask.on(arch) if isinstance(self.mask, Flag) else self.mask


@dataclass(frozen=True, slots=True)
class Rule:
    """Class ``name`` when every test of one of ``cases`` holds."""

    name: str
    cases: tuple[tuple[Test, ...], ...]


@dataclass(frozen=True, slots=True)
class Classes:
    """The rules of ``calls``, first match first; class number = position of the name + 1.

    ``rest`` names class 0, what no rule matched.
    """

    calls: tuple[str, ...]
    rest: str
    rules: tuple[Rule, ...]

    def names(self) -> tuple[str, ...]:
        """Names by class number; rules of the same name share one."""
        return (self.rest, *dict.fromkeys(rule.name for rule in self.rules))


_ALL = 0xFFFFFFFF  # the kernel takes these arguments as int or unsigned int
_PROT = 7
_O_DIRECTORY = Flag(amd64=0x10000, arm64=0x4000)


def _one_of(name: str, arg: int, *values: int, mask: int = _ALL) -> Rule:
    return Rule(name, tuple((Test(arg, mask, value),) for value in values))


def _any(name: str, arg: int, mask: int | Flag) -> Rule:
    return Rule(name, ((Test(arg, mask, None),),))


_SOCKET_RULES = (
    Rule("raw", tuple((Test(0, _ALL, family), Test(1, 0xF, 3)) for family in (2, 10))),
    _one_of("unix", 0, 1),
    _one_of("inet", 0, 2),
    _one_of("inet6", 0, 10),
    _one_of("netlink", 0, 16),
    _one_of("packet", 0, 17),
    _one_of("alg", 0, 38),
    _one_of("vsock", 0, 40),
)
_OPTION_RULES = (
    Rule("filter", tuple((Test(1, _ALL, 1), Test(2, _ALL, opt)) for opt in (26, 50, 51, 52))),
    _one_of("socket", 1, 1),
    _one_of("ip", 1, 0),
    _one_of("tcp", 1, 6),
    _one_of("udp", 1, 17),
    _one_of("ipv6", 1, 41),
    _one_of("packet", 1, 263),
    _one_of("netlink", 1, 270),
    _one_of("tls", 1, 282),
)
_PROT_RULES = (
    _one_of("none", 2, 0, mask=_PROT),
    _one_of("read", 2, 1, mask=_PROT),
    _one_of("exec", 2, 4, 5, mask=_PROT),
    _one_of("write+exec", 2, 6, 7, mask=_PROT),
)
_CLONE_RULES = (
    _any("user namespace", 0, 0x10000000),
    _any("namespace", 0, 0x6E020080),  # NEWNET NEWPID NEWIPC NEWUTS NEWCGROUP NEWNS NEWTIME
    _one_of("thread", 0, 0x10000, mask=0x10000),
    _one_of("vfork", 0, 0x4100, mask=0x4100),
)

TABLE: tuple[Classes, ...] = (
    Classes(("socket", "socketpair"), "other", _SOCKET_RULES),
    Classes(("setsockopt", "getsockopt"), "other", _OPTION_RULES),
    Classes(
        ("ioctl",),
        "other",
        (
            _one_of("terminal input", 1, 0x5412),  # TIOCSTI: types into another's terminal
            # TCGETS TIOCGPGRP TIOCGWINSZ TIOCGSID TIOCGPTN TCGETS2
            _one_of("terminal get", 1, 0x5401, 0x540F, 0x5413, 0x5429, 0x80045430, 0x802C542A),
            _one_of("descriptor", 1, 0x541B, 0x5421, 0x5450, 0x5451, 0x5452, 0x5460),
            _one_of("terminal", 1, 0x5400, mask=0xFF00),
            _one_of("socket", 1, 0x8900, mask=0xFF00),
            _one_of("filesystem", 1, 0x6600, mask=0xFF00),
            _one_of("clone range", 1, 0x9400, mask=0xFF00),
            _one_of("block", 1, 0x1200, mask=0xFF00),
        ),
    ),
    Classes(
        ("fcntl",),
        "other",
        (
            _one_of("duplicate", 1, 0, 1030),
            _one_of("get descriptor flags", 1, 1),
            _one_of("set descriptor flags", 1, 2),
            _one_of("get flags", 1, 3),
            _one_of("set flags", 1, 4),
            _one_of("lock", 1, 5, 6, 7, 36, 37, 38),
            _one_of("signal", 1, 8, 9, 10, 11, 15, 16, 1026),
            _one_of("pipe size", 1, 1031, 1032),
            _one_of("seals", 1, 1033, 1034),
        ),
    ),
    Classes(
        ("prctl",),
        "other",
        (
            _one_of("name", 0, 15, 16),
            _one_of("no new privileges", 0, 38, 39),
            _one_of("seccomp", 0, 21, 22),
            _one_of("dumpable", 0, 3, 4),
            _one_of("death signal", 0, 1, 2),
            _one_of("capabilities", 0, 7, 8, 23, 24, 27, 28, 47),
            _one_of("subreaper", 0, 36, 37),
            _one_of("memory name", 0, 0x53564D41),
            _one_of("tracer", 0, 0x59616D61),
        ),
    ),
    Classes(("clone", "clone3"), "process", _CLONE_RULES),
    Classes(
        ("mmap",),
        "write",
        (
            *_PROT_RULES,
            Rule("shared write", ((Test(2, 2, 2), Test(3, 1, 1)),)),
        ),
    ),
    Classes(("mprotect", "pkey_mprotect"), "write", _PROT_RULES),
    Classes(
        ("openat",),
        "read",
        (
            _any("path", 2, 0x200000),
            _one_of("temporary", 2, 0x400000, mask=0x400000),
            _any("directory", 2, _O_DIRECTORY),
            _any("create", 2, 0x40),
            _any("truncate", 2, 0x200),
            _any("append", 2, 0x400),
            _any("write", 2, 3),
        ),
    ),
    Classes(("unlinkat",), "file", (_any("directory", 2, 0x200),)),
    Classes(
        ("unshare",),
        "other",
        (_any("user namespace", 0, 0x10000000), _any("namespace", 0, 0x6E020080)),
    ),
    Classes(("ptrace",), "other", (_one_of("traceme", 0, 0), _one_of("attach", 0, 16, 0x4206))),
    Classes(("prlimit64",), "get", (Rule("set", ((Test(2, 2**64 - 1, None),),)),)),
    Classes(
        ("seccomp",),
        "other",
        (
            Rule("strict", ((Test(0, _ALL, 0),),)),
            _one_of("filter", 0, 1),
            _one_of("query", 0, 2, 3),
        ),
    ),
    Classes(
        ("bpf",),
        "other",
        (
            _one_of("create map", 0, 0),
            _one_of("use map", 0, 1, 2, 3, 4),
            _one_of("load program", 0, 5),
            _one_of("pin", 0, 6, 7),
            _one_of("attach", 0, 8, 9, 28),
        ),
    ),
)

_BY_CALL = {call: classes for classes in TABLE for call in classes.calls}


def class_names(call: str) -> tuple[str, ...]:
    """Names of *call*'s classes by number; one empty name for a call that has no classes."""
    classes = _BY_CALL.get(call)
    return classes.names() if classes else ("",)


def class_of(call: str, args: Sequence[int], arch: str) -> int:
    """The class of *call* with *args* (unsigned, at least the first three) on *arch*."""
    classes = _BY_CALL.get(call)
    if classes is None:
        return 0
    for rule in classes.rules:
        if any(all(test.holds(args, arch) for test in case) for case in rule.cases):
            return classes.names().index(rule.name)
    return 0


_EXAMINED = {
    call: tuple(
        sorted({test.arg for rule in classes.rules for case in rule.cases for test in case})
    )
    for call, classes in _BY_CALL.items()
}


def examined(call: str) -> tuple[int, ...]:
    """Which arguments of *call* say what its class is, from 0; none where it has no classes."""
    return _EXAMINED.get(call, ())


@lru_cache(maxsize=1 << 14)
def kind_of(call: str, args: tuple[int, ...], arch: str) -> str:
    """The name of the class of *call* with *args* (see `class_of`), "" for one without classes."""
    return class_names(call)[class_of(call, args, arch)]


def go_source(arch: str) -> str:
    """The agent's Go file for *arch*, as gofmt would leave it."""
    kinds = []
    for kind, classes in enumerate(TABLE, 1):
        for call in classes.calls:
            trap = number(call, arch)
            if trap is not None and call != "clone3":  # its flags are behind a pointer
                kinds.append((trap, kind, call))
    clone = 1 + next(i for i, classes in enumerate(TABLE) if "clone" in classes.calls)
    width = max(len(str(trap)) for trap, _, _ in kinds)
    entries = []
    for trap, kind, call in sorted(kinds):
        pad = " " * (width - len(str(trap)))
        entries.append(f"\t{trap}: {pad}{kind},{' ' * (3 - len(str(kind)))}// {call}")
    cases = "\n".join(_go_case(kind, classes, arch) for kind, classes in enumerate(TABLE, 1))
    return _GO.format(arch=arch, clone=clone, entries="\n".join(entries), cases=cases)


def _go_case(kind: int, classes: Classes, arch: str) -> str:
    names = classes.names()
    lines = [f"\tcase {kind}: // {', '.join(classes.calls)}", "\t\tswitch {"]
    for rule in classes.rules:
        condition = " || ".join(
            " && ".join(_go_test(test, arch) for test in case) for case in rule.cases
        )
        lines += [f"\t\tcase {condition}:", f"\t\t\treturn {names.index(rule.name)} // {rule.name}"]
    return "\n".join((*lines, "\t\t}"))


def _go_test(test: Test, arch: str) -> str:
    bits = test.bits(arch)
    argument = f"a{test.arg + 1}"
    masked = argument if bits == 2**64 - 1 else f"{argument}&{bits:#x}"
    return f"{masked} != 0" if test.value is None else f"{masked} == {test.value:#x}"


_GO = """// Code generated by gofuzzsec/syscalls/classes.py; DO NOT EDIT.

//go:build linux && {arch}

package syscall

// gofuzzsecCloneKind is the kind of clone, and of clone3 where its flags are known.
const gofuzzsecCloneKind = {clone}

// gofuzzsecKinds says by call number which rules its classes follow, 0 for none. Never written.
var gofuzzsecKinds = [gofuzzsecCalls]uint8{{
{entries}
}}

// gofuzzsecClass is the class, 0 to 9, of a call of this kind with these arguments.
//
//go:nosplit
//go:norace
func gofuzzsecClass(kind uint8, a1, a2, a3, a4 uintptr) uint32 {{
	switch kind {{
{cases}
	}}
	return 0
}}
"""


if __name__ == "__main__":
    sys.stdout.write(go_source(sys.argv[1]))
