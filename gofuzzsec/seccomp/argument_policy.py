"""For which calls a rule on arguments is known to be robust, and what the rule is then.

A rule is robust ("safe") when the values stand in the text of the program or of a library that it
brings along, and do not follow from the kernel, the C library, the network or the terminal that it
happens to meet. Where a few values stand for each other (IPv4 and IPv6), seeing one lets through
all of them. `WHY_NOT` says of the others why they are left to ``--args all``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Values = tuple[int, ...]

PROT_WRITE, PROT_EXEC = 2, 4
NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h."""
NEWTIME = 0x80  # unshare only: a part of clone's exit signal


@dataclass(frozen=True, slots=True)
class Exact:
    """Just the values seen. Of each set of ``together`` one stands for all; ``always`` are let
    through besides. ``why`` the rule is robust."""

    why: str
    together: tuple[frozenset[Values], ...] = ()
    always: frozenset[Values] = frozenset()

    def widened(self, needed: frozenset[Values]) -> frozenset[Values]:
        """*needed*, with all that goes with it."""
        groups = (group for group in self.together if not group.isdisjoint(needed))
        return needed.union(self.always, *groups)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Anything but those of ``bits`` (of the first deciding argument) that were never seen."""

    why: str
    bits: int


@dataclass(frozen=True, slots=True)
class Protection:
    """No executable memory when none was seen, else none that is writable at the same time."""

    why: str


Policy = Exact | Unseen | Protection

_INTERNET = frozenset((family, kind) for family in (2, 10) for kind in (1, 2))
_SOCKET = Exact(
    "families and types stand in the program's text; which of IPv4 and IPv6, of datagrams and "
    "streams it takes is the network's choice, so these go together",
    (
        _INTERNET,
        frozenset({(2, 3), (10, 3)}),
        frozenset({(1, 1), (1, 2)}),
        frozenset({(16, 2), (16, 3)}),
    ),
)
_TERMINAL = (0x5401, 0x5413, 0x802C542A)  # TCGETS TIOCGWINSZ TCGETS2
_DESCRIPTOR = (0x541B, 0x5421, 0x5450, 0x5451)  # FIONREAD FIONBIO FIONCLEX FIOCLEX
_GO_SETS = frozenset(
    {
        *((1, option) for option in (2, 6, 9)),  # SO_REUSEADDR SO_BROADCAST SO_KEEPALIVE
        *((6, option) for option in (1, 4, 5, 6)),  # TCP_NODELAY and the times of keep-alive
        (41, 26),  # IPV6_V6ONLY
    }
)
"""What net/sockopt_linux.go and net/tcpsockopt*.go set without being asked."""
_OPTION = "levels and options stand in the program's text"
_PROT = Protection(
    "Go makes no code at run time, and who does (a just-in-time compiler) is seen to"
)
_NAMESPACE = "namespaces are asked for in the program's text; the other flags stay free"

SAFE: Mapping[str, Policy] = MappingProxyType(
    {
        "socket": _SOCKET,
        "socketpair": _SOCKET,
        "setsockopt": Exact(
            f"{_OPTION}; those that Go's net package sets by itself, by family and by how far a "
            "connection comes, go together",
            (_GO_SETS,),
        ),
        "getsockopt": Exact(
            f"{_OPTION}; SO_ERROR is asked for only when a connection takes its time",
            always=frozenset({(1, 4)}),
        ),
        "ioctl": Exact(
            "requests stand in the program's text; looking at a terminal and the modes of "
            "descriptors change nothing, and happen or not by where the output goes",
            always=frozenset((request,) for request in (*_TERMINAL, *_DESCRIPTOR)),
        ),
        "prctl": Exact("options stand in the program's text"),
        "clone": Unseen(_NAMESPACE, NAMESPACES),
        "unshare": Unseen(_NAMESPACE, NAMESPACES | NEWTIME),
        "setns": Exact("the type of namespace stands in the program's text"),
        "mmap": _PROT,
        "mprotect": _PROT,
        "pkey_mprotect": _PROT,
        "personality": Exact("personas stand in the program's text"),
        "ptrace": Exact("requests stand in the program's text"),
        "seccomp": Exact("operations stand in the program's text"),
        "keyctl": Exact("operations stand in the program's text"),
        "reboot": Exact("commands stand in the program's text"),
    }
)
"""Rules of ``--args safe``, by call."""

_GENERAL = "its values may change with the kernel, the libraries or the input"

WHY_NOT: Mapping[str, str] = MappingProxyType(
    {
        "bpf": "libraries ask for what the kernel can do by commands that change with its version",
        "io_uring_register": "libraries ask for what the kernel can do",
        "arch_prctl": "the C library's start changes with its version and the processor",
        "memfd_create": "flags are tried until the kernel knows them",
        "fcntl": "which commands come depends on the descriptors the program is given",
        "openat": "flags of later versions and other libraries differ, and hardly matter",
        "open": "flags of later versions and other libraries differ, and hardly matter",
        "futex": "operations are the C library's and the Go runtime's choice",
        "madvise": "the Go runtime's advice changes with the kernel",
        "membarrier": "commands are tried until the kernel knows them",
    }
)
"""Why a call has no rule at level safe, where there is more to say than `reason` says of all."""


def reason(name: str) -> str:
    """Why call *name* has no rule of its own at level safe."""
    return WHY_NOT.get(name, _GENERAL)
