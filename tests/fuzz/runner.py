"""How targets of this folder run: ``python -m tests.fuzz.NAME [-runs=N] [OPTION...] [FOLDER]``.

A target is a module with one function that gives bytes to a parser of ours. Whatever leaves the
function but a `GofuzzsecError` is a bug of ours, which libFuzzer (by way of atheris) reports with
the input, as it does a run that takes too long or too much memory. Options are libFuzzer's. FOLDER,
``build/fuzz/NAME`` by default, keeps what was found interesting, so that the next run goes on from
there; an input that fails goes beside it. Files instead of FOLDER are run once, to see them fail.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import atheris

from gofuzzsec.errors import GofuzzsecError

SLOW = 5
"""Seconds for one input; a parser has one, the rest is for a machine that is busy."""
MEMORY = 1024
"""MiB of the whole process, the fuzzer included."""


@contextlib.contextmanager
def watched(*but: str) -> Iterator[None]:
    """Modules of ours that are first imported in here tell the fuzzer what they cover; *but* names
    those that do not: atheris 3.0 loses the memory of every comparison of numpy's arrays."""
    with atheris.instrument_imports(include=["gofuzzsec"], exclude=list(but)):
        yield


def fuzz(
    read: Callable[[bytes], object],
    seeds: Iterable[bytes],
    *,
    longest: int = 4096,
    words: Iterable[bytes] = (),
    batch: int = 0,
) -> None:
    """Run *read* on *seeds* and on what the fuzzer makes of them, *longest* bytes at most; *words*
    are what the format has to say. More than *batch* runs are made by one process after another
    (see `watched`). Does not return."""

    def once(data: bytes) -> None:
        with contextlib.suppress(GofuzzsecError):
            read(data)

    flags = [word for word in sys.argv[1:] if word.startswith("-")]
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    limits = [f"-max_len={longest}", f"-timeout={SLOW}", f"-rss_limit_mb={MEMORY}"]
    if named and Path(named[0]).is_file():
        atheris.Setup([sys.argv[0], *limits, *flags, *named], once)
        atheris.Fuzz()
    runs = next((int(flag[6:]) for flag in flags if flag.startswith("-runs=")), 0)
    if batch and runs > batch:
        others = [flag for flag in flags if not flag.startswith(("-runs=", "-seed="))]
        _in_batches(runs, batch, [*others, *named])
    folder = Path(named[0] if named else f"build/fuzz/{Path(sys.argv[0]).stem}")
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_bytes(seed)
    options = [*limits, f"-artifact_prefix={folder}."]
    if quoted := [_quoted(word) for word in words]:
        dictionary = folder.with_suffix(".dict")
        dictionary.write_text("".join(quoted))
        options.append(f"-dict={dictionary}")
    atheris.Setup([sys.argv[0], *options, *flags, str(folder), *named[1:]], once)
    atheris.Fuzz()


def _in_batches(runs: int, batch: int, given: list[str]) -> NoReturn:
    target = f"tests.fuzz.{Path(sys.argv[0]).stem}"
    for start in range(0, runs, batch):
        own = [f"-runs={min(batch, runs - start)}", f"-seed={start + 1}"]
        status = subprocess.call([sys.executable, "-m", target, *given, *own])
        if status:
            sys.exit(status)
    print(f"Done {runs} runs in batches of {batch}")
    sys.exit(0)


def _quoted(word: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'
