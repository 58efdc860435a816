"""The kernel's half, loaded: ``bpf/recorder.c`` compiled, its tracepoints attached.

Maps have fixed sizes, in `Sizes`; the kernel counts what does not fit them, and
`Following.problems` says so. The layouts in `maps` are those of the structs that recorder.c marks
as shared.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gofuzzsec.errors import RecorderError
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.arguments import MOST_VALUES, c_source
from gofuzzsec.syscalls.bpf import maps
from gofuzzsec.syscalls.bpf.bcc import compile_bpf, diagnostics, load_bcc
from gofuzzsec.syscalls.bpf.uprobes import TRACE_UPROBE_MULTI, Uprobes
from gofuzzsec.syscalls.classes import TABLE, Classes, Rule, Test

SOURCE = Path(__file__).with_name("source") / "recorder.c"
_INCLUDE = re.compile(r'^#include "(\w+\.h)"$', re.MULTILINE)  # of a file beside it

_TRACEPOINTS = {
    "sys_enter": "on_enter",
    "sys_exit": "on_leave",
    "sched_process_fork": "on_fork",
    "sched_process_exec": "on_exec",
    "sched_process_exit": "on_exit",
}
_TASK_BYTES = 16384  # searched for a thread's ids; a task_struct has 9 to 12 KiB
_MOST_ASKING = 16
_KPROBE, _RAW_TRACEPOINT = 2, 17  # enum bpf_prog_type
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, slots=True)
class Sizes:
    """Entries of the maps of one program. A stack takes 1 KiB of kernel memory, the others about
    100 bytes; what is counted has a map of its own for each Following."""

    slots: int = 64
    processes: int = 32768
    threads: int = 65536
    goroutines: int = 65536
    points: int = 16384
    tasks: int = 4096
    stacks: int = 16384
    values: int = 16384
    denials: int = 0  # room for calls refused by a filter; nothing else is counted then


class KernelProgram:
    """The loaded program. Owns its maps and links until `close`; thread-safe."""

    def __init__(self, sizes: Sizes) -> None:
        """Compile, load and attach: about two seconds.

        Raises RecorderError that says what is missing and how to mend it.
        """
        self.sizes = sizes
        self.nonce = int.from_bytes(os.urandom(8), "little") or 1
        self.lib = load_bcc().lib
        self._bpf = compile_bpf(source(sizes, table.machine_arch()))
        self._links: list[int] = []
        self._closed = False
        self._single: Any = None  # a function that bcc was made to forget
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        with diagnostics("the BPF program to load and its tracepoints to be there"):
            session = self.map("sessions")
            session.write(0, maps.SESSION.pack(self.nonce, 0))
            enter = self._bpf.load_func(b"on_enter", _RAW_TRACEPOINT)
            self._attach("sys_enter", enter.fd)
            session.write(0, maps.SESSION.pack(self.nonce, self._find_pid()))
            for tracepoint, function in _TRACEPOINTS.items():
                if tracepoint != "sys_enter":
                    loaded = self._bpf.load_func(function.encode(), _RAW_TRACEPOINT)
                    self._attach(tracepoint, loaded.fd)
            self.uprobes = self._load_probes()
        self.pages = self.map("pages").fd

    def _load_probes(self) -> Uprobes:
        """One program, loaded twice: for perf events, and for links of many uprobes."""
        name = b"on_probe"
        single: int = self._bpf.load_func(name, _KPROBE).fd
        self._single = self._bpf.funcs.pop(name)  # else it would be given again
        many: int = self._bpf.load_func(name, _KPROBE, attach_type=TRACE_UPROBE_MULTI).fd
        return Uprobes(single, many)

    def map(self, name: str) -> maps.Map:
        """The map *name* of recorder.c."""
        lib, module = self.lib, ctypes.c_void_p(self._bpf.module)
        index = ctypes.c_ulonglong(lib.bpf_table_id(module, name.encode()))
        return maps.Map(
            lib,
            lib.bpf_table_fd(module, name.encode()),
            lib.bpf_table_key_size_id(module, index),
            lib.bpf_table_leaf_size_id(module, index),
            lib.bpf_table_max_entries_id(module, index),
        )

    def close(self) -> None:
        """Detach everything; the maps go with the last reference to them."""
        if self._closed:
            return
        self._closed = True
        if hasattr(self, "uprobes"):
            self.uprobes.close()
        for link in self._links:
            os.close(link)
        self._links.clear()
        if self._single is not None:
            os.close(self._single.fd)
        self._bpf.cleanup()

    def _attach(self, tracepoint: str, program: int) -> None:
        link = self.lib.bpf_attach_raw_tracepoint(program, tracepoint.encode())
        if link < 0:
            raise RecorderError(
                f"expected the raw tracepoint {tracepoint}, found "
                f"{os.strerror(ctypes.get_errno())}; recording with BPF needs CAP_BPF and "
                "CAP_PERFMON, or root, and Linux 5.15 with CONFIG_BPF_EVENTS"
            )
        self._links.append(link)

    def _find_pid(self) -> int:
        """Offset of ``pid`` and ``tgid`` in this kernel's task_struct: where threads have theirs.

        Threads of this process ask, since each has another pair; usually the first leaves one
        place, the process's second thread proves it.
        """
        places: set[int] | None = None
        for asked in range(_MOST_ASKING):
            found = _in_thread(self._ask) if asked else self._ask()
            places = found if places is None else places & found
            if len(places) <= 1 and asked:
                break
        if places is None or len(places) != 1:
            raise RecorderError(
                "expected one place of a thread's ids in the kernel's task_struct, found "
                f"{len(places or ())}; this kernel cannot be recorded with BPF: use "
                "--capture in-process or strace, and report the kernel's version"
            )
        return places.pop()

    def _ask(self) -> set[int]:
        _prctl(
            ctypes.c_int(maps.MAGIC),
            ctypes.c_ulong(self.nonce),
            ctypes.c_ulong(2**64 - 1),
            ctypes.c_ulong(0),
            ctypes.c_ulong(0),
        )
        answer = self.map("answers").read(0)
        ids, task = int.from_bytes(answer[:8], "little"), answer[8:]
        pair = (ids & 0xFFFFFFFF).to_bytes(4, "little") + (ids >> 32).to_bytes(4, "little")
        found, at = set(), task.find(pair)
        while at >= 0:
            found.add(at)
            at = task.find(pair, at + 1)
        return found


def _in_thread(ask: Any) -> set[int]:
    answers: list[set[int]] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def source(sizes: Sizes, arch: str) -> str:
    """recorder.c as it is compiled for *arch* ("amd64" or "arm64").

    Raises RecorderError when the installation lacks it.
    """
    try:
        text = _INCLUDE.sub(
            lambda found: SOURCE.with_name(found[1]).read_text("utf-8"), SOURCE.read_text("utf-8")
        )
    except OSError as error:
        raise RecorderError(
            f"expected the BPF program {error.filename}, found {error.strerror}; "
            "install gofuzzsec again"
        ) from error
    names = {"stacks": "STACKS_ROOM"}
    lines = [f"#define MACHINE_{arch.upper()}", f"#define ASKED {_TASK_BYTES}"]
    for size in fields(sizes):
        if size.name == "denials" and not sizes.denials:
            continue  # bpf/denied.h is left out
        name = names.get(size.name, size.name.upper())
        lines.append(f"#define {name} {getattr(sizes, size.name)}")
    first, rest = text.split("\n", 1)
    lines.append(f"#define MOST_VALUES {MOST_VALUES}")
    return "\n".join((first, *lines, _class_of(arch), c_source(arch), rest))


def _class_of(arch: str) -> str:
    """`classes.class_of` in C."""
    cases = []
    for classes in TABLE:
        numbers = [table.number(call, arch) for call in classes.calls]
        known = " ".join(f"case {number}:" for number in numbers if number is not None)
        if known:
            cases.append(f"\t{known}\n{_rules(classes, arch)}\t\treturn 0;")
    body = "\n".join(cases)
    return (
        "static __always_inline u32 class_of(u32 number, u64 a0, u64 a1, u64 a2, u64 a3)\n"
        f"{{\n\tswitch (number) {{\n{body}\n\t}}\n\treturn 0;\n}}"
    )


def _rules(classes: Classes, arch: str) -> str:
    names = classes.names()
    return "".join(
        f"\t\tif ({_condition(rule, arch)})\n\t\t\treturn {names.index(rule.name)};\n"
        for rule in classes.rules
    )


def _condition(rule: Rule, arch: str) -> str:
    return " || ".join(
        "(" + " && ".join(_test(test, arch) for test in case) + ")" for case in rule.cases
    )


def _test(test: Test, arch: str) -> str:
    masked = f"(a{test.arg} & {test.bits(arch):#x}ull)"
    return f"{masked} != 0" if test.value is None else f"{masked} == {test.value:#x}ull"
