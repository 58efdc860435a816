"""Who this process is, what it may trace, and giving up everything that only root needs.

Under sudo the recorder alone keeps privilege. Python cannot start half of a process's work as
another user, but Linux can keep two capabilities while the rest goes: after `drop_to_invoker` this
process *is* the user who called sudo and holds CAP_BPF and CAP_PERFMON in its permitted and
effective sets. Neither set survives execve(2) of an ordinary program (capabilities(7): nothing is
inheritable or ambient), so builds, workers, tests and captured commands have no privilege at all,
without a line of code where they are started.

Alternatives that were rejected: a second, privileged process for the recorder would need a
protocol and a life of its own; seteuid(2) around every start of a child leaves the child a saved
user id of 0, which takes it back to root.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from gofuzzsec.errors import PrivilegeError


class Capability(IntEnum):
    """Those that recording may need, by their bit (linux/capability.h)."""

    SYS_ADMIN = 21
    PERFMON = 38
    BPF = 39


@dataclass(frozen=True, slots=True)
class Invoker:
    """The user who called sudo. ``name`` is "" and ``home`` "/" without a password entry."""

    uid: int
    gid: int
    name: str
    home: str
    shell: str
    groups: tuple[int, ...]


_PR_SET_KEEPCAPS = 8
_PR_SET_DUMPABLE = 4
_CAPABILITY_VERSION_3 = 0x20080522
_ID = re.compile(r"[0-9]{1,10}")
_NOBODY = 0xFFFFFFFF  # (uid_t) -1, which setresuid(2) takes for "leave it as it is"
_libc = ctypes.CDLL(None, use_errno=True)


def tracing_capabilities() -> frozenset[Capability]:
    """What loading and attaching BPF programs takes on this kernel.

    CAP_BPF and CAP_PERFMON exist from Linux 5.8 on, but uprobes could only be had from perf, which
    asks for CAP_SYS_ADMIN, before 6.6 brought links of their own.
    """
    if kernel_version() < (6, 6):
        return frozenset({Capability.SYS_ADMIN})
    return frozenset({Capability.BPF, Capability.PERFMON})


def can_trace() -> str | None:
    """None when this thread has what BPF takes, else what is missing and what to do, one line.

    Says nothing of what else may forbid BPF: lockdown, a seccomp filter, a kernel without it.
    """
    held = _held("CapEff")
    missing = tracing_capabilities() - held
    if missing and Capability.SYS_ADMIN not in held:
        names = " and ".join(sorted(f"CAP_{capability.name}" for capability in missing))
        if os.geteuid() == 0:
            return (
                f"expected root to have {names}, found that this container or service took them "
                "away; start it with those (docker run --cap-add BPF --cap-add PERFMON)"
            )
        return (
            f"expected root or {names}, found user {os.geteuid()} without; start gofuzzsec with "
            "sudo, under which only the recorder keeps privilege"
        )
    if not _in_first_user_namespace():
        return (
            "expected the machine's own user namespace, found another one, where root may not use "
            "BPF (a rootless container, unshare -U); start gofuzzsec outside of it"
        )
    return None


def invoker() -> Invoker | None:
    """The user who called sudo, None when this is not root or nobody did.

    Root calling sudo is nobody. Raises PrivilegeError when sudo's variables are not ids.
    """
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if os.geteuid() != 0 or uid is None or uid == "0":
        return None
    if not all(_ID.fullmatch(text or "") and int(text or "") < _NOBODY for text in (uid, gid)):
        raise PrivilegeError(
            f"expected SUDO_UID and SUDO_GID to be the ids of who called sudo, found {uid!r} and "
            f"{gid!r}; unset both to run as root, or call gofuzzsec through sudo"
        )
    number, group = int(uid), int(gid or "")
    try:
        entry = pwd.getpwuid(number)
        groups = tuple(os.getgrouplist(entry.pw_name, group))
    except KeyError:
        return Invoker(number, group, "", "/", "/bin/sh", (group,))
    return Invoker(number, group, entry.pw_name, entry.pw_dir, entry.pw_shell, groups)


def drop_to_invoker(keep: Collection[Capability] | None = None) -> Invoker | None:
    """Become the user who called sudo, for good, keeping only *keep* for this thread.

    *keep* is `tracing_capabilities` by default; () keeps nothing. Threads started from now on have
    what this one has, so call it before any is; those that exist keep no capability. Environment
    variables become that user's. Without sudo, root stays root, and a user who was given these
    capabilities (setpriv, systemd's AmbientCapabilities) keeps them, but does not pass them on.
    Returns who this process now is, None when that did not change.

    Raises PrivilegeError when the kernel refuses, or when a look at the result shows more than was
    to be kept; the process is then in no state to go on.
    """
    user = invoker()
    kept = tracing_capabilities() if keep is None else frozenset(keep)
    try:
        if user is not None:
            _become(user, kept)
        elif os.geteuid() != 0:
            _keep_from_children()
    except OSError as error:
        raise PrivilegeError(
            f"expected to give up root's privileges, found: {error.strerror}; "
            "start gofuzzsec as root without sudo, or as an ordinary user"
        ) from error
    if user is not None:
        _verify(user, kept)
        _take_environment(user)
        _check_python()
    return user


def require_writable(folder: Path) -> None:
    """Check that this user may write in *folder*, or make it where it is missing.

    Raises PrivilegeError that says whose it is: earlier runs as root leave folders behind that a
    user under sudo cannot write.
    """
    place = folder
    while not _is_there(place) and place != place.parent:
        place = place.parent
    entries = [place]
    if place == folder and os.access(place, os.R_OK | os.X_OK, effective_ids=True):
        entries += [path for path in place.iterdir() if not path.is_symlink()]
    for path in entries:
        wanted = os.W_OK | os.X_OK if path.is_dir() else os.W_OK
        if not os.access(path, wanted, effective_ids=True):
            me, owner = _name(os.geteuid()), _name(path.stat().st_uid)
            advice = f"make {folder} for that user, or choose another"
            if place == folder:
                advice = f"remove it, or: sudo chown -R {me} {folder}"
            raise PrivilegeError(
                f"expected user {me} to be allowed to write {path}, found that it belongs to "
                f"{owner}; {advice}"
            )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # of a folder above it
        return False


def kernel_version() -> tuple[int, int]:
    """(6, 1) for Linux 6.1.0-56; (0, 0) when the kernel does not say."""
    match = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _become(user: Invoker, keep: Collection[Capability]) -> None:
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)  # the kernel clears this again at an execve
    os.setresuid(user.uid, user.uid, user.uid)
    _hold(_held("CapPrm") & frozenset(keep))  # root in a container may lack them


def _hold(keep: Collection[Capability]) -> None:
    """Permit *keep* and make it effective; programs started from here inherit nothing."""
    bits = _bits(keep)
    _capset(bits, bits, 0)
    # A process whose ids changed belongs to root in /proc; make it the user's again. Who lacks
    # our capabilities can neither attach to it nor read its memory all the same.
    _call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)


def _keep_from_children() -> None:
    """Leave this thread's own capabilities, but do not pass those for recording on."""
    fields = _fields(Path("/proc/thread-self/status"))
    permitted, effective, inheritable = (
        int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapInh")
    )
    if ours := inheritable & _bits(Capability):
        _capset(permitted, effective, inheritable & ~ours)


def _bits(capabilities: Iterable[Capability]) -> int:
    return sum(1 << capability for capability in capabilities)


def _capset(permitted: int, effective: int, inheritable: int) -> None:
    """capset(2) of this thread. What is not inheritable cannot be ambient, which the kernel sees
    to, so that execve has nothing to hand on."""
    low = [value & 0xFFFFFFFF for value in (effective, permitted, inheritable)]
    high = [value >> 32 for value in (effective, permitted, inheritable)]
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)(*low, *high))


