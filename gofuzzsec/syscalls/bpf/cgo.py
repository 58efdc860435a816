"""Where a Go program leaves for C code, and comes back."""

from __future__ import annotations

from dataclasses import dataclass

from gofuzzsec.binary.probes import FunctionProbe, function_probe
from gofuzzsec.binary.program import GoProgram
from gofuzzsec.binary.returns import disassembler
from gofuzzsec.binary.table import Function
from gofuzzsec.errors import BinaryError

_SWITCH = "runtime.asmcgocall"


@dataclass(frozen=True, slots=True)
class CPoints:
    """``call`` and ``back`` are file offsets in runtime.cgocall: of the call that runs C code on
    another stack, and of the instruction after it. Between them the goroutine cannot change
    threads, as it can between cgocall's entry and its return. ``callback`` is
    runtime.cgocallbackg, which C code calls Go by."""

    call: int
    back: int
    callback: FunctionProbe


def c_points(program: GoProgram) -> CPoints | None:
    """The places in *program*, None when it does not call C. Raises BinaryError that names what
    is missing."""
    if not program.has_cgo:
        return None
    caller = _largest(program, "runtime.cgocall")
    targets = {f"{function.address:#x}" for function in program.functions.named(_SWITCH)}
    targets |= {f"{function.address:#x}" for function in program.functions.named(f"{_SWITCH}.abi0")}
    code = disassembler(program.arch)(program.code(caller), caller.address)
    found = [
        (program.file_offset(address), program.file_offset(address + size))
        for address, size, name, operands in code
        if name in ("call", "bl") and operands.lstrip("#") in targets
    ]
    if len(found) != 1:
        raise _missing(program, f"one call of {_SWITCH} in runtime.cgocall, found {len(found)}")
    callback = function_probe(program, _largest(program, "runtime.cgocallbackg"))
    return CPoints(*found[0], callback)


def _largest(program: GoProgram, name: str) -> Function:
    """The function itself, not what adapts its way of passing arguments."""
    functions = program.functions.named(name)
    if not functions:
        raise _missing(program, f"a function {name}, found none")
    return max(functions, key=lambda function: function.size)


def _missing(program: GoProgram, what: str) -> BinaryError:
    return BinaryError(
        f"expected in {program.path} ({program.go_version}) {what}; build it with Go 1.21 to 1.27"
    )
