"""Where uprobes go in a Go program. All places are offsets in its file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gofuzzsec.binary.layout import GoLayout, go_layout
from gofuzzsec.binary.program import GoProgram
from gofuzzsec.binary.returns import Exits, disassembler, exits
from gofuzzsec.binary.table import Function
from gofuzzsec.errors import BinaryError

MAX_PROBED = 2 << 20
"""Bytes of a function that is disassembled for its probes; that takes most of a second."""


@dataclass(frozen=True, slots=True)
class FunctionProbe:
    """``entry`` and ``returns`` are file offsets: of an instruction that runs once a call before
    the stack pointer changes, and of each that goes back to the function's caller. ``address`` is
    the function's, as linked; ``inlined_into`` the number of functions that hold an inlined copy,
    which no probe sees.

    Where a function ends by jumping to another one, as wrappers of methods do, its returns are the
    other's, with the stack as it is at its own, so two functions may share them; where nobody knows
    where it jumps to, the jump.

    The entry is the function's first instruction or, on amd64, the first PUSH behind the check for
    room on the stack: the kernel emulates a PUSH, while any other instruction that Go begins with
    is stepped over at eight times the price. At a first instruction a probe fires again when the
    function starts over with a larger stack.

    ``idle`` is a Go function that neither calls nor jumps anywhere: nothing can happen inside it,
    so that no probe is needed. (It may fault, and what its callers defer then runs is theirs.)
    """

    name: str
    entry: int
    returns: tuple[int, ...]
    address: int
    inlined_into: int
    idle: bool = False


@dataclass(frozen=True, slots=True)
class ProbePoints:
    """``entry`` is the file offset of the program's first instruction and ``entry_address`` its
    address as linked; ``newproc_returns`` where runtime.newproc1 returns a new goroutine's ``*g``
    (in RAX or x0); ``recovery_gogo`` where runtime.recovery calls runtime.gogo (RAX or x0 =
    ``*gobuf``); ``goexit`` the entry of runtime.goexit1, on the goroutine that ends; ``coroexit``
    a place on the goroutine of a coroutine (iter.Pull) that ends, None when there are none;
    ``cgocall`` is there when the program may call C."""

    layout: GoLayout
    entry: int
    entry_address: int
    newproc_returns: tuple[int, ...]
    recovery_gogo: int
    goexit: int
    coroexit: int | None
    cgocall: FunctionProbe | None


def probe_points(program: GoProgram) -> ProbePoints:
    """The runtime's places in *program*. Raises BinaryError that names what is missing."""
    recovery = _recovery_gogo(program)
    return ProbePoints(
        layout=go_layout(program),
        entry=program.file_offset(program.entry),
        entry_address=program.entry,
        newproc_returns=_runtime_probe(program, "newproc1").returns,
        recovery_gogo=recovery,
        goexit=program.file_offset(_only(program, "goexit1").address),
        coroexit=_coroexit(program),
        cgocall=_runtime_probe(program, "cgocall") if program.has_cgo else None,
    )


def function_probe(program: GoProgram, function: Function) -> FunctionProbe:
    """The places of *function*. Raises BinaryError when they cannot all be told, so that a window
    over the function might never close: for C functions, and for assembly with data among its
    code."""
    leaving: set[int] = set()
    waiting, seen = [function], {function.address}
    idle = True
    while waiting:
        one = waiting.pop()
        found = _certain_exits(program, one, function.name)
        idle &= not (found.calls or found.jumps or found.branches or one.assembly)
        leaving.update(found.returns)
        for address, target in (*found.jumps, *found.branches):
            other = program.functions.at(target) if target else None
            if other is None:
                leaving.add(address)
            elif other.address not in seen:
                seen.add(other.address)
                waiting.append(other)
    return FunctionProbe(
        name=function.name,
        entry=program.file_offset(_first_stop(program, function)),
        returns=tuple(program.file_offset(at) for at in sorted(leaving)),
        address=function.address,
        inlined_into=program.inlined_into(function.name),
        idle=idle,
    )


_PROLOGUE = re.compile(
    # cmp rsp, [r14+16], or for a large frame lea r12, [rsp-frame]; cmp r12, [r14+16]; then jbe
    rb"(?:(?:\x49\x3b\x66\x10|\x4c\x8d(?:\x64\x24.|\xa4\x24.{4})\x4d\x3b\x66\x10)"
    rb"(?:\x76.|\x0f\x86.{4}))?\x55",  # push rbp
    re.DOTALL,
)


