"""Programs that know which calls they make, and what the recorder says of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.probes import FunctionProbe, function_probe
from gofuzzsec.syscalls import table
from gofuzzsec.syscalls.bpf.tracer import Following, KernelCall, Mode, TracedProgram, Tracer
from gofuzzsec.syscalls.classes import class_names
from gofuzzsec.toolchain.model import Go

Counts = Mapping[str, int]
"""Calls by "name/class/ending"."""

SOURCES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Truth:
    """A built program with functions main.traced and, where *second*, main.second."""

    path: Path
    program: GoProgram
    traced: TracedProgram
    functions: tuple[FunctionProbe, ...]

    @classmethod
    def of(cls, path: Path) -> Truth:
        program = GoProgram.read(path)
        functions = [
            function_probe(program, function)
            for name in ("main.traced", "main.second")
            for function in program.functions.named(name)
        ]
        return cls(path, program, TracedProgram.of(program), tuple(functions))

    def follow(self, tracer: Tracer, room: int | None = None) -> Following:
        """The functions' windows, by their index in ``functions``."""
        return tracer.follow(self.traced, Mode.FUNCTIONS, self.functions, room=room)

    def run(self, following: Following, *arguments: str) -> dict[str, Counts]:
        """Run it under *following*; what it says of itself."""
        return told(self.path, *arguments, prepare=following.claim())


def told(
    path: Path, *arguments: str, prepare: Callable[[], None] | None = None
) -> dict[str, Counts]:
    """What the program says that it called: "inside" of traced, "deeper" in second, "outside"."""
    argv = [str(path), *arguments]
    done = subprocess.run(argv, preexec_fn=prepare, capture_output=True, timeout=60, check=True)
    said: dict[str, Counts] = json.loads(done.stdout)
    return said


def build(go: Go, source: str, folder: Path, *flags: str) -> Path:
    """Build the program in *source* beside this file."""
    code = folder / "sources" / source
    if not code.exists():
        shutil.copytree(SOURCES / source, code)
    path = folder / "-".join((source, *(flag.strip("-").replace(" ", "") for flag in flags)))
    argv = [str(go.path), "build", *flags, "-o", str(path), "."]
    cgo = "1" if source == "ctruth" else "0"
    env = {**os.environ, "CGO_ENABLED": cgo, "GOWORK": "off", "GOTOOLCHAIN": "local"}
    subprocess.run(argv, cwd=code, env=env, check=True, capture_output=True, timeout=300)
    return path


def label(call: KernelCall) -> str:
    """As the programs say it."""
    name = table.name(call.number, table.machine_arch()) or hex(call.number)
    return f"{name}/{class_names(name)[call.kind]}/{call.ending}"


def counted(
    calls: Sequence[KernelCall], window: int, names: set[str], *, place: str = "goroutine"
) -> Counts:
    """The calls with *names* that are inside of *window*."""
    counts: Counter[str] = Counter()
    for call in calls:
        text = label(call)
        if call.windows >> window & 1 and call.place == place and text.partition("/")[0] in names:
            counts[text] += call.count
    return dict(counts)


def names_in(said: Mapping[str, Counts]) -> set[str]:
    """The names of all calls that a program told of."""
    return {text.partition("/")[0] for counts in said.values() for text in counts}
