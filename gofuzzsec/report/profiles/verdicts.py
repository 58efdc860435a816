"""Verdicts and arguments in words."""

from __future__ import annotations

import errno as errno_numbers
from collections.abc import Iterable, Sequence

from gofuzzsec.seccomp.decision import Verdict
from gofuzzsec.seccomp.model import Action, Op
from gofuzzsec.seccomp.regions import FULL, Test
from gofuzzsec.syscalls.argument_words import text_of
from gofuzzsec.syscalls.arguments import DECIDING

_PLAIN = {
    Action.ALLOW: "allowed",
    Action.LOG: "allowed, logged",
    Action.KILL_PROCESS: "kills the process",
    Action.KILL_THREAD: "kills the thread",
    Action.TRAP: "SIGSYS",
    Action.NOTIFY: "asks a listener",
}
_SIGNS = {Op.EQ: "=", Op.NE: "≠", Op.LT: "<", Op.LE: "≤", Op.GE: "≥", Op.GT: ">"}
_POINTER = 6
_LOWER = 0xFFFFFFFF
_UPPER = FULL & ~_LOWER


def verdict_words(verdict: Verdict) -> str:
    """``allowed``, ``refused (EPERM)``, ``kills the process`` …"""
    if verdict.action in _PLAIN:
        return _PLAIN[verdict.action]
    number = verdict.errno or 0
    name = errno_numbers.errorcode.get(number, str(number))
    if verdict.action is Action.TRACE:
        return f"asks a tracer ({number})"
    return f"refused ({name})" if number else "skipped, pretending it worked"


def value_words(call: str, arg: int, args: Sequence[int], arch: str) -> str:
    """Argument *arg* of *call* with *args*: ``0x2 AF_INET``, or the number alone."""
    value = args[arg] if arg < len(args) else 0
    number = str(value) if value < 10 else f"{value:#x}"
    specs = DECIDING.get(call, ())
    for spec in specs:
        if spec.arg != arg or value >> 32:
            continue
        first = args[specs[0].arg] if specs[0].arg < len(args) else 0
        word = text_of(spec.label, value & spec.mask, arch, first & specs[0].mask)
        return number if word == number else f"{number} {word}"
    return number


def args_words(call: str, args: Sequence[int], tested: Iterable[int], arch: str) -> str:
    """The *tested* arguments: ``arg0=2 AF_INET, arg1=1 SOCK_STREAM``; "any" for none."""
    told = [f"{_name(arg)}={value_words(call, arg, args, arch)}" for arg in tested]
    return ", ".join(told) or "any"


def test_words(call: str, test: Test, arch: str) -> str:
    """``arg0 = 1 AF_UNIX``, ``arg2 & 0x4 = 0``, ``upper half of arg0 = 0``."""
    name, sign = _name(test.arg), _SIGNS[test.op]
    if test.mask == _UPPER:
        return f"upper half of {name} {sign} {test.value >> 32:#x}"
    if test.mask not in (FULL, _LOWER):
        return f"{name} & {test.mask:#x} {sign} {test.value:#x}"
    half = "" if test.mask == FULL else "lower half of "
    args = (0,) * test.arg + (test.value,)
    return f"{half}{name} {sign} {value_words(call, test.arg, args, arch)}"


def _name(arg: int) -> str:
    return "instruction pointer" if arg == _POINTER else f"arg{arg}"
