"""Where package syscall calls the marks of gofuzzsec/agent/syscall.

Nearly everything goes through `RawSyscall6`. Around it go: vfork and clone (assembly that returns
twice), the calls that cannot fail (assembly of their own), calls made on every thread, and the
`fcntl` of internal/syscall/unix, which is the runtime's. Replacements stay on the anchor's line:
line numbers in the traces of the user's crashes are those of their own Go.

Not seen, because patching would not reach it or not be worth it: what the runtime does for itself
or on request (epoll, timers, signals, exit), cgo, assembly in other modules
(`golang.org/x/sys/unix`: SyscallNoError), and calls the vDSO answers without entering the kernel.
"""

from __future__ import annotations

from gofuzzsec.toolchain.patch import Patch

_LINUX = "syscall/syscall_linux.go"
_EXEC = "syscall/exec_linux.go"
_SIX = "trap, a1, a2, a3, a4, a5, a6"
_RAW = f"func RawSyscall6({_SIX} uintptr) (r1, r2 uintptr, err Errno)"
_NO_ERROR = "func rawSyscallNoError(trap, a1, a2, a3 uintptr) (r1, r2 uintptr)"
_NO_ERROR_TEXT = "TEXT ·rawSyscallNoError(SB),NOSPLIT,$0-48"
_ASSEMBLY = "·gofuzzsecSyscallNoError(SB)"
_FCNTL = "val, errno := fcntl(int32(fd), int32(cmd), int32(arg))"

# Until 1.22 the body came from the runtime under this name. The anchor takes in four lines of
# comment, which make room for the directives.
_OLD_ANCHOR = (
    "//\n// Errno is uintptr and thus compatible with the runtime/internal/syscall\n"
    f"// definition.\n\n{_RAW}"
)
_OLD_BODY = (
    f"//go:uintptrkeepalive\n//go:nosplit\n//go:norace\n//go:linkname RawSyscall6\n{_RAW} {{"
    " call := gofuzzsecEnter(trap, a1, a2, a3, a4);"
    f" r1, r2, err = gofuzzsecSyscall6({_SIX});"
    " gofuzzsecLeave(call, uintptr(err), a1, a2, a3, a4); return };"
    f" func gofuzzsecSyscall6({_SIX} uintptr) (r1, r2 uintptr, err Errno)"
)


def _all_threads(name: str, arguments: str, fourth: str) -> Patch:
    call = f"r1, r2, errno := runtime_doAllThreadsSyscall({arguments})"
    return Patch(
        name=name,
        file=_LINUX,
        anchor=call,
        replacement=f"call := gofuzzsecEnter(trap, a1, a2, a3, {fourth}); {call};"
        f" gofuzzsecLeave(call, errno, a1, a2, a3, {fourth})",
    )


SYSCALL_PATCHES: tuple[Patch, ...] = (
    Patch(
        name="syscall-push",
        file="runtime/internal/syscall/syscall_linux.go",
        anchor="//go:linkname syscall_RawSyscall6 syscall.RawSyscall6",
        replacement="//go:linkname syscall_RawSyscall6 syscall.gofuzzsecSyscall6",
        before=(1, 23),
    ),
    Patch(
        name="syscall-body",
        file=_LINUX,
        anchor=_OLD_ANCHOR,
        replacement=_OLD_BODY,
        before=(1, 23),
    ),
    Patch(
        name="syscall-enter",
        file=_LINUX,
        anchor="var errno uintptr\n",
        replacement="var errno uintptr; call := gofuzzsecEnter(trap, a1, a2, a3, a4)\n",
        since=(1, 23),
    ),
    Patch(
        name="syscall-leave",
        file=_LINUX,
        anchor="\terr = Errno(errno)\n",
        replacement="\terr = Errno(errno); gofuzzsecLeave(call, errno, a1, a2, a3, a4)\n",
        since=(1, 23),
    ),
    Patch(
        name="syscall-no-error",
        file=_LINUX,
        anchor=_NO_ERROR,
        replacement="",  # gofuzzsec/agent/glue/syscall/noerror.go
    ),
    *(
        Patch(
            name=f"syscall-no-error-{arch}",
            file=f"syscall/asm_linux_{arch}.s",
            anchor=_NO_ERROR_TEXT,
            replacement=_NO_ERROR_TEXT.replace("·rawSyscallNoError(SB)", _ASSEMBLY),
        )
        for arch in ("amd64", "arm64")
    ),
    _all_threads("syscall-all-threads", "trap, a1, a2, a3, 0, 0, 0", "0"),
    _all_threads("syscall-all-threads6", _SIX, "a4"),
    Patch(
        name="syscall-clone3",
        file=_EXEC,
        anchor="pid, err1 = rawVforkSyscall(_SYS_clone3, ",
        replacement="gofuzzsecForking(_SYS_clone3, uintptr(clone3.flags));"
        " pid, err1 = rawVforkSyscall(_SYS_clone3, ",
    ),
    Patch(
        name="syscall-clone",
        file=_EXEC,
        anchor="pid, err1 = rawVforkSyscall(SYS_CLONE, flags, 0",
        replacement="gofuzzsecForking(SYS_CLONE, flags);"
        " pid, err1 = rawVforkSyscall(SYS_CLONE, flags, 0",
    ),
    Patch(
        name="syscall-forked",
        file=_EXEC,
        anchor="\tif locked {\n",
        replacement="\tif locked { gofuzzsecForked(uintptr(err))\n",
    ),
    Patch(
        name="syscall-pidfd-clone",
        file=_EXEC,
        anchor="pid, errno = rawVforkSyscall(SYS_CLONE, flags, 0",
        replacement="gofuzzsecForking(SYS_CLONE, flags);"
        " pid, errno = rawVforkSyscall(SYS_CLONE, flags, 0",
        since=(1, 23),
    ),
    Patch(
        name="syscall-pidfd-cloned",
        file=_EXEC,
        anchor="pid, errno := doCheckClonePidfd(&pidfd)",
        replacement="pid, errno := doCheckClonePidfd(&pidfd); gofuzzsecForked(uintptr(errno))",
        since=(1, 23),
    ),
    Patch(
        name="syscall-fcntl",
        file="internal/syscall/unix/fcntl_unix.go",
        anchor=_FCNTL,
        replacement="call := syscall.GofuzzsecEnter(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd),"
        f" uintptr(arg)); {_FCNTL}; syscall.GofuzzsecLeave(call, val == -1, uintptr(fd),"
        " uintptr(cmd), uintptr(arg))",
    ),
)
"""For linux on amd64 and arm64; both architectures' files are there in every Go installation."""
