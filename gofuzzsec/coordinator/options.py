"""What a session is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the command line says.

    Times are seconds, ``memory_limit`` bytes a worker; ``workers`` of 0 means one for each CPU;
    with ``seconds`` and ``executions`` both None the session runs until it is interrupted.
    ``engine`` is "boosted" (stock where that cannot be) or "stock". ``seed`` makes runs of one
    worker and so many executions repeatable. ``capture`` is auto, bpf, in-process, strace or off
    (see `choice`). ``dictionary`` holds the user's tokens.
    ``gomaxprocs`` and ``gogc`` are the workers'; None leaves them to the environment.
    """

    packages: tuple[str, ...] = (".",)
    target_regex: str = ""
    binary: Path | None = None
    package_dir: Path | None = None
    campaign: Path | None = None
    cwd: Path = Path()
    seconds: float | None = None
    executions: int | None = None
    workers: int = 0
    hang_timeout: float = 10.0
    memory_limit: int = 2 << 30
    minimise_seconds: float = 5.0
    capture: str = "auto"
    stop_on_crash: bool = False
    share_cache: bool = False
    toward_syscalls: bool = False
    tags: str = ""
    race: bool = False
    go: str | None = None
    engine: str = "boosted"
    seed: int | None = None
    dictionary: tuple[bytes, ...] = ()
    gomaxprocs: int | None = 1
    gogc: int | None = None
