"""Call stacks as paths: outermost first, without the frames that every stack has."""

from __future__ import annotations

from collections.abc import Sequence

from gofuzzsec.syscalls.attribution import is_runtime, package_of

_WRAPPERS = frozenset(
    {
        "syscall.RawSyscall",
        "syscall.RawSyscall6",
        "syscall.Syscall",
        "syscall.Syscall6",
        "syscall.rawSyscallNoError",
        "syscall.rawVforkSyscall",
        "syscall.runtime_entersyscall",
        "syscall.runtime_exitsyscall",
    }
)
"""What stands between any function and the kernel."""


def function_of(frame: str) -> str:
    """The function in a stack entry "function file:line"."""
    return frame.partition(" ")[0]


def place_of(frame: str) -> str:
    """The "file:line" in a stack entry, "" when it has none."""
    return frame.partition(" ")[2]


def call_path(stack: Sequence[str], *, test_binary: bool) -> tuple[str, ...]:
    """The entries of *stack* (innermost first) that say something, outermost first.

    Left out are the runtime, the test harness (with *test_binary* also its generated main) and the
    functions that only hold the system call's instruction.
    """
    return tuple(frame for frame in reversed(stack) if not _trivial(frame, test_binary))


def _trivial(frame: str, test_binary: bool) -> bool:
    function = function_of(frame)
    package = package_of(function)
    return (
        function in _WRAPPERS
        or is_runtime(function)
        or package in {"testing", "internal/fuzz"}
        or package.startswith("testing/")
        or (test_binary and package == "main")
    )


def is_own(frame: str, own: Sequence[str]) -> bool:
    """Whether a stack entry is of the user's code: import paths *own*, and all below them.

    An external test package (``path_test``) counts as the package that it tests.
    """
    package = package_of(function_of(frame))
    return any(
        package in (path, f"{path}_test") or package.startswith(f"{path}/") for path in own if path
    )


def own_frame(stack: Sequence[str], own: Sequence[str], *, test_binary: bool) -> str:
    """The first frame of the user's module on the way from the call outwards, "" for none."""
    for depth, frame in enumerate(stack):
        mine = is_own(frame, own) and not _trivial(frame, test_binary)
        if mine and not _lent(frame, stack[depth + 1 :]):
            return frame
    return ""


def _lent(frame: str, outer: Sequence[str]) -> bool:
    """Whether *frame* is a closure of another package that was inlined into one of the functions
    *outer*: it is then called ``outer.Callee.func1``, and in the callee's file."""
    function, folder = function_of(frame), place_of(frame).rpartition("/")[0]
    return any(
        function.startswith(f"{function_of(each)}.") and folder != place_of(each).rpartition("/")[0]
        for each in outer
    )
