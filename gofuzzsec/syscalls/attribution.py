"""Who made a system call, read from the call stack it was made with.

The stack is that of a Go test binary (or of a plain Go program), innermost frame first, as strace
unwinds it: Go keeps frame pointers, so it runs through the scheduler's stack back to the
goroutine. The question is answered in this order:

1. The innermost Go function is the runtime's: the runtime made the call. Growing the heap, waking
   a thread, starting one, sleeping. That the code under test is further out, because it
   allocated or sent on a channel, does not make the call its own: it would have come anyhow, a
   little earlier or later. Two exceptions, where the runtime only lends its hands: calls through
   cgo, and services that exist to make that call for their caller (`internal/poll` registering a
   descriptor with the poller, `os/signal` installing a handler).
2. Otherwise the innermost frame that is either the test harness's or a user's decides:
   `testing.(*T).TempDir` called by a fuzz function makes its directory for the harness, a
   `String` method that `t.Log` calls makes its calls for the user. The standard library between
   them acts for whoever called it. A program built with `-cover` writes its counters for the
   harness, too. Where a harness function is there to call someone's function
   (`tRunner`, a cleanup), what it called directly is the user's, also in a package of the
   standard library.
3. Only standard library frames: a goroutine the library started. Those that `testing` and
   `internal/fuzz` cause are in a few packages; a goroutine of any other was started for the code
   under test. Package initialisation counts as the runtime's, since every Go program does it.
   Finalizers and what is left are unknown: nothing on the stack says whose file is being closed.

Tried with Go 1.21 to 1.27; a harness function that a later version adds is still in the
packages `testing` and `internal/fuzz`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gofuzzsec.syscalls.model import Origin
from gofuzzsec.syscalls.table import words


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One frame: ``function`` as the symbol table has it; ``go`` is False for functions of C
    libraries and for C code in the binary itself. ``place`` is "file:line", "" if not known."""

    function: str
    go: bool
    place: str = ""

    def __str__(self) -> str:
        """As stacks of SyscallUse have it."""
        return f"{self.function} {self.place}" if self.place else self.function


_STUBS = frozenset(  # the functions that hold the instruction; the runtime and others share them
    {
        "internal/runtime/syscall/linux.Syscall6",  # 1.26
        "internal/runtime/syscall.Syscall6",  # 1.23
        "runtime/internal/syscall.Syscall6",  # 1.19
    }
)
_C_CALLS = frozenset({"runtime.asmcgocall", "runtime.cgocall", "runtime.asmcgocall_no_g"})
_SERVICES = (
    "internal/poll.runtime_pollOpen",
    "internal/poll.runtime_pollClose",
    "os/signal.signal_enable",
    "os/signal.signal_disable",
    "os/signal.signal_ignore",
    "syscall.runtime_",
    "runtime/pprof.",
    "syscall.AllThreadsSyscall",
    "syscall.Exit",
)
_CALLBACK_RUNNERS = frozenset(
    {
        "testing.tRunner",
        "testing.fRunner",
        "testing.(*B).runN",
        "testing.AllocsPerRun",
        "testing.(*common).Cleanup.func1",
    }
)
_REFLECTED_RUNNER = "testing.(*F).Fuzz.func"
_AGENT_RUNNER = "testing.agentCall.func"  # of a boosted binary; by reflection or without
_THREAD_START = ("_cgo_sys_thread_start", "_cgo_try_pthread_create", "x_cgo_", "threadentry")
_CGO_WRAPPER = re.compile(r"_cgo_[0-9a-f]{8,}_C2?func_")
_FINALIZERS = ("runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups")
_ROOTS = ("runtime.goexit", "runtime.main")
# Standard packages whose goroutines `testing`, `internal/fuzz` or what they import may start.
_SHARED_GOROUTINES = frozenset(
    {"context", "os/signal", "os/exec", "runtime/pprof", "runtime/trace", "time"}
)
_STANDARD_ROOTS = words(
    """archive bufio bytes cmp compress container context crypto database debug embed encoding
    errors expvar flag fmt go hash html image index internal io iter log maps math mime net os
    path plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing
    text time unicode unique unsafe vendor weak"""
)


