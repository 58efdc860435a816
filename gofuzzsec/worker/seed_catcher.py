"""Stand-alone helper of harvest.py: run as a program, never imported, standard library only.

``seed_catcher.py launch PARENT ARGV0 BINARY ARG...``
    becomes BINARY with ARGV0 as its argv[0], so that it is killed together with PARENT (the process
    that called this one) and leaves no core dump.

``seed_catcher.py catch DIR``
    plays the worker of Go's fuzzing coordinator: requests come in on descriptor 3, replies go out
    on 4, values are in the shared memory behind 5 (the length, 64-bit little-endian, at byte 8, the
    value from byte 40). Each value of a warm-up request becomes a file DIR/seeds/NNNNNNNN. The
    first request that is no warm-up is never answered. Lines written to the FIFO DIR/events tell
    harvest.py what happened: ``hello``, ``seed``, ``done``, ``zero`` (there was no seed; DIR/zero
    has the zero value that Go made up) or ``error TEXT``.

A worker that fails, or exits in the middle of a request, would make the coordinator write a "crash"
into the user's testdata. So after anything unexpected this program too just stops answering; if it
cannot even say so, it kills its whole process group, because death by SIGKILL is the one end that
the coordinator does not take for a crash.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

REQUESTS, REPLIES, MEMORY = 3, 4, 5
HEADER = 40
CHUNK = 1 << 20
PR_SET_PDEATHSIG = 1


def launch(parent: int, argv0: str, binary: str, arguments: list[str]) -> None:
    """Replace this process by *binary*; returns only by an exception."""
    import ctypes
    import resource

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python had it ignored; exec would pass that on
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(binary, [argv0, *arguments])


def catch(folder: Path) -> None:
    """Serve the coordinator until it goes away."""
    events = os.open(folder / "events", os.O_WRONLY)
    requests = os.fdopen(REQUESTS, "rb", buffering=CHUNK)
    os.write(events, b"hello\n")
    try:
        serve(requests, events, folder)
    except BaseException as error:  # noqa: BLE001 (must not end: see the top)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        os.write(events, f"error {text[:1000]}\n".encode(errors="replace"))
    while requests.read(CHUNK):
        continue  # until the coordinator is dead and its end of the pipe closed


def serve(requests: Iterable[bytes], events: int, folder: Path) -> None:
    """Answer pings and warm-ups; return at the first other request."""
    seeds = 0
    for line in requests:
        call = json.loads(line)
        if call.get("Ping") is not None:
            reply: dict[str, object] = {}
        elif call.get("Fuzz") and call["Fuzz"].get("Warmup"):
            seeds += 1
            save(folder / "seeds" / f"{seeds:08d}")
            os.write(events, b"seed\n")
            reply = {"TotalDuration": 1, "InterestingDuration": 1, "Count": 1}
        else:
            if not seeds:
                save(folder / "zero")
            os.write(events, b"done\n" if seeds else b"zero\n")
            return
        os.write(REPLIES, json.dumps(reply).encode() + b"\n")


def save(path: Path) -> None:
    """Copy the value in shared memory to a new file."""
    length = int.from_bytes(os.pread(MEMORY, 8, 8), "little", signed=True)
    if not 0 <= length <= os.fstat(MEMORY).st_size - HEADER:
        raise ValueError(f"a value of {length} bytes in shared memory")
    with path.open("xb") as file:
        for offset in range(0, length, CHUNK):
            file.write(os.pread(MEMORY, min(CHUNK, length - offset), HEADER + offset))


def main(arguments: list[str]) -> None:
    if arguments[0] == "launch":
        parent, argv0, binary, *rest = arguments[1:]
        launch(int(parent), argv0, binary, rest)
        return
    try:
        catch(Path(arguments[1]))
    except BaseException:  # noqa: BLE001 (as above)
        os.kill(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
