"""What Go makes of a table of ours: the agent's file for this machine, asked about calls."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from gofuzzsec.syscalls.table import machine_arch, number
from gofuzzsec.toolchain.model import Go
from tests.conftest import MakeModule

Call = tuple[str, Sequence[int]]
"""A call by name with its first four arguments."""

_PROGRAM = """package main

import "fmt"

const gofuzzsecCalls = 512

func main() {
	var trap, a1, a2, a3, a4 uintptr
	for {
		if _, err := fmt.Scan(&trap, &a1, &a2, &a3, &a4); err != nil {
			return
		}
		fmt.Println(EXPRESSION)
	}
}
"""


def answers(
    go: Go, module: MakeModule, source: str, expression: str, calls: Sequence[Call]
) -> list[int]:
    """*expression* of ``trap`` and ``a1`` to ``a4``, in Go with *source*, for each of *calls*."""
    files = {
        "main.go": _PROGRAM.replace("EXPRESSION", expression),
        "table.go": source.replace("package syscall", "package main"),
    }
    root = module(files)
    built = root / "program"
    subprocess.run([go.path, "build", "-p", "1", "-o", built, "."], cwd=root, check=True)
    arch = machine_arch()
    text = "".join(f"{number(name, arch)} {' '.join(map(str, args))}\n" for name, args in calls)
    done = subprocess.run([built], input=text, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]
