"""Uprobes: breakpoints by file and offset, shared by everyone who wants the same ones.

A probe traps in every process that maps the file, traced or not, for as long as it is there; so
nobody keeps one longer than needed. The cookie, which the BPF program reads, tells it all that it
has to know (recorder.c).

Removing a link makes the kernel wait for grace periods: measured here, 0.1 s for each link, in
parallel or not. So all probes of a Following are one link where the kernel can (Linux 6.6), and
links are removed by a thread. Before that, a probe is a perf event with a link of its own (Linux
5.15), and a process that had 300 of them takes its time to end. bcc knows neither, so the system
calls are made here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from gofuzzsec.errors import RecorderError

TRACE_UPROBE_MULTI = 48  # enum bpf_attach_type, as the next
_PERF_EVENT = 41
_LINK_CREATE = 28  # enum bpf_cmd
_PMU = Path("/sys/bus/event_source/devices/uprobe/type")
_NR_PERF_EVENT_OPEN, _NR_BPF = (298, 321) if platform.machine() == "x86_64" else (241, 280)
_CLOEXEC = 8
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_FILE_BIT, _ACTION_BIT = 48, 44  # where a cookie has them


class Action(IntEnum):
    """What recorder.c does at a probe."""

    START = 0
    CALL = 1
    RETURN = 2
    BORN = 3
    RECOVER = 4
    GOEXIT = 5
    C_CALL = 6
    C_RETURN = 7
    CALLBACK = 8
    CALLBACK_END = 9


@dataclass(frozen=True, slots=True)
class Point:
    """A place for a probe: ``offset`` in the file, ``action`` there."""

    offset: int
    action: Action


@dataclass(frozen=True, slots=True)
class Attachment:
    """A user's share of probes. ``file`` is the number of the file, never used for another."""

    file: int
    identity: tuple[int, int]
    points: frozenset[Point]

    def cookie(self, point: Point) -> int:
        """What the BPF program gets to see at *point*."""
        return self.file << _FILE_BIT | point.action << _ACTION_BIT | point.offset


@dataclass(slots=True)
class _Links:
    descriptors: list[int]
    users: int = 1


@dataclass(slots=True)
class _File:
    """``handle`` holds the inode, so that no other file gets its identity meanwhile."""

    number: int
    handle: int
    links: dict[frozenset[Point], _Links] = field(default_factory=dict)


