"""Addresses of a stack to functions and lines."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gofuzzsec.syscalls.attribution import StackFrame
from gofuzzsec.syscalls.bpf.calls import KernelCall

if TYPE_CHECKING:
    from gofuzzsec.binary.lines import Frame
    from gofuzzsec.binary.program import GoProgram

_MOST_STUB = 4096  # bytes of a function that is looked at for its frame
_MOVES = {  # instructions that make a frame
    "amd64": (("push", ""), ("sub", "rsp,"), ("enter", "")),
    "arm64": (("sub", "sp,"), ("str", "[sp, #-"), ("stp", "[sp, #-")),
}


class Symbolizer:
    """Names the frames of one program's calls; remembers every address. Thread-safe."""

    def __init__(self, program: GoProgram | None) -> None:
        """*program* is None for one that is not Go's: no frame of it has a name."""
        self._program = program
        self._frames: dict[int, tuple[Frame, ...]] = {}
        self._frameless: dict[int, bool] = {}
        self._lock = threading.Lock()

    def frames(self, call: KernelCall) -> tuple[Frame | None, ...]:
        """The frames of *call*'s stack, innermost first, inlined ones included; None for each run
        of code that is not the program's."""
        with self._lock:
            found: list[Frame | None] = []
            for address in self._complete(call):
                named = self._at(address)
                if named:
                    found.extend(named)
                elif not found or found[-1] is not None:
                    found.append(None)
            return tuple(found)

    def stack(self, call: KernelCall) -> tuple[StackFrame, ...]:
        """The same for `attribution.attribute`. Frames without a source line are C's."""
        return tuple(_stack_frame(frame) for frame in self.frames(call))

    def lines(self, call: KernelCall) -> tuple[str, ...]:
        """The same as "function file:line", without the foreign ones."""
        return tuple(str(frame) for frame in self.frames(call) if frame)

    def _complete(self, call: KernelCall) -> tuple[int, ...]:
        """The stack with the caller that a walk by frame pointers skips."""
        addresses = call.addresses
        if not addresses or not call.caller or not self._is_frameless(addresses[0]):
            return addresses
        return (addresses[0], call.caller, *addresses[1:])

    def _at(self, address: int) -> tuple[Frame, ...]:
        found = self._frames.get(address)
        if found is None:
            program = self._program if address else None
            found = program.frames(address, call=True) if program is not None else ()
            self._frames[address] = found
        return found

    def _is_frameless(self, address: int) -> bool:
        """Whether the function at *address* has made no frame when it gets there."""
        known = self._frameless.get(address)
        if known is None:
            known = self._frameless[address] = self._makes_no_frame(address)
        return known

    def _makes_no_frame(self, address: int) -> bool:
        from gofuzzsec.binary.returns import disassembler

        if self._program is None:
            return False
        function = self._program.functions.at(address - 1)
        if function is None or address - function.address > _MOST_STUB:
            return False
        moves = _MOVES[self._program.arch]
        code = self._program.code(function)[: address - function.address]
        return not any(
            name == move and place in operands
            for _, _, name, operands in disassembler(self._program.arch)(code, function.address)
            for move, place in moves
        )


def _stack_frame(frame: Frame | None) -> StackFrame:
    if frame is None:
        return StackFrame("", go=False)
    if not frame.file:
        return StackFrame(frame.function, go=False)
    return StackFrame(frame.function, go=True, place=f"{frame.file}:{frame.line}")