def _call(name: str, *arguments: object) -> None:
    """A function of libc that returns 0 or sets errno."""
    if _libc[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _verify(user: Invoker, keep: Collection[Capability]) -> None:
    """Look at what the kernel says of every thread, and try to become root again."""
    allowed = _bits(keep)
    ids = {"Uid": [str(user.uid)] * 4, "Gid": [str(user.gid)] * 4}
    for status in Path("/proc/self/task").glob("*/status"):
        fields = _fields(status)
        for name, wanted in ids.items():
            if fields[name].split() != wanted:
                raise _unfinished(f"{name} {fields[name]}")
        for name, most in ("CapInh", 0), ("CapPrm", allowed), ("CapEff", allowed), ("CapAmb", 0):
            if int(fields[name], 16) & ~most:
                raise _unfinished(f"{name} {fields[name]}")
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise _unfinished("that it can become root again")


def _unfinished(found: str) -> PrivilegeError:
    return PrivilegeError(
        f"expected nothing of root's privileges to be left, found {found}; start gofuzzsec as "
        "root without sudo, or as an ordinary user"
    )


def _check_python() -> None:
    """Modules are read when they are first needed: as the user, who may not see root's Python."""
    for path in (os.__file__, __file__):
        if not os.access(path, os.R_OK, effective_ids=True):
            raise PrivilegeError(
                f"expected user {_name(os.geteuid())} to be allowed to read {path}, which "
                "gofuzzsec consists of, found that only root is; install it in a folder of that "
                "user, or run it from a root shell without SUDO_UID"
            )


def _take_environment(user: Invoker) -> None:
    """Give this process, and so its children, the environment of *user* instead of root's."""
    roots_home = _home(0)
    for name in [name for name in os.environ if name.startswith("SUDO_")]:
        del os.environ[name]
    for name, value in list(os.environ.items()):
        if name.startswith("XDG_") and Path(value).is_relative_to(roots_home):
            del os.environ[name]
    os.environ.pop("MAIL", None)
    os.environ |= {"HOME": user.home, "SHELL": user.shell}
    for name in ("USER", "LOGNAME"):
        os.environ[name] = user.name or str(user.uid)
    if "XDG_RUNTIME_DIR" in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = f"/run/user/{user.uid}"


def _home(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/root"


def _held(kind: str) -> frozenset[Capability]:
    bits = int(_fields(Path("/proc/thread-self/status"))[kind], 16)
    return frozenset(capability for capability in Capability if bits >> capability & 1)


def _fields(status: Path) -> dict[str, str]:
    lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _in_first_user_namespace() -> bool:
    """Its map is the identity over all ids; one that another namespace made says what it got."""
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
