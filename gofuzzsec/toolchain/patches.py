"""What a boosted build changes in the standard library, beside the files it adds.

Kept as small as can be: every change is a call into files of ours, under gofuzzsec/agent.
"""

from __future__ import annotations

from gofuzzsec.toolchain.patch import Patch
from gofuzzsec.toolchain.patches_syscall import SYSCALL_PATCHES


def _trace_int(width: int, constant: bool) -> Patch:
    """A body for one of the compiler's hooks on integer comparisons.

    The hook may be called from code that must not grow its stack, hence nosplit; under -race it
    must not be instrumented, as its caller may be a function that is not.
    """
    name = f"libfuzzerTrace{'Const' if constant else ''}Cmp{width}"
    head = f"func {name}(arg0, arg1 uint{width * 8}, fakePC uint)"
    flag = "true" if constant else "false"
    call = f"agTraceInt({width}, uint64(arg0), uint64(arg1), fakePC, {flag})"
    return Patch(
        name=f"trace-{'const-' if constant else ''}cmp{width}",
        file="internal/fuzz/trace.go",
        anchor=f"{head} {{}}",
        replacement=f"//go:nosplit\n//go:norace\n{head} {{ if agCmpOn {{ {call} }} }}\n",
    )


def _trace_string(name: str, hook: str, fold: bool) -> Patch:
    head = f"func {hook}(arg0, arg1 string, fakePC uint)"
    call = f"agTraceStr(arg0, arg1, fakePC, {'true' if fold else 'false'})"
    return Patch(
        name=name,
        file="internal/fuzz/trace.go",
        anchor=f"{head} {{}}",
        replacement=f"//go:nosplit\n//go:norace\n{head} {{ if agCmpOn {{ {call} }} }}\n",
    )


def _mutable(name: str) -> Patch:
    call = f'c.checkFuzzFn("{name}")'
    return Patch(
        name=f"mute-{name.lower()}",
        file="testing/testing.go",
        anchor=call,
        replacement=f"{call}; if c.agentMuted() {{ return }}",
    )


CORE_PATCHES: tuple[Patch, ...] = (
    *(_trace_int(width, constant) for constant in (False, True) for width in (1, 2, 4, 8)),
    _trace_string("trace-string", "libfuzzerHookStrCmp", False),
    _trace_string("trace-fold", "libfuzzerHookEqualFold", True),
    Patch(
        name="worker-serve",
        file="internal/fuzz/worker.go",
        anchor="func (ws *workerServer) serve(ctx context.Context) error {",
        replacement="func (ws *workerServer) serve(ctx context.Context) error {"
        " if agWanted() { return agServe(ws) };",
    ),
    _mutable("Log"),
    _mutable("Logf"),
    Patch(
        name="fuzz-drive",
        file="testing/fuzz.go",
        anchor="RunFuzzWorker(func(e corpusEntry) error {",
        replacement="RunFuzzWorker(func(e corpusEntry) error {"
        " if handled := f.agentDrive(fn, types, e); handled { return nil };",
    ),
)
"""The comparison hooks, the worker's entry, the fuzz function's, and logs that nobody will read.

All but the hooks stay on one line: line numbers in the traces of the user's crashes are those of
their own Go.
"""

PATCHES: tuple[Patch, ...] = (*CORE_PATCHES, *SYSCALL_PATCHES)
"""All changes of a boosted build."""
