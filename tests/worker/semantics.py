"""What the tests of the agent's semantics share: ``tests/agentmodule`` built in both ways, ways to
run an input, and what two accounts of a failure must have in common."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gofuzzsec import toolchain
from gofuzzsec.corpus.format import marshal
from gofuzzsec.corpus.values import GoType, Input, Value
from gofuzzsec.toolchain.model import FuzzBinary, Go
from gofuzzsec.worker import Run, Verdict, Worker, WorkerSpec
from gofuzzsec.worker.agent_wire import Batch, encode_input
from gofuzzsec.worker.protocol import Outcome

OK, FAIL, CRASH, HANG, KILLED = (
    Verdict.OK,
    Verdict.FAIL,
    Verdict.CRASH,
    Verdict.HANG,
    Verdict.KILLED,
)

USER = "example.org/agenttargets."
_DURATION = re.compile(r"\(\d+\.\d\ds\)")
_LOG = re.compile(r"\w+_test\.go:\d+: .*")
_FRAME = re.compile(rf"^\s*({re.escape(USER)}\S+)\(.*\)$")
_PLACE = re.compile(r"^\s*\S*?(\w+\.go:\d+)( \+0x[0-9a-f]+)?$")


@dataclass(frozen=True, slots=True)
class Built:
    """``tests/agentmodule``, built by one Go in both ways."""

    go: Go
    stock: FuzzBinary
    boosted: FuzzBinary


def build(go: Go, root: Path) -> Built:
    """Build the module in *root*, a folder that is made."""
    shutil.copytree(Path(__file__).parents[1] / "agentmodule", root)
    # As a module of that Go's own time would be: synctest needs timers as they are since 1.23.
    major, minor, _ = go.version
    (root / "go.mod").write_text(f"module {USER.rstrip('.')}\n\ngo {major}.{minor}\n")
    (package,) = toolchain.list_packages(go, ["."], root)
    return Built(
        go,
        toolchain.build_fuzz_binary(go, package),
        toolchain.build_fuzz_binary(go, package, boosted=True),
    )


def start(binary: FuzzBinary, target: str, scratch: Path, *types: GoType, **options: Any) -> Worker:
    """A running worker: the agent when its target's argument types are given."""
    spec = WorkerSpec(binary.path, target, binary.cwd, agent=types or None, **options)
    worker = Worker(spec, scratch)
    worker.start()
    return worker


def bytes_of(*texts: str | bytes) -> Input:
    return tuple(
        Value(GoType.BYTES, text.encode() if isinstance(text, str) else text) for text in texts
    )


def run(worker: Worker, name: str) -> Outcome:
    """One execution, by whatever worker it is."""
    if not worker.running:
        worker.start()
    return worker.call(Run(), marshal(bytes_of(name)))


def batch(worker: Worker, *names: str) -> Outcome:
    if not worker.running:
        worker.start()
    return worker.call(Batch(tuple(encode_input(bytes_of(name)) for name in names)), b"")


def go_test(built: Built, target: str, name: str, values: Input) -> tuple[int, str]:
    """Exit status and output of ``go test -run=FuzzX/name`` with that one corpus file."""
    file = built.stock.cwd / "testdata" / "fuzz" / target / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(marshal(values))
    done = subprocess.run(
        [
            str(built.stock.path),
            f"-test.run=^{target}$/^{name}$",
            "-test.paniconexit0",
            f"-test.timeout={'1s' if name == 'hang' else '60s'}",
        ],
        cwd=built.stock.cwd,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )
    file.unlink()
    return done.returncode, done.stdout + done.stderr


def logged(text: str) -> list[str]:
    """Lines that the tests logged, with file and line."""
    return _LOG.findall(text)


def essence(text: str) -> list[str]:
    """A failure without what differs between two runs; of stacks the user's part."""
    kept = []
    lines = iter(_DURATION.sub("(T)", text).splitlines())
    inside = False
    for line in lines:
        if line.lstrip().startswith("goroutine ") and line.endswith(":"):
            inside = True
        elif inside and not line.startswith("        "):
            inside = bool(line.strip()) and line.startswith(("\t", " " * 8))
        if not inside:
            kept.append(line)
        elif frame := _FRAME.match(line):
            place = _PLACE.match(next(lines, ""))
            kept.append(f"{frame[1]} {place[1] if place else '?'}")
    return [line.rstrip() for line in kept if line.strip()]
