"""strace's output, line by line, as values.

What is understood is the output of the options in `tracer.py`: ``-f`` (a thread id first), ``-i``
(the instruction pointer in brackets), ``-e raw=all`` (arguments as numbers, so nothing a program
passes can look like trace output) with clone3 alone decoded (its flags are behind a pointer; a
number, by ``-X raw``), and ``-k`` (frames of the call stack after the line that ends a call)::

    123 [000000000040b62e] openat(0xffffff9c, 0xc000010c20, 0x80000, 0) = 0x8
    123 [000000000040b62e] read(0x3, 0xc0000d4001, 0x5ff <unfinished ...>
    124 [00000000004933a3] <... futex resumed>) = ? ERESTARTSYS (To be restarted ...)
     > /path/m.test(os.(*file).close+0x145) [0xde165]
    124 [????????????????] +++ exited with 0 +++

Pure functions; every line, however broken, gives one of the values below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLONE_THREAD = 0x00010000
_VALUE = r"-?[1-9][0-9]{0,19}|0x[0-9a-f]{1,16}|0|\?"
_START = re.compile(r"(\d{1,10}) +(?:\[([0-9a-f]{1,16}|\?+)\] )?")
_WHOLE = re.compile(  # nearly every line, in one go
    r"(\d{1,10}) +\[([0-9a-f]{16})\] (\w{1,64})\(([0-9a-fx, ]*)\)\s+="
    rf" ({_VALUE})(?: (E[A-Z0-9]+))?(?: .*)?"
)
_NAME = re.compile(r"(\w{1,64})\(")
_RESULT = re.compile(rf"\)\s+= ({_VALUE})(?: (E[A-Z0-9]+))?(?: .*)?$")
_CLONE3_FLAGS = re.compile(r"\{flags=(0x[0-9a-f]{1,16}|0)\b")
_RESUMED = re.compile(r"<\.\.\. (\w{1,64}) resumed>")
_FRAME_END = re.compile(r"\[0x([0-9a-f]{1,16})\]$")
_UNKNOWN_CALL = re.compile(r"syscall_(0x[0-9a-f]{1,16})")
_UNFINISHED = "<unfinished ...>"
_ZEROS = (0, 0, 0, 0, 0, 0)
_NATIVE_POINTER_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Call:
    """A thread enters a system call, and leaves it again unless ``finished`` is False.

    ``name`` is strace's; ``arguments`` the text between the parentheses. ``ip`` is the address
    after the system call instruction, None where strace had none. ``result`` is the value
    returned (-1 for any error), None for none; ``error`` is the error's name, "" for none.
    ``native`` is False when the thread ran in another ABI (32-bit, x32): the name is then of
    another table.
    """

    tid: int
    name: str
    arguments: str
    ip: int | None
    finished: bool
    result: int | None
    native: bool
    error: str = ""

    def argument(self, index: int) -> int | None:
        """Argument *index* as an unsigned number, None when it is no number."""
        parts = self.arguments.split(", ", index + 1)
        try:
            return int(parts[index], 0)
        except (IndexError, ValueError):
            return None

    def numbers(self, wanted: tuple[int, ...]) -> tuple[int, ...] | None:
        """The *wanted* arguments (rising, not none) at their places, 0 at others; of clone3 its
        flags alone. None when one is no number."""
        if self.name == "clone3":
            flags = _CLONE3_FLAGS.match(self.arguments)
            return None if flags is None else (int(flags[1], 0),)
        last = wanted[-1]
        parts = self.arguments.split(", ", last + 1)
        try:
            if len(wanted) == 1:
                return (*_ZEROS[:last], int(parts[last], 0))
            return tuple([int(parts[i], 0) if i in wanted else 0 for i in range(last + 1)])
        except (IndexError, ValueError):
            return None

    def makes_thread(self) -> bool:
        """Whether a clone asks for a thread of the same process."""
        flags = self.numbers((0,)) if self.name in ("clone", "clone3") else None
        return flags is not None and bool(flags[0] & _CLONE_THREAD)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A call begun on an earlier line of thread ``tid`` ends."""

    tid: int
    name: str
    result: int | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the stack of the call that ended last, innermost first.

    ``function`` is empty where strace found no symbol; ``offset`` is in ``module``, the path of a
    mapped file.
    """

    module: str
    function: str
    offset: int


@dataclass(frozen=True, slots=True)
class Gone:
    """Thread ``tid`` ended."""

    tid: int


@dataclass(frozen=True, slots=True)
class Noise:
    """A line that says nothing about calls. ``suspect`` is True when it is not even understood."""

    text: str
    suspect: bool


Line = Call | Resumed | Frame | Gone | Noise


def parse_line(text: str, binary: str = "") -> Line:
    """What the trace line *text* (without newline) says.

    *binary* is the traced program's path: it may contain parentheses, which would make frames
    ambiguous otherwise. Never raises.
    """
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        tid, ip, name, arguments, result, error = whole.groups()
        value = None if result == "?" else int(result, 0)
        return Call(int(tid), name, arguments, int(ip, 16), True, value, True, error or "")
    if text.startswith(" > "):
        return _frame(text, binary)
    start = _START.match(text)
    if start is None:
        return Noise(text, suspect=bool(text.strip()) and not text.startswith("strace: "))
    tid, pointer, rest = int(start[1]), start[2], text[start.end() :]
    if rest.startswith("<... ??? resumed>"):
        return Noise(text, suspect=False)
    if rest.startswith("<... "):
        resumed = _RESUMED.match(rest)
        if resumed is None:
            return Noise(text, suspect=True)
        ended = _RESULT.search(rest)
        if ended is None:
            return Resumed(tid, resumed[1], None)
        return Resumed(tid, resumed[1], _number(ended[1]), ended[2] or "")
    if rest.startswith("+++ "):
        superseded = rest.startswith("+++ superseded by execve")
        return Noise(text, suspect=False) if superseded else Gone(tid)
    if rest.startswith(("--- ", "???(")):  # a signal; a thread killed on its way into a call
        return Noise(text, suspect=False)
    return _call(tid, pointer, rest) or Noise(text, suspect=True)


def _call(tid: int, pointer: str | None, rest: str) -> Call | None:
    named = _NAME.match(rest)
    if named is None:
        return None
    finished = not rest.endswith(_UNFINISHED)
    ended = _RESULT.search(rest) if finished else None
    if finished and ended is None:
        return None
    end = ended.start() if ended is not None else len(rest) - len(_UNFINISHED)
    known = pointer is not None and not pointer.startswith("?")
    return Call(
        tid=tid,
        name=named[1],
        arguments=rest[named.end() : end].rstrip(),
        ip=int(pointer, 16) if pointer is not None and known else None,
        finished=finished,
        result=_number(ended[1]) if ended is not None else None,
        native=not known or len(pointer or "") == _NATIVE_POINTER_DIGITS,
        error=(ended[2] or "") if ended is not None else "",
    )


def _number(text: str) -> int | None:
    return None if text == "?" else int(text, 0)


def _frame(text: str, binary: str) -> Frame | Noise:
    end = _FRAME_END.search(text)
    if end is None:
        return Noise(text, suspect=False)  # "unexpected_backtracing_error" and the like
    body = text[3 : end.start()].rstrip()
    if binary and body.startswith(f"{binary}("):
        module, inside = binary, body[len(binary) :]
    else:
        module, bracket, inside = body.partition("(")
        inside = bracket + inside
    function = inside.removeprefix("(").removesuffix(")").rpartition("+0x")[0]
    return Frame(module, function, int(end[1], 16))


def unknown_number(name: str) -> int | None:
    """The number in a name like ``syscall_0x1c3``, which strace gives to calls newer than itself;
    None for an ordinary name. Numbers are as the register holds them: -1 is 2**64 - 1."""
    match = _UNKNOWN_CALL.fullmatch(name)
    return int(match[1], 16) if match else None