class _PerfEventAttr(ctypes.Structure):
    """The first version of struct perf_event_attr that has config2."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("offset", ctypes.c_uint64),
    )


class _PerfLink(ctypes.Structure):
    """union bpf_attr of BPF_LINK_CREATE, for a perf event."""

    _fields_ = (
        ("program", ctypes.c_uint32),
        ("target", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cookie", ctypes.c_uint64),
    )


class _MultiLink(ctypes.Structure):
    """The same for many uprobes of one file."""

    _fields_ = (
        ("program", ctypes.c_uint32),
        ("target", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("offsets", ctypes.c_uint64),
        ("counters", ctypes.c_uint64),
        ("cookies", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("multi_flags", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
    )


class Uprobes:
    """All probes of one loaded program. Owns them; thread-safe."""

    def __init__(self, single: int, many: int | None) -> None:
        """Descriptors of the BPF program, loaded for perf events and, where the kernel has them,
        for links of many uprobes."""
        self._single = single
        self._many = many
        self._files: dict[tuple[int, int], _File] = {}
        self._next = 1
        self._lock = threading.Lock()
        self._removing: list[threading.Thread] = []

    def attach(self, path: Path, points: Iterable[Point]) -> Attachment:
        """Put a probe at each of *points* of the file *path*.

        Raises RecorderError, with none of them there, when the kernel refuses one or there is no
        such file.
        """
        wanted = frozenset(points)
        with self._lock:
            identity, known = self._file(path)
            attachment = Attachment(known.number, identity, wanted)
            links = known.links.get(wanted)
            if links is not None:
                links.users += 1
                return attachment
            made: list[int] = []
            try:
                self._link(path, known.handle, attachment, made)
            except BaseException:
                self._remove(made)
                self._forget_unused(identity)
                raise
            known.links[wanted] = _Links(made)
            return attachment

    def detach(self, attachment: Attachment) -> None:
        """Take back an `attach`. The probes of the last user are gone shortly after."""
        with self._lock:
            known = self._files[attachment.identity]
            links = known.links[attachment.points]
            links.users -= 1
            if links.users == 0:
                del known.links[attachment.points]
                self._remove(links.descriptors)
                self._forget_unused(attachment.identity)

    def close(self) -> None:
        """Remove every probe, and wait until they are gone."""
        with self._lock:
            for known in self._files.values():
                for links in known.links.values():
                    self._remove(links.descriptors)
                os.close(known.handle)
            self._files.clear()
            for thread in self._removing:
                thread.join()

    def _file(self, path: Path) -> tuple[tuple[int, int], _File]:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise RecorderError(
                f"expected the program {path}, found: {error.strerror}; build it again"
            ) from error
        status = os.fstat(handle)
        identity = (status.st_dev, status.st_ino)
        known = self._files.get(identity)
        if known is not None:
            os.close(handle)
            return identity, known
        known = self._files[identity] = _File(self._next, handle)
        self._next += 1
        return identity, known

    def _forget_unused(self, identity: tuple[int, int]) -> None:
        known = self._files[identity]
        if not known.links:
            os.close(known.handle)
            del self._files[identity]

    def _remove(self, descriptors: list[int]) -> None:
        self._removing = [thread for thread in self._removing if thread.is_alive()]
        thread = threading.Thread(target=_close, args=(descriptors,), daemon=True)
        thread.start()
        self._removing.append(thread)

    def _link(self, path: Path, handle: int, attachment: Attachment, made: list[int]) -> None:
        name = f"/proc/self/fd/{handle}".encode()
        ordered = sorted(attachment.points, key=lambda point: (point.offset, point.action))
        cookies = [attachment.cookie(point) for point in ordered]
        offsets = [point.offset for point in ordered]
        if self._many is not None:
            link = _link_many(self._many, name, offsets, cookies)
            if link >= 0:
                made.append(link)
                return
            if ctypes.get_errno() != errno.EINVAL:
                raise _refused(path, offsets[0])
            # What a kernel before 6.6 says, and any for a bad offset: the perf events will tell.
        kind = _event_type()
        for offset, cookie in zip(offsets, cookies, strict=True):
            event = _open_event(kind, path, name, offset)
            made.append(event)
            link = _create(_PerfLink(self._single, event, _PERF_EVENT, 0, cookie))
            if link < 0:
                raise _refused(path, offset)
            made.append(link)


def _link_many(program: int, name: bytes, offsets: list[int], cookies: list[int]) -> int:
    count = len(offsets)
    offset_array = (ctypes.c_uint64 * count)(*offsets)
    cookie_array = (ctypes.c_uint64 * count)(*cookies)
    text = ctypes.create_string_buffer(name)
    link = _MultiLink(
        program=program,
        attach_type=TRACE_UPROBE_MULTI,
        path=ctypes.addressof(text),
        offsets=ctypes.addressof(offset_array),
        cookies=ctypes.addressof(cookie_array),
        count=count,
    )
    return _create(link)


def _create(link: ctypes.Structure) -> int:
    """The descriptor of a new link, negative with errno set for none."""
    result: int = _syscall(_NR_BPF, _LINK_CREATE, ctypes.byref(link), ctypes.sizeof(link))
    return result


def _refused(path: Path, offset: int) -> RecorderError:
    return RecorderError(
        f"expected the kernel to run a BPF program at {path}+{offset:#x}, found: "
        f"{os.strerror(ctypes.get_errno())}; this needs Linux 5.15, and CAP_BPF with "
        "CAP_PERFMON or root"
    )


def _open_event(kind: int, path: Path, name: bytes, offset: int) -> int:
    text = ctypes.create_string_buffer(name)
    event = _PerfEventAttr(
        type=kind,
        size=ctypes.sizeof(_PerfEventAttr),
        path=ctypes.addressof(text),
        offset=offset,
    )
    result: int = _syscall(
        _NR_PERF_EVENT_OPEN, ctypes.byref(event), -1, 0, -1, ctypes.c_ulong(_CLOEXEC)
    )
    if result < 0:
        raise RecorderError(
            f"expected a probe at {path}+{offset:#x}, found: "
            f"{os.strerror(ctypes.get_errno())}; this needs CAP_SYS_ADMIN before Linux 6.6, and "
            "an offset of an instruction in a file system that programs can be run from"
        )
    return result


def _event_type() -> int:
    try:
        return int(_PMU.read_text())
    except (OSError, ValueError) as error:
        raise RecorderError(
            f"expected the kernel's uprobe events in {_PMU}, found: {error}; this needs a kernel "
            "with CONFIG_UPROBE_EVENTS, and /sys mounted"
        ) from error


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
