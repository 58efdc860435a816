"""Stacks as they were seen with Go 1.21 to 1.26, and who made each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofuzzsec.syscalls.attribution import (
    StackFrame,
    attribute,
    is_of_module,
    is_runtime,
    package_of,
    without_harness,
)
from gofuzzsec.syscalls.model import Origin

STUB = "internal/runtime/syscall/linux.Syscall6"
SYS = f"{STUB} syscall.Syscall"
FUZZ = (
    "runtime.call32.abi0 runtime.reflectcall reflect.Value.call reflect.Value.Call "
    "testing.(*F).Fuzz.func1.1 testing.tRunner testing.(*F).Fuzz.func1.gowrap1 runtime.goexit.abi0"
)
SERVE = (
    "internal/fuzz.(*workerServer).serve internal/fuzz.RunFuzzWorker "
    "testing/internal/testdeps.TestDeps.RunFuzzWorker testing.(*F).Fuzz example.org/m.FuzzX "
    "testing.fRunner testing.runFuzzing.gowrap1 runtime.goexit.abi0"
)
USER = "example.org/m.FuzzX.func1"


def stack(text: str) -> list[StackFrame]:
    """Frames from words, innermost first; a word in angle brackets is C."""
    return [StackFrame(word.strip("<>"), go=not word.startswith("<")) for word in text.split()]


CASES = {
    "user's call": (f"{SYS} syscall.Mkdirat {USER} {FUZZ}", Origin.TARGET),
    "through the library": (f"{SYS} syscall.write os.(*File).Write {USER} {FUZZ}", Origin.TARGET),
    "Go 1.21's stub": (
        f"runtime/internal/syscall.Syscall6 syscall.RawSyscall6 {USER} {FUZZ}",
        Origin.TARGET,
    ),
    "a goroutine of the user's": (
        f"{SYS} os.Chdir {USER}.1 runtime.goexit.abi0",
        Origin.TARGET,
    ),
    "a fuzz function of the standard library": (
        f"{SYS} os.Open image/png.FuzzDecode.func2 {FUZZ}",
        Origin.TARGET,
    ),
    "a test of the standard library": (
        f"{SYS} os.Open os.TestOpen testing.tRunner testing.(*T).Run.gowrap1 runtime.goexit",
        Origin.TARGET,
    ),
    "a library's goroutine": (
        f"{SYS} internal/poll.(*FD).Accept net/http.(*Server).Serve runtime.goexit.abi0",
        Origin.TARGET,
    ),
    "reply": (f"{SYS} os.(*File).Write encoding/json.(*Encoder).Encode {SERVE}", Origin.HARNESS),
    "request": (
        f"{SYS} os.(*File).Read internal/fuzz.(*contextReader).Read.func1 runtime.goexit.abi0",
        Origin.HARNESS,
    ),
    "TempDir called by the target": (
        f"{SYS} os.MkdirTemp testing.(*common).TempDir {USER} {FUZZ}",
        Origin.HARNESS,
    ),
    "TempDir's clean-up": (
        f"{SYS} os.RemoveAll testing.removeAll testing.(*common).TempDir.func2 "
        "testing.(*common).Cleanup.func1 testing.(*common).runCleanup testing.tRunner.func2 "
        "testing.tRunner runtime.goexit",
        Origin.HARNESS,
    ),
    "the user's clean-up": (
        f"{SYS} syscall.Mkdir example.org/m.clean testing.(*common).Cleanup.func1 "
        "testing.(*common).runCleanup testing.tRunner.func2 testing.tRunner runtime.goexit",
        Origin.TARGET,
    ),
    "a clean-up that is the library's own function": (
        f"{SYS} os.(*File).Close testing.(*common).Cleanup.func1 testing.(*common).runCleanup "
        "testing.tRunner.func2 testing.tRunner runtime.goexit",
        Origin.TARGET,
    ),
    "a String method called by t.Log": (
        f"{SYS} example.org/m.T.String fmt.Sprintln testing.(*common).Log {USER} {FUZZ}",
        Origin.TARGET,
    ),
    "an example's pipe": (
        f"{SYS} os.Pipe testing.runExample testing.(*M).Run main.main runtime.main runtime.goexit",
        Origin.HARNESS,
    ),
    "a report": (
        f"{SYS} os.(*File).Write fmt.Fprintln testing.(*M).Run main.main runtime.main "
        "runtime.goexit.abi0",
        Origin.HARNESS,
    ),
    "the harness between reflection and itself": (
        f"{SYS} os.Getwd testing.(*F).Fuzz.func1.1 testing.tRunner runtime.goexit",
        Origin.HARNESS,
    ),
    "scheduler": (
        "runtime.futex.abi0 runtime.notesleep runtime.stopm runtime.mcall",
        Origin.RUNTIME,
    ),
    "system monitor": ("runtime.usleep.abi0 runtime.sysmon runtime.mstart1", Origin.RUNTIME),
    "heap growth under the user": (
        f"runtime.mmap runtime.sysMap runtime.(*mheap).grow runtime.mallocgc {USER} {FUZZ}",
        Origin.RUNTIME,
    ),
    "heap growth through the C library": (
        f"<__mmap> runtime/cgo(.text) runtime.mmap.func1 runtime.mmap runtime.mallocgc {USER}",
        Origin.RUNTIME,
    ),
    "poller": (f"{STUB} runtime.netpoll runtime.findRunnable runtime.schedule", Origin.RUNTIME),
    "waiting for a descriptor": (
        f"{STUB} runtime.netpoll runtime.gopark internal/poll.runtime_pollWait {USER} {FUZZ}",
        Origin.RUNTIME,
    ),
    "thread start": ("<clone3> <__pthread_create> <_cgo_try_pthread_create>", Origin.RUNTIME),
    "package initialisation": (
        f"{SYS} os.NewFile os.init runtime.doInit1 runtime.doInit runtime.main runtime.goexit",
        Origin.RUNTIME,
    ),
    "the user's initialisation": (
        f"{SYS} os.Open example.org/m.init.0 runtime.doInit1 runtime.main runtime.goexit",
        Origin.TARGET,
    ),
    "registering a descriptor": (
        f"{STUB} internal/poll.runtime_pollOpen os.newFile {USER} {FUZZ}",
        Origin.TARGET,
    ),
    "registering it with a runtime function between": (
        f"{STUB} runtime.netpollopen internal/poll.runtime_pollOpen os.newFile {USER} {FUZZ}",
        Origin.TARGET,
    ),
    "C called by Go": (
        f"<mknodat> <f> runtime.asmcgocall.abi0 runtime.cgocall example.org/m._Cfunc_f {USER}",
        Origin.TARGET,
    ),
    "C called by Go, stack cut at the switch": (
        "<mknodat> <_cgo_33e995d982c3_Cfunc_make> runtime.asmcgocall.abi0",
        Origin.TARGET,
    ),
    "C called by Go, no Go frame left": ("<mknodat> <_cgo_33e995d982c3_Cfunc_make>", Origin.TARGET),
    "C of nobody known": ("<getpid> <somewhere>", Origin.UNKNOWN),
    "C above a bare switch": ("<getpid> runtime.asmcgocall.abi0", Origin.UNKNOWN),
    "finalizer": (
        f"{SYS} syscall.Close os.(*file).close runtime.runFinalizers runtime.goexit",
        Origin.UNKNOWN,
    ),
    "a goroutine that the harness may have caused": (
        f"{SYS} os/signal.process os/signal.loop runtime.goexit",
        Origin.UNKNOWN,
    ),
    "a stack cut short": (f"{SYS} os.(*File).Write fmt.Fprintln", Origin.UNKNOWN),
    "only the stub": (STUB, Origin.UNKNOWN),
    "nothing": ("", Origin.UNKNOWN),
}


@pytest.mark.parametrize("name", CASES)
def test_origin(name: str) -> None:
    text, expected = CASES[name]
    assert attribute(stack(text)) is expected


def test_package_main_is_a_program_unless_it_is_a_test_binary() -> None:
    frames = stack(f"{SYS} os.Mkdir main.main runtime.main runtime.goexit")
    assert attribute(frames, test_binary=True) is Origin.HARNESS
    assert attribute(frames, test_binary=False) is Origin.TARGET


@pytest.mark.parametrize(
    ("function", "package"),
    [
        ("os.(*file).close", "os"),
        ("gopkg.in/yaml%2ev3.(*parser).peek", "gopkg.in/yaml.v3"),
        ("example.org/m.Map[go.shape.int,example.org/n.T].Get", "example.org/m"),
        ("runtime/cgo(.text)", "runtime/cgo"),
        ("encoding/json_test.FuzzX", "encoding/json_test"),
        ("__libc_start_main", ""),
    ],
)
def test_package_of(function: str, package: str) -> None:
    assert package_of(function) == package


def test_what_is_the_runtimes() -> None:
    assert is_runtime("runtime.futex.abi0")
    assert is_runtime("internal/runtime/maps.(*Map).Get")
    assert not is_runtime("runtime/pprof.StartCPUProfile")
    assert not is_runtime("runtimes.example/x.F")


@given(st.lists(st.builds(StackFrame, st.text(max_size=40), st.booleans()), max_size=20))
def test_any_stack_has_an_origin(frames: list[StackFrame]) -> None:
    assert attribute(frames) in Origin


@given(
    st.lists(
        st.sampled_from(
            [
                StackFrame(word, go=True)
                for text, _ in CASES.values()
                for word in text.split()
                if not word.startswith("<")
            ]
        ),
        max_size=12,
    )
)
def test_nothing_is_the_targets_without_a_frame_for_it(frames: list[StackFrame]) -> None:
    """Only runtime and harness frames never make a target's call."""
    kept = [f for f in frames if f.function.startswith(("runtime.", "testing.", "internal/fuzz"))]
    assert attribute(kept) is not Origin.TARGET


def test_the_outermost_frames_of_the_harness_are_left_out() -> None:
    own = ("os.Open f.go:1", "example.org/m.F m.go:2", "main.main /m/main.go:3")
    start = ("runtime.main proc.go:4", "runtime.goexit.abi0 asm.s:5")
    assert without_harness((*own, *start)) == own
    generated = ("testing.(*M).Run t.go:1", "main.main _testmain.go:49", *start)
    assert without_harness((*own[:2], *generated)) == own[:2]
    assert without_harness(generated) == generated
    assert without_harness(()) == ()


@pytest.mark.parametrize(
    ("frame", "own"),
    [
        ("example.org/m.F m.go:1", True),
        ("example.org/m/sub.(*T).F.func1 m.go:1", True),
        ("example.org/m_test.F m_test.go:1", True),
        ("example.org/many.F m.go:1", False),
        ("os.Open f.go:1", False),
        ("main.run /m/main.go:1", True),
        ("main.main _testmain.go:49", False),
    ],
)
def test_frames_of_the_users_module(frame: str, own: bool) -> None:
    assert is_of_module(frame, ["example.org/m"]) is own
