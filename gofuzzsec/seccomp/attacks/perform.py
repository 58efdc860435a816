"""Carry out attacks, each in a process of its own: a script that reads a plan and writes results.

It needs nothing but the standard library. A plan is a JSON object on standard input: ``filter`` (a
file of BPF instructions, "" for none), ``flags`` and ``attacks``, each with ``number`` (of the
call), ``gate`` and ``args`` (a number, ``{"bytes": hex}`` or ``{"thing": name}``). The result is a
list on standard output: ``{"returned": value, "errno": number}``, ``{"signal": number}``,
``{"exited": status}`` or ``{"silent": true}``.

A process under a strict profile can neither write nor exit. So it leaves its result in shared
memory and waits to be killed; nothing lies between the filter and the attack but the attack.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import mmap
import os
import pty
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

_PATIENCE = 5.0  # seconds
_DONE = struct.Struct("<qqq")  # done, value, errno
_X32 = 0x40000000
_I386_GETPID = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20; int 0x80; ret
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Stage:
    """What attacks are aimed at; made once, before any filter."""

    def __init__(self) -> None:
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)
        everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self._code = mmap.mmap(-1, mmap.PAGESIZE, prot=everything)
        self._code.write(_I386_GETPID)
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._byte = ctypes.create_string_buffer(1)
        self._vector = (ctypes.c_uint64 * 2)(ctypes.addressof(self._byte), 1)
        self._nowhere = (ctypes.c_uint64 * 2)(8, 1)
        words = (ctypes.c_char_p * 4)(b"sh", b"-c", b":", None)
        self._shell = words
        self.victim = os.fork()
        if not self.victim:
            signal.pause()
            os._exit(0)
        self._things = {
            "victim": self.victim,
            "namespace": os.open("/proc/self/ns/uts", os.O_RDONLY),
            "terminal": pty.openpty()[1],
            "page": _address(self._page),
            "vector": ctypes.addressof(self._vector),
            "nowhere": ctypes.addressof(self._nowhere),
            "shell": ctypes.addressof(self._shell),
        }

    def arguments(self, given: list[Any], kept: list[Any]) -> list[ctypes.c_long]:
        """*given* as registers; buffers are added to *kept*, which must outlive the call."""
        made = []
        for each in given:
            if isinstance(each, int):
                made.append(ctypes.c_long(each))
            elif "thing" in each:
                made.append(ctypes.c_long(self._things[each["thing"]]))
            else:
                data = bytes.fromhex(each["bytes"])
                kept.append(ctypes.create_string_buffer(data, len(data)))
                made.append(ctypes.c_long(ctypes.addressof(kept[-1])))
        return made

    def i386(self) -> Any:
        """A function that makes a call by the 32-bit gate."""
        return ctypes.CFUNCTYPE(ctypes.c_int, use_errno=True)(_address(self._code))


def _address(area: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


def _attack(stage: Stage, plan: dict[str, Any], program: bytes, attack: dict[str, Any]) -> None:
    """In the child: install the filter, make the call, leave the result, wait. Does not return."""
    kept: list[Any] = []
    arguments = stage.arguments(attack["args"], kept)
    install = _installer()
    number, gate = attack["number"], attack["gate"]
    call, by_gate = _libc.syscall, stage.i386()
    first = ctypes.c_long(number | _X32 if gate == "x32" else number)
    os.setpgid(0, 0)
    if program:
        install.install(program, plan["flags"])
    else:
        install.without_new_privileges()
    value = by_gate() if gate == "i386" else call(first, *arguments)
    problem = ctypes.get_errno() if value == -1 else 0
    if gate == "i386" and value < 0:
        value, problem = -1, -value
    _DONE.pack_into(stage.shared, 0, 1, value, problem)
    while True:
        pass


def _installer() -> Any:
    """`gofuzzsec.seccomp.install`, without importing what is around it."""
    path = Path(__file__).parent.with_name("install.py")
    spec = importlib.util.spec_from_file_location("install", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _wait(stage: Stage, child: int) -> dict[str, Any]:
    """What became of *child*, which is gone afterwards with all that it started."""
    deadline = time.monotonic() + _PATIENCE
    status = None
    try:
        while time.monotonic() < deadline:
            done, value, problem = _DONE.unpack_from(stage.shared)
            if done:
                return {"returned": value, "errno": problem}
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return {"signal": -code} if code < 0 else {"exited": code}
            time.sleep(0.0005)
        return {"silent": True}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _main() -> None:
    plan = json.load(sys.stdin)
    program = Path(plan["filter"]).read_bytes() if plan["filter"] else b""
    stage = Stage()
    results = []
    try:
        for attack in plan["attacks"]:
            _DONE.pack_into(stage.shared, 0, 0, 0, 0)
            child = os.fork()
            if not child:
                try:
                    _attack(stage, plan, program, attack)
                finally:
                    os._exit(99)
            results.append(_wait(stage, child))
    finally:
        os.kill(stage.victim, signal.SIGKILL)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    _main()
