"""Which arguments of a call decide what it does, and their values as evidence.

One table for every recorder, as `classes` is: the agent's Go tables and the kernel's C are written
from it (`c_source`, `go_source`: ``python -m gofuzzsec.syscalls.arguments amd64 >
gofuzzsec/agent/syscall/arguments_linux_amd64.go``, the same for arm64). Where a class says "a
socket of some internet kind", the values say exactly which, so that a profile can allow those
alone.

Deciding arguments are plain 32-bit numbers: never pointers, and never data (sizes, offsets,
descriptors, ids), of which there is no end. At most two a call, among its first four arguments, so
that the key under which the kernel counts holds them in one word. Bits that say nothing about what
is asked for (close-on-exec of a socket) are masked out. `clone3` and `openat2` have their flags
behind a pointer: no values.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from gofuzzsec.syscalls.argument_words import text_of
from gofuzzsec.syscalls.table import number

ALL = 0xFFFFFFFF

MOST_VALUES = 32
"""Different values of one call that a recorder tells apart; beyond, they are not told. Programs
seen pass fewer than ten; a fuzzed one may pass on whatever its input says."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """Argument ``arg`` (0 to 3), of which the bits of ``mask`` (of 32) count. ``label`` says what
    it is, and by which names `argument_words.text_of` knows its values."""

    arg: int
    mask: int
    label: str


def _of(calls: str, *arguments: tuple[int, str] | tuple[int, str, int]) -> dict[str, _Specs]:
    specs = tuple(Deciding(a[0], a[2] if len(a) == 3 else ALL, a[1]) for a in arguments)
    return dict.fromkeys(calls.split(), specs)


_Specs = tuple[Deciding, ...]
_SOCKET_TYPE = ALL & ~0x80800  # without SOCK_CLOEXEC and SOCK_NONBLOCK

DECIDING: Mapping[str, _Specs] = MappingProxyType(
    {
        # Where a process reaches out to, and what it may become.
        **_of("socket socketpair", (0, "domain"), (1, "type", _SOCKET_TYPE)),
        **_of("setsockopt getsockopt", (1, "level"), (2, "option")),
        **_of("ioctl", (1, "request of ioctl")),
        **_of("prctl", (0, "prctl option")),
        **_of("arch_prctl", (0, "arch_prctl code")),
        **_of("personality", (0, "persona")),
        **_of("clone", (0, "clone flags")),
        **_of("unshare", (0, "unshare flags")),
        **_of("setns", (1, "namespace")),
        **_of("ptrace", (0, "ptrace request")),
        **_of("bpf", (0, "bpf command")),
        **_of("seccomp", (0, "seccomp operation"), (1, "flags")),
        **_of("keyctl", (0, "keyctl operation")),
        **_of("reboot", (2, "command")),
        **_of("quotactl", (0, "command")),
        **_of("quotactl_fd fsconfig semctl", (1, "command")),
        **_of("shmctl msgctl", (1, "command")),
        **_of("syslog iopl modify_ldt", (0, "operation")),
        **_of("io_uring_register", (1, "operation")),
        **_of("io_uring_enter", (3, "flags")),
        **_of("landlock_add_rule", (1, "rule type")),
        **_of("landlock_create_ruleset", (2, "flags")),
        **_of("landlock_restrict_self", (1, "flags")),
        **_of("kcmp", (2, "type of kcmp")),
        **_of("membarrier", (0, "command"), (1, "flags")),
        **_of("userfaultfd memfd_secret pkey_alloc mlockall fanotify_init", (0, "flags")),
        # Memory.
        **_of("mmap", (2, "protection"), (3, "mapping")),
        **_of("mprotect pkey_mprotect", (2, "protection")),
        **_of("mremap", (3, "flags")),
        **_of("madvise", (2, "advice")),
        **_of("process_madvise", (3, "advice")),
        **_of("msync mlock2 shmat map_shadow_stack rseq", (2, "flags")),
        **_of("mbind", (2, "mode")),
        **_of("set_mempolicy", (0, "mode")),
        # Files.
        **_of("openat open_by_handle_at", (2, "open flags")),
        **_of("open mq_open", (1, "open flags")),
        **_of("fcntl", (1, "fcntl command")),
        **_of("flock", (1, "lock")),
        **_of("lseek", (2, "whence")),
        **_of("fadvise64", (3, "file advice")),
        **_of("fallocate", (1, "mode")),
        **_of("sync_file_range tee vmsplice", (3, "flags")),
        **_of("unlinkat open_tree fspick mount_setattr finit_module", (2, "flags")),
        **_of("newfstatat utimensat fchmodat2 mount", (3, "flags")),
        **_of("statx", (2, "flags"), (3, "mask")),
        **_of("faccessat", (2, "mode")),
        **_of("faccessat2", (2, "mode"), (3, "flags")),
        **_of("access", (1, "mode")),
        **_of("umount2 fsopen memfd_create delete_module swapon", (1, "flags")),
        **_of("fsmount", (1, "flags"), (2, "attributes")),
        **_of("inotify_add_watch", (2, "events")),
        **_of("dup3", (2, "descriptor flags")),
        **_of("pipe2 eventfd2", (1, "descriptor flags")),
        **_of("epoll_create1 inotify_init1", (0, "descriptor flags")),
        **_of("accept4 signalfd4", (3, "descriptor flags")),
        **_of("close_range pidfd_getfd getrandom", (2, "flags")),
        # Sockets in use.
        **_of("shutdown", (1, "how to shut down")),
        **_of("sendto recvfrom sendmmsg recvmmsg", (3, "flags")),
        **_of("sendmsg recvmsg", (2, "flags")),
        **_of("epoll_ctl", (1, "epoll operation")),
        # Processes, signals, time.
        **_of("kill tkill rt_sigqueueinfo pidfd_send_signal", (1, "signal")),
        **_of("tgkill rt_tgsigqueueinfo", (2, "signal")),
        **_of("rt_sigprocmask", (0, "how to mask")),
        **_of("wait4", (2, "flags")),
        **_of("waitid", (0, "id type"), (3, "flags")),
        **_of("pidfd_open", (1, "flags")),
        **_of("futex", (1, "futex operation")),
        **_of("prlimit64", (1, "resource")),
        **_of("getrlimit setrlimit", (0, "resource")),
        **_of("getrusage getpriority setpriority ioprio_get ioprio_set", (0, "whose")),
        **_of("sched_setscheduler", (1, "policy")),
        **_of("sched_get_priority_max sched_get_priority_min", (0, "policy")),
        **_of("clock_gettime clock_settime clock_getres clock_adjtime timer_create", (0, "clock")),
        **_of("clock_nanosleep timerfd_create", (0, "clock"), (1, "flags")),
        **_of("timer_settime timerfd_settime", (1, "flags")),
    }
)
"""By call: its deciding arguments, the first as evidence has them first."""

_WANTED = {call: tuple(sorted({each.arg for each in specs})) for call, specs in DECIDING.items()}


def decided_by(call: str) -> tuple[int, ...]:
    """Which arguments of *call* decide, from 0, rising; none where it has no values."""
    return _WANTED.get(call, ())


@lru_cache(maxsize=1 << 14)
def values_of(call: str, args: tuple[int, ...]) -> tuple[int, ...]:
    """The values that *call* shows with *args* (unsigned; missing ones are 0), () for none."""
    return tuple(
        (args[each.arg] if each.arg < len(args) else 0) & each.mask
        for each in DECIDING.get(call, ())
    )


def pack(values: Sequence[int]) -> int:
    """*values* (not none) as the kernel's half and the agent tell them: in one word."""
    return values[0] | (values[1] << 32 if len(values) > 1 else 0)


