"""What a container runtime does between installing the seccomp filter and the program's start.

A runtime loads the filter into the process that becomes the container's program, so its own last
calls pass through the filter. How many those are depends on ``no_new_privileges``: with it the
filter is loaded as the very last thing; without it (Docker's default) loading is a privileged
operation, done before the runtime drops its capabilities and changes its user.

Sources: runc ``libcontainer/standard_init_linux.go`` (``linuxStandardInit.Init``),
``libcontainer/init_linux.go`` (``finalizeNamespace``) and ``libcontainer/utils/utils_unix.go``;
crun ``src/libcrun/container.c`` (``container_init``, ``container_init_setup``). Confirmed by
tracing ``run`` of runc 1.1.5 and crun 1.8.1 in both modes, root and non-root users.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WITH_NO_NEW_PRIVILEGES: Mapping[str, str] = MappingProxyType(
    {
        "close": "runc and crun close their pipes and the descriptor of the filter",
        "epoll_ctl": "runc's Go runtime registers the directory it reads",
        "execve": "starts the program",
        "fcntl": "runc marks descriptors close-on-exec; Go looks at a file's flags",
        "fstatfs": "runc checks that /proc is procfs before it trusts it",
        "futex": "runc's Go runtime wakes its threads",
        "getdents64": "runc lists /proc/self/fd to close what must not leak",
        "getpid": "runc fills in the container's state for its hooks",
        "gettid": "runc, where /proc/thread-self is missing",
        "newfstatat": "runc looks for /proc/thread-self",
        "openat": "runc opens the exec FIFO, which waits for `start`, and /proc/self/fd",
        "prlimit64": "Go restores the limit of open files before it execs",
        "write": "runc writes to the exec FIFO",
    }
)
"""Name to reason: needed however the container is configured."""

WITHOUT_NO_NEW_PRIVILEGES: Mapping[str, str] = MappingProxyType(
    {
        "capget": "runc asks which capability interface the kernel has",
        "capset": "both drop capabilities",
        "chdir": "runc enters the working directory",
        "faccessat2": "runc checks that the program can be executed",
        "fchown": "runc gives standard input and output to the container's user",
        "fstat": "runc looks at standard input and output",
        "getcwd": "runc checks that the working directory is inside the container",
        "getppid": "runc checks that its parent is still there",
        "prctl": "both empty the bounding set and keep capabilities over the change of user",
        "pselect6": "crun waits for `start`",
        "read": "runc reads the last capability; crun waits for `start`",
        "rt_sigaction": "crun resets signal handlers",
        "rt_sigprocmask": "crun unblocks signals",
        "setgid": "runc changes the group",
        "setgroups": "both set supplementary groups",
        "setresgid": "crun changes the group",
        "setresuid": "crun changes the user",
        "setuid": "runc changes the user",
    }
)
"""Name to reason: needed besides when the container runs without ``no_new_privileges``."""

OCI_RUNTIME_CALLS: Mapping[str, str] = MappingProxyType(
    {**WITHOUT_NO_NEW_PRIVILEGES, **WITH_NO_NEW_PRIVILEGES}
)
"""Everything above, the default: a profile must start under plain ``docker run`` too."""

OCI_VALUES: Mapping[str, frozenset[tuple[int, ...]]] = MappingProxyType(
    {
        # PR_SET_PDEATHSIG and PR_GET_PDEATHSIG (runc's system.ParentDeathSignal.Restore),
        # PR_GET_KEEPCAPS and PR_SET_KEEPCAPS, PR_CAPBSET_READ and PR_CAPBSET_DROP (both empty the
        # bounding set), PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT. Those of setting and dropping were
        # seen in traces of both.
        "prctl": frozenset((option,) for option in (1, 2, 7, 8, 23, 24, 38, 47)),
    }
)
"""Of calls above, every value of their deciding arguments (`arguments`) that a runtime passes. What
is not here has values that follow from the runtime's version: no rule may be made of it."""

KERNEL_CALLS: Mapping[str, str] = MappingProxyType(
    {
        "clock_gettime": "the vDSO's way out where the clock cannot be read from user space",
        "getrandom": "the same before Linux 6.11, whose vDSO has it",
        "restart_syscall": "the kernel resumes an interrupted sleep by it",
        "rt_sigreturn": "the return from every signal handler",
        "uprobe": "the kernel's entry into a traced function (amd64)",
        "uretprobe": "the kernel's return from a traced function (amd64)",
    }
)
"""Name to reason: calls that depend on the kernel a program runs on, and that a trace on another
kernel therefore need not show. A name that an architecture lacks is left out there."""
