"""The attacks. Each is one system call, prepared and harmless.

Harmless even to root without any profile: arguments are such that the kernel looks at the caller's
rights first and then finds nothing to do (a file system type that does not exist, a module of no
bytes, a magic number that is wrong), or what changes is the state of a process that is killed right
after (a namespace of its own, a personality, its own pseudo-terminal).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Thing(StrEnum):
    """An argument that is only known when the attack is carried out (see `perform`)."""

    VICTIM = "victim"  # process id of another process of ours
    NAMESPACE = "namespace"  # descriptor of our own UTS namespace
    TERMINAL = "terminal"  # descriptor of a pseudo-terminal of our own
    PAGE = "page"  # address of a page of our own
    VECTOR = "vector"  # address of an iovec of one byte
    NOWHERE = "nowhere"  # address of an iovec of one byte at an address without memory
    SHELL = "shell"  # address of an argv: a shell that does nothing


Argument = int | bytes | Thing


@dataclass(frozen=True, slots=True)
class Attack:
    """``call`` with ``args``; bytes are passed by address. ``does`` is what it would do, in words
    that follow "it would". ``gate`` is "x32" or "i386" for a call by that gate, made with that
    gate's number. ``wanted`` is False for what a profile often cannot forbid: it is shown, and does
    not count."""

    name: str
    does: str
    call: str
    args: tuple[Argument, ...] = ()
    gate: str = ""
    wanted: bool = True


_NEWUSER, _NEWNS, _SIGCHLD = 0x10000000, 0x00020000, 17
_NO_FS = b"gofuzzsec-no-such\0"
_HANDLE = (8).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(8)
_CLONE3 = _NEWUSER.to_bytes(8, "little") + bytes(24) + _SIGCHLD.to_bytes(8, "little") + bytes(24)
_PERF = (1).to_bytes(4, "little") + (112).to_bytes(4, "little") + bytes(104)  # a software counter

ATTACKS = (
    Attack("mount", "mount a file system", "mount", (b"none\0", b"/\0", _NO_FS, 0, 0)),
    Attack("fsopen", "mount by the newer calls", "fsopen", (_NO_FS, 0)),
    Attack("pivot_root", "exchange the root directory", "pivot_root", (b"/\0", b"/\0")),
    Attack("chroot", "change the root directory", "chroot", (b"/\0",)),
    Attack("ptrace", "take control of another process", "ptrace", (0x4206, Thing.VICTIM, 0, 0)),
    Attack(
        "process_vm_writev",
        "write another process's memory",
        "process_vm_writev",
        (Thing.VICTIM, Thing.VECTOR, 1, Thing.NOWHERE, 1, 0),
    ),
    Attack("bpf", "load a BPF program", "bpf", (5, bytes(64), 64)),
    Attack("unshare-user", "enter a user namespace and be root there", "unshare", (_NEWUSER,)),
    Attack("unshare-mount", "enter a mount namespace", "unshare", (_NEWNS,)),
    Attack(
        "clone-user", "start a process in a new user namespace", "clone", (_NEWUSER | _SIGCHLD,)
    ),
    Attack("clone3-user", "do the same by clone3", "clone3", (_CLONE3, 64)),
    Attack("setns", "join another namespace", "setns", (Thing.NAMESPACE, 0)),
    Attack("raw-socket", "send forged packets", "socket", (2, 3, 1)),
    Attack("packet-socket", "read all the network's frames", "socket", (17, 3, 0)),
    Attack("alg-socket", "reach the kernel's cryptography", "socket", (38, 5, 0)),
    Attack("vsock-socket", "talk to the hypervisor", "socket", (40, 1, 0)),
    Attack("kexec_load", "boot another kernel", "kexec_load", (0, 0, 0, 0x1000)),
    Attack("init_module", "load a kernel module", "init_module", (0, 0, b"\0")),
    Attack("finit_module", "load a kernel module from a file", "finit_module", (-1, b"\0", 0)),
    Attack("delete_module", "unload a kernel module", "delete_module", (_NO_FS, 0)),
    Attack(
        "keyctl", "use the kernel's keys, which no container has of its own", "keyctl", (0, -3, 0)
    ),
    Attack("add_key", "add a key to them", "add_key", (_NO_FS, b"d\0", 0, 0, -3)),
    Attack("userfaultfd", "stop the kernel in the middle of a copy", "userfaultfd", (0,)),
    Attack("io_uring", "make calls that no filter sees", "io_uring_setup", (1, bytes(120))),
    Attack("perf_event", "measure other programs", "perf_event_open", (_PERF, 0, -1, -1, 0)),
    Attack(
        "open_by_handle",
        "open files outside of the container",
        "open_by_handle_at",
        (-1, _HANDLE, 0),
    ),
    Attack("tiocsti", "type into somebody's terminal", "ioctl", (Thing.TERMINAL, 0x5412, b"x")),
    Attack("personality", "switch address randomisation off", "personality", (0x0040000,)),
    Attack("reboot", "restart the machine", "reboot", (0, 0, 0, 0)),
    Attack("swapon", "swap to a file of its choice", "swapon", (b"/gofuzzsec-no-such\0", 0)),
    Attack("settimeofday", "set the clock", "settimeofday", (0, 0)),
    Attack("sethostname", "rename the machine", "sethostname", (b"x" * 1000, 1000)),
    Attack("iopl", "reach the machine's ports", "iopl", (3,)),
    Attack("ioperm", "reach one of them", "ioperm", (0x378, 1, 1)),
    Attack("x32-gate", "make calls by the x32 gate", "getpid", gate="x32"),
    Attack("i386-gate", "make calls by the 32-bit gate", "getpid", gate="i386"),
    Attack(
        "write-execute",
        "run code that it has just written",
        "mprotect",
        (Thing.PAGE, 4096, 7),
        wanted=False,
    ),
    Attack("shell", "start a shell", "execve", (b"/bin/sh\0", Thing.SHELL, 0), wanted=False),
)