def package_of(function: str) -> str:
    """The import path in a Go symbol name, "" for a name without one.

    >>> package_of("gopkg.in/yaml%2ev3.(*parser).peek[go.shape.int]")
    'gopkg.in/yaml.v3'
    """
    bare = function.partition("[")[0].removesuffix("(.text)")
    directory, slash, last = bare.rpartition("/")
    package, dot, _ = last.partition(".")
    if not dot and not slash:
        return ""
    path = f"{directory}{slash}{package}"
    return re.sub("%([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), path)


def is_runtime(function: str) -> bool:
    """Whether *function* is the Go runtime's own (`runtime/debug` and `runtime/pprof` are not)."""
    package = package_of(function)
    return package in {"runtime", "runtime/cgo"} or package.startswith(
        ("runtime/internal/", "internal/runtime/")
    )


def is_stub(function: str) -> bool:
    """Whether *function* is the one that both the runtime and everyone else enter the kernel by."""
    return _plain(function) in _STUBS


def attribute(stack: Sequence[StackFrame], *, test_binary: bool = True) -> Origin:
    """Who made the call with *stack* (innermost first; may be empty or cut short).

    *test_binary* says that package main is the generated test main, not a program.
    """
    names = [_plain(frame.function) for frame in stack if frame.go]
    foreign = [frame.function for frame in stack if not frame.go]
    while names and names[0] in _STUBS:
        names.pop(0)
    by_cgo = any(_CGO_WRAPPER.match(function) for function in foreign)
    if any(function.startswith(_THREAD_START) for function in foreign):
        return Origin.RUNTIME
    if not names:
        return _if_cgo(by_cgo)
    inner = _leading_runtime(names)
    if inner:
        rest = names[inner:]
        if all(name in _C_CALLS for name in names[:inner]):
            return _owner(rest, test_binary) if rest else _if_cgo(by_cgo)
        if not rest or not rest[0].startswith(_SERVICES):
            return Origin.RUNTIME
        names = rest
    return _owner(names, test_binary)


def without_harness(stack: Sequence[str]) -> Sequence[str]:
    """*stack* (of SyscallUse) without the outermost frames that only start the code under test.

    These are the runtime's, the test harness's and, next to it, package reflect's. A stack of
    nothing else stays as it is.
    """
    kept = len(stack)
    while kept:
        function, _, place = stack[kept - 1].partition(" ")
        package = package_of(function)
        generated = function == "main.main" and place.startswith("_testmain.go:")
        harness = generated or _is_harness(package, test_binary=False) or package == "reflect"
        if not harness and not is_runtime(_plain(function)):
            return stack[:kept]
        kept -= 1
    return stack


def is_of_module(frame: str, modules: Collection[str]) -> bool:
    """Whether a frame of a stack of SyscallUse is code of one of *modules* (their paths).

    The main package of a program counts as of them too, that of a test binary does not.
    """
    function, _, place = frame.partition(" ")
    package = package_of(function).removesuffix("_test")
    if package == "main":
        return not place.startswith("_testmain.go:")
    return any(package == module or package.startswith(f"{module}/") for module in modules)


def _if_cgo(by_cgo: bool) -> Origin:
    return Origin.TARGET if by_cgo else Origin.UNKNOWN


def _leading_runtime(names: Sequence[str]) -> int:
    for index, name in enumerate(names):
        if not is_runtime(name):
            return index
    return len(names)


def _owner(names: Sequence[str], test_binary: bool) -> Origin:
    """Rules 2 and 3 over Go function names, innermost first."""
    for index, name in enumerate(names):
        package = package_of(name)
        if _is_harness(package, test_binary):
            return _harness_or_callback(names, index)
        if not _is_standard(package) and not is_runtime(name):
            return Origin.TARGET
    return _library_goroutine(names)


def _is_harness(package: str, test_binary: bool) -> bool:
    return (
        package in {"testing", "internal/fuzz", "runtime/coverage"}
        or package.startswith(("testing/", "internal/coverage/"))
        or (test_binary and package == "main")
    )


def _is_standard(package: str) -> bool:
    generated = package.startswith(("type:", "go:"))
    root = package.partition("/")[0]
    return generated or (root in _STANDARD_ROOTS and not package.endswith("_test"))


def _harness_or_callback(names: Sequence[str], index: int) -> Origin:
    """*names[index]* is the innermost harness frame; did it just call somebody's function?"""
    called = [name for name in names[:index] if not is_runtime(name)]
    if not called:
        return Origin.HARNESS
    if names[index].startswith(_REFLECTED_RUNNER):
        by_reflection = package_of(called[-1]) == "reflect"
        return Origin.TARGET if by_reflection and len(called) > 1 else Origin.HARNESS
    if names[index].startswith(_AGENT_RUNNER):
        return Origin.TARGET if package_of(called[0]) != "reflect" else Origin.HARNESS
    return Origin.TARGET if names[index] in _CALLBACK_RUNNERS else Origin.HARNESS


def _library_goroutine(names: Sequence[str]) -> Origin:
    """Rule 3: no frame of the harness or of a user."""
    if any(name.startswith("runtime.doInit") for name in names):
        return Origin.RUNTIME
    if not names[-1].startswith(_ROOTS) or any(name.startswith(_FINALIZERS) for name in names):
        return Origin.UNKNOWN
    library = [name for name in names if not is_runtime(name)]
    if not library or package_of(library[-1]) in _SHARED_GOROUTINES:
        return Origin.UNKNOWN
    return Origin.TARGET


def _plain(function: str) -> str:
    return function.removesuffix(".abi0").removesuffix(".abiinternal")
