"""Calls that a container should not make, why, and what to do where one is allowed.

The groups follow what Docker's and containerd's default profiles withhold and why
(docs.docker.com, "Seccomp security profiles for Docker"), and what has led out of containers since.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from gofuzzsec.seccomp.model import Op
from gofuzzsec.seccomp.regions import Test
from gofuzzsec.syscalls.table import words


class Severity(IntEnum):
    """How bad a finding is: ERROR makes `profile lint` fail."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Danger:
    """Calls that are dangerous when let through; with ``uses``, only when let through for arguments
    that meet all tests of one of these. ``check`` is the finding's name."""

    check: str
    severity: Severity
    calls: frozenset[str]
    reason: str
    remedy: str
    uses: tuple[tuple[Test, ...], ...] = ()


_UINT = 0xFFFFFFFF  # what the kernel looks at of an argument that is an int
_NEWUSER = 0x10000000  # CLONE_NEWUSER
_AF_INET, _AF_INET6, _AF_PACKET, _AF_ALG, _AF_VSOCK = 2, 10, 17, 38, 40
_SOCK_RAW, _SOCK_TYPE = 3, 0xF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_PERSONALITY_ASKS = 0xFFFFFFFF  # changes nothing
_ADDR_NO_RANDOMIZE, _READ_IMPLIES_EXEC = 0x0040000, 0x0400000


def _is(arg: int, value: int, mask: int = _UINT) -> Test:
    return Test(arg, mask, Op.EQ, value)


DANGERS = (
    Danger(
        "trace",
        Severity.ERROR,
        words("ptrace process_vm_readv process_vm_writev pidfd_getfd"),
        "it reads and changes other processes of the container (and ptrace, before Linux 4.8, "
        "leaves this filter)",
        "remove it; debuggers belong into a profile of their own",
    ),
    Danger(
        "bpf",
        Severity.ERROR,
        words("bpf"),
        "it loads programs into the kernel; its verifier has let attackers in many times",
        "remove it",
    ),
    Danger(
        "mount",
        Severity.ERROR,
        words(
            "mount umount umount2 move_mount fsopen fsmount fsconfig fspick open_tree "
            "open_tree_attr mount_setattr pivot_root"
        ),
        "it changes what is mounted where, which is how a container's file system is left",
        "remove it; have the runtime mount what the program needs",
    ),
    Danger(
        "keyring",
        Severity.ERROR,
        words("keyctl add_key request_key"),
        "kernel keyrings are not kept apart by container",
        "remove it",
    ),
    Danger(
        "userfaultfd",
        Severity.ERROR,
        words("userfaultfd"),
        "it halts the kernel at a chosen access, which makes races in it easy to win",
        "remove it",
    ),
    Danger(
        "io_uring",
        Severity.ERROR,
        words("io_uring_setup io_uring_enter io_uring_register"),
        "what a ring does passes no filter: file and network calls that the profile refuses are "
        "made all the same",
        "remove it; libraries fall back to ordinary calls",
    ),
    Danger(
        "user-namespace",
        Severity.ERROR,
        words("clone unshare"),
        "it makes user namespaces (CLONE_NEWUSER), in which anybody has all capabilities and "
        "reaches code of the kernel that only root should",
        "allow it only with argument 0 masked by 0x7e020000 equal to 0 (--args safe does)",
        ((_is(0, _NEWUSER, _NEWUSER),),),
    ),
    Danger(
        "user-namespace",
        Severity.ERROR,
        words("clone3"),
        "it makes user namespaces, and has its flags in memory, where no filter can look",
        "refuse it with errno 38 (ENOSYS), on which libraries fall back to clone",
    ),
    Danger(
        "enter-namespace",
        Severity.ERROR,
        words("setns"),
        "it enters namespaces of other processes, those of the host among them",
        "remove it",
    ),
    Danger(
        "kexec",
        Severity.ERROR,
        words("kexec_load kexec_file_load"),
        "it boots another kernel",
        "remove it",
    ),
    Danger(
        "module",
        Severity.ERROR,
        words("init_module finit_module delete_module create_module"),
        "it changes the code of the kernel",
        "remove it",
    ),
    Danger(
        "perf",
        Severity.ERROR,
        words("perf_event_open"),
        "it measures other processes and the kernel; its code has let attackers in many times",
        "remove it; profilers belong into a profile of their own",
    ),
    Danger(
        "handle",
        Severity.ERROR,
        words("open_by_handle_at"),
        "it opens files of the host by number, past every path and mount",
        "remove it",
    ),
    Danger(
        "port",
        Severity.ERROR,
        words("iopl ioperm"),
        "it gives the program the machine's input and output ports",
        "remove it",
    ),
    Danger(
        "host",
        Severity.WARNING,
        words(
            "reboot swapon swapoff acct syslog vhangup settimeofday clock_settime stime "
            "sethostname setdomainname quotactl quotactl_fd nfsservctl lookup_dcookie uselib "
            "_sysctl"
        ),
        "it manages the host, or is a remnant that nothing should use",
        "remove it",
    ),
    Danger(
        "personality",
        Severity.WARNING,
        words("personality"),
        "it switches off protections of memory (ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC)",
        "allow it only for the values 0, 8, 0x20000, 0x20008 and 0xffffffff",
        tuple(
            (_is(0, bit, bit), Test(0, _UINT, Op.NE, _PERSONALITY_ASKS))
            for bit in (_ADDR_NO_RANDOMIZE, _READ_IMPLIES_EXEC)
        ),
    ),
    Danger(
        "raw-socket",
        Severity.WARNING,
        words("socket"),
        "it makes raw sockets, which forge and read other programs' packets",
        "allow it only for the families (argument 0) and types (argument 1) that the program uses",
        (
            (_is(0, _AF_PACKET),),
            (_is(0, _AF_INET), _is(1, _SOCK_RAW, _SOCK_TYPE)),
            (_is(0, _AF_INET6), _is(1, _SOCK_RAW, _SOCK_TYPE)),
        ),
    ),
    Danger(
        "rare-socket",
        Severity.WARNING,
        words("socket"),
        "it makes sockets to the kernel's ciphers (AF_ALG) or to the hypervisor (AF_VSOCK)",
        "allow it only for the families (argument 0) that the program uses",
        ((_is(0, _AF_ALG),), (_is(0, _AF_VSOCK),)),
    ),
    Danger(
        "terminal",
        Severity.WARNING,
        words("ioctl"),
        "it types into the terminal it was started from (TIOCSTI, TIOCLINUX)",
        "allow it only for the requests (argument 1) that the program uses",
        ((_is(1, _TIOCSTI),), (_is(1, _TIOCLINUX),)),
    ),
    Danger(
        "filter",
        Severity.NOTE,
        words("seccomp"),
        "it lets a process filter its children, with answers of its own to their calls",
        "remove it unless the program is a sandbox itself",
    ),
)
"""What `lint` looks for, in the order it is told."""

CAPABILITIES = frozenset(
    f"CAP_{name}"
    for name in words(
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP "
        "LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER "
        "SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
        "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
        "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF "
        "CHECKPOINT_RESTORE"
    )
)
"""capabilities(7), as of Linux 6.18."""

DOCKER_ARCHES = words(
    "x86 amd64 arm arm64 loongarch64 mips64 mips64n32 mipsel64 mips3l64n32 mipsel ppc ppc64 "
    "ppc64le riscv64 s390 s390x x32"
)
"""The words of ``arches`` that Docker's daemon can have for itself (moby/profiles, goToNative), and
``x32``, which its own profile uses without ever meeting it."""