def _first_stop(program: GoProgram, function: Function) -> int:
    """The address for a probe at the entry of *function*."""
    head = program.read_memory(function.address, min(function.size, 32))
    found = _PROLOGUE.match(head) if program.arch == "amd64" else None
    return function.address + (found.end() - 1 if found else 0)


def function_exits(program: GoProgram, function: Function) -> Exits:
    """Where *function* itself is left, as addresses. Raises BinaryError for one that is too long to
    be disassembled here."""
    if function.size > MAX_PROBED:
        raise BinaryError(
            f"expected {function.name} in {program.path} to have at most {MAX_PROBED} bytes, "
            f"found {function.size}; choose a function that it calls"
        )
    instructions = disassembler(program.arch)(program.code(function), function.address)
    return exits(
        instructions,
        function.address,
        function.end,
        arch=program.arch,
        assembly=function.assembly,
    )


def _certain_exits(program: GoProgram, function: Function, name: str) -> Exits:
    """The exits of a function that *name*, which is to be probed, is or jumps to."""
    found = Exits()
    problem = "a C function"
    if program.pclntab.index_at(function.address) >= 0:
        found, problem = function_exits(program, function), ""
    if any(not target for _, target in found.branches):
        problem = "a jump that nothing is known of"
    # Arm's instructions have one size: data among them hides none.
    if found.unreadable and program.arch == "amd64":
        problem = "data among its code"
    if problem:
        raise BinaryError(
            f"expected {name} in {program.path} to be Go code whose end can be seen, found "
            f"{problem} ({function.name}); choose the function that calls it"
        )
    return found


def _only(program: GoProgram, name: str) -> Function:
    found = program.functions.named(f"runtime.{name}")
    if len(found) != 1:
        raise program.elf.image.broken(f"{len(found)} functions runtime.{name}")
    return found[0]


def _runtime_probe(program: GoProgram, name: str) -> FunctionProbe:
    probe = function_probe(program, _only(program, name))
    if not probe.returns:
        raise program.elf.image.broken(f"a function runtime.{name} that never returns")
    if probe.inlined_into:  # as no release does, but a profile-guided build might
        raise BinaryError(
            f"expected runtime.{name} of {program.path} to be called, found it inlined into "
            f"{probe.inlined_into} functions; build the program without -pgo"
        )
    return probe


def _coroexit(program: GoProgram) -> int | None:
    """The entry of runtime.coroexit, or of what the compiler makes to defer it with the call
    inlined. A tracer that misses it only keeps the number of a goroutine that never comes back."""
    table = program.functions
    found = table.named("runtime.coroexit")
    inlined = [f for name in _DEFERS_COROEXIT for f in table.named(name)]
    if inlined and program.inlined_into("runtime.coroexit"):
        found = tuple(inlined)
    return program.file_offset(found[0].address) if found else None


_DEFERS_COROEXIT = ("runtime.corostart.deferwrap1", "runtime.corostart.func1")
_STORE = {
    "amd64": re.compile(r"qword ptr \[rsp\], (\w+)$"),
    "arm64": re.compile(r"(\w+), \[sp, #8\]$"),
}
_ARGUMENT = {"amd64": "rax", "arm64": "x0"}


def _recovery_gogo(program: GoProgram) -> int:
    """The call with which runtime.recovery resumes a goroutine after a recovered panic.

    runtime.gogo takes its argument on the stack, so that it is in a register, too, is the
    compiler's choice: each release from 1.21 to 1.27 chooses the same, and here it is proved.
    """
    recovery, gogo = _only(program, "recovery"), _only(program, "gogo")
    register = ""
    for address, _, name, operands in disassembler(program.arch)(
        program.code(recovery), recovery.address
    ):
        if store := _STORE[program.arch].search(operands):
            register = store[1] if name in ("mov", "str") else ""
        elif name in ("call", "bl"):
            if operands.lstrip("#") == hex(gogo.address):
                if register != _ARGUMENT[program.arch]:
                    raise program.elf.image.broken(
                        f"a runtime.recovery of {program.go_version} that resumes a goroutine in "
                        "another way than known"
                    )
                return program.file_offset(address)
            register = ""
    raise program.elf.image.broken("a runtime.recovery that calls no runtime.gogo")
