"""Where a function's code is left for good: RET instructions and jumps to other functions.

A tail jump leaves the caller to be returned to by the function jumped to, with the stack as it was.
Go's compiler ends wrappers of methods so, and assembly does it often.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import capstone

Instruction = tuple[int, int, str, str]
"""Address, size, mnemonic and operands, as `Cs.disasm_lite` gives them."""

_TARGET = re.compile(r"#?(0x[0-9a-f]+|[0-9]+)$")
_AMD64_RETURNS = frozenset({"ret", "retf", "retfq"})
_ARM64_RETURNS = frozenset({"ret", "retaa", "retab"})
_AMD64_CALLS = frozenset({"call", "lcall", "syscall", "sysenter", "int"})
_ARM64_CALLS = frozenset({"bl", "blr", "blraa", "blrab", "blraaz", "blrabz", "svc"})


@dataclass(frozen=True, slots=True)
class Exits:
    """Addresses of instructions. ``jumps``: out of the function, with the address jumped to, 0
    when a register holds it. ``branches``: the same for jumps that may not be taken; only assembly
    has them. ``unreadable``: bytes that are no instruction known to the disassembler, behind which
    nothing is certain. ``calls`` is whether it calls anything, the kernel included."""

    returns: tuple[int, ...] = ()
    jumps: tuple[tuple[int, int], ...] = ()
    branches: tuple[tuple[int, int], ...] = ()
    unreadable: tuple[int, ...] = ()
    calls: bool = False


def disassembler(arch: str) -> Callable[[bytes, int], Iterator[Instruction]]:
    """What turns (code, its address) into instructions; ``.byte`` for what is none."""
    if arch == "amd64":
        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    else:
        engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    engine.skipdata = True
    return engine.disasm_lite  # type: ignore[no-any-return]


def exits(
    instructions: Iterable[Instruction], start: int, end: int, *, arch: str, assembly: bool
) -> Exits:
    """The exits of the function from *start* to *end*. In *assembly* a jump to an address in a
    register leaves the function; elsewhere it is a switch's, by a table of its own labels."""
    returns, jumps, branches, unreadable = [], [], [], []
    calls, amd64 = False, arch == "amd64"
    for address, _, name, operands in instructions:
        name = name.rpartition(" ")[2]  # behind prefixes, as in "repz ret"
        if name in (_AMD64_RETURNS if amd64 else _ARM64_RETURNS):
            returns.append(address)
        elif name in (_AMD64_CALLS if amd64 else _ARM64_CALLS):
            calls = True
        elif name == ".byte":
            unreadable.append(address)
        elif name == ("jmp" if amd64 else "b"):
            target = _target(operands)
            if assembly if target is None else not start <= target < end:
                jumps.append((address, target or 0))
        elif name == "br":
            if assembly:
                jumps.append((address, 0))
        elif name[0] == "j" if amd64 else _is_branch(name):
            target = _target(operands)
            if target is not None and not start <= target < end:
                branches.append((address, target))
    return Exits(tuple(returns), tuple(jumps), tuple(branches), tuple(unreadable), calls)


def _is_branch(name: str) -> bool:
    return name.startswith("b.") or name in ("cbz", "cbnz", "tbz", "tbnz")


def _target(operands: str) -> int | None:
    """The address a jump goes to; None when a register or memory holds it."""
    found = _TARGET.match(operands.rsplit(", ", 1)[-1])
    return int(found[1], 0) if found else None