def unpack(call: str, word: int) -> tuple[int, ...]:
    """What `pack` was given for *call*, () for a call without values."""
    return tuple(
        (word >> 32 * i) & ALL & each.mask for i, each in enumerate(DECIDING.get(call, ()))
    )


def words_of(call: str, values: Sequence[int], arch: str) -> str:
    """*values* of *call* for people: "AF_INET SOCK_STREAM"; "not told" for none."""
    if not values:
        return "not told"
    told = zip(DECIDING.get(call, ()), values, strict=False)
    return " ".join(text_of(each.label, value, arch, values[0]) for each, value in told)


def _by_specs(arch: str) -> dict[_Specs, list[tuple[int, str]]]:
    """Calls of *arch* by what decides them, labels apart."""
    found: dict[_Specs, list[tuple[int, str]]] = {}
    for call, specs in DECIDING.items():
        trap = number(call, arch)
        if trap is not None:
            plain = tuple(Deciding(each.arg, each.mask, "") for each in specs)
            found.setdefault(plain, []).append((trap, call))
    return {specs: sorted(calls) for specs, calls in found.items()}


def c_source(arch: str) -> str:
    """`pack(values_of(…))` in C for the kernel's half: 1 and the word, or 0 for no values."""
    cases = []
    for specs, calls in _by_specs(arch).items():
        known = " ".join(f"case {trap}:" for trap, _ in calls)
        word = " | ".join(
            f"(a{each.arg} & {each.mask:#x}ull)" + (" << 32" if at else "")
            for at, each in enumerate(specs)
        )
        cases.append(f"\t{known}\n\t\t*word = {word};\n\t\treturn 1;")
    body = "\n".join(cases)
    return (
        "static __always_inline int values_of(u32 number, u64 a0, u64 a1, u64 a2, u64 a3, "
        f"u64 *word)\n{{\n\tswitch (number) {{\n{body}\n\t}}\n\treturn 0;\n}}"
    )


def go_source(arch: str) -> str:
    """The agent's Go file for *arch*, as gofmt would leave it."""
    groups = _by_specs(arch)
    entries = sorted(
        (trap, index, call)
        for index, calls in enumerate(groups.values(), 1)
        for trap, call in calls
    )
    width = max(len(str(trap)) for trap, _, _ in entries)
    assert len(groups) < 10  # gofmt would set the comments further right
    lines = [
        f"\t{trap}: {' ' * (width - len(str(trap)))}{index}, // {call}"
        for trap, index, call in entries
    ]
    cases = []
    for index, specs in enumerate(groups, 1):
        parts = [f"a{each.arg + 1}&{each.mask:#x}" for each in specs]
        word = " | ".join(f"uint64({part})" for part in parts)
        text = f"{word}<<32" if len(parts) > 1 else word.replace("&", " & ")
        cases.append(f"\tcase {index}:\n\t\treturn {text}")
    return _GO.format(arch=arch, entries="\n".join(lines), cases="\n".join(cases))


_GO = """// Code generated by gofuzzsec/syscalls/arguments.py; DO NOT EDIT.

//go:build linux && {arch}

package syscall

// gofuzzsecDeciding says by call number which of its arguments decide, 0 for none. Never written.
var gofuzzsecDeciding = [gofuzzsecCalls]uint8{{
{entries}
}}

// gofuzzsecValues packs the values of the deciding arguments of such a call into a word.
//
//go:nosplit
//go:norace
func gofuzzsecValues(deciding uint8, a1, a2, a3, a4 uintptr) uint64 {{
	switch deciding {{
{cases}
	}}
	return 0
}}
"""


if __name__ == "__main__":
    sys.stdout.write(go_source(sys.argv[1]))
