"""What a Go program really calls, as strace sees it, to hold its static bound against.

Calls of other programs are left out: a process counts from its birth until it executes something
that is not the program, and again once it executes that. What strace itself does to start the
program is left out as well.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.table import KERNEL_ARTEFACTS, machine_arch

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^([a-z_][a-z0-9_]*)\(")
_RESUMED = re.compile(r"^<\.\.\. ([a-z0-9_]+) resumed>")
_RESULT = re.compile(r"= (-?\d+)(?: |$)")
_PATH = re.compile(r'^execve(?:at)?\((?:[^",]+, )?"((?:[^"\\]|\\.)*)"')
_SUPERSEDED = re.compile(r"^\+\+\+ superseded by execve in pid (\d+)")
_MOST_CALLS = 0xFFFF  # no architecture has numbers beyond
_BIRTHS = frozenset({"clone", "clone3", "fork", "vfork"})


class Reader:
    """Reads the output of ``strace -f``; `names` are the calls that the program itself made."""

    def __init__(self, program: Path) -> None:
        self._program = program.resolve()
        self._own: dict[int, bool] = {}
        self._waiting: dict[int, list[str]] = defaultdict(
            list
        )  # of tasks nobody has given birth to
        self._executing: dict[int, str] = {}
        self.names: set[str] = set()

    def read(self, text: str) -> frozenset[str]:
        """The names of all calls in *text*."""
        for line in text.splitlines():
            if match := _LINE.match(line):
                task = int(match[1])
                if not self._own:
                    self._own[task] = False  # strace's own child, until it executes the program
                self._take(task, match[2])
        for task in list(self._waiting):
            self._born(task, True)
        known = map(_known, self.names)
        return frozenset(name for name in known if name is not None) - KERNEL_ARTEFACTS

    def _born(self, task: int, own: bool) -> None:
        self._own[task] = own
        for line in self._waiting.pop(task, ()):
            self._take(task, line)

    def _take(self, task: int, line: str) -> None:
        if task not in self._own:
            self._waiting[task].append(line)
            return
        if superseded := _SUPERSEDED.match(line):
            other = int(superseded[1])
            self._executing[task] = self._executing.pop(other, "")
            self._own[task] = self._own.get(other, True)
            return
        call, resumed = _CALL.match(line), _RESUMED.match(line)
        name = call[1] if call else resumed[1] if resumed else ""
        if call and self._own[task]:
            self.names.add(name)
        if call and (path := _PATH.match(line)):
            self._executing[task] = path[1]
        if "<unfinished ...>" in line:
            return
        result = _RESULT.search(line[line.rfind(")") :])
        if result is None:
            return
        if name in _BIRTHS and int(result[1]) > 0:
            self._born(int(result[1]), self._own[task])
        elif name in ("execve", "execveat") and int(result[1]) == 0:
            self._own[task] = self._is_program(self._executing.pop(task, ""))

    def _is_program(self, path: str) -> bool:
        if path.startswith("/proc/") and path.endswith("/exe"):
            return True  # itself
        return Path(os.path.normpath(path)).name == self._program.name


def _known(name: str) -> str | None:
    """The kernel's name of a call that is newer than strace, which prints its number.

    None for what is no number at all: of a thread that dies in its group's exit_group, strace may
    take the end of a call for the beginning of one and print a result or an address as its number.
    """
    if not name.startswith("syscall_0x"):
        return name
    number = int(name[8:], 16)
    return None if number > _MOST_CALLS else table.name(number, machine_arch()) or name


def observed(
    program: Path,
    arguments: Sequence[str],
    cwd: Path,
    log: Path,
    *,
    timeout: float = 240,
    environment: Mapping[str, str] | None = None,
) -> frozenset[str]:
    """Run *program* in a network of its own and give the names of the calls that it made. What the
    run comes to does not matter: a test that fails has made calls, too."""
    strace = ["strace", "-f", "-qq", "-s", "4096", "-e", "signal=none", "-o", str(log)]
    up = 'ip link set lo up 2>/dev/null; exec "$@"'
    isolated = ["unshare", "--net", "sh", "-c", up, "sh"] if os.geteuid() == 0 else []
    subprocess.run(
        [*isolated, *strace, str(program), *arguments],
        cwd=cwd, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    return Reader(program).read(log.read_text(errors="replace"))
