"""The kernel headers that bcc compiles against: found, and put together where they are split.

Any kernel version's will do, because the recorder's programs touch only raw tracepoints, uprobes
and `pt_regs`; no offset of a kernel structure is ever taken from them. Fedora, Arch and a kernel
built by hand have everything in one folder. Debian splits a package's headers into what all its
kernels share (``-common``) and what one of them adds; those are merged by symbolic links in the
cache (``headers/<key>/tree``), named by the folders and their times, so that an upgraded package
gets a new tree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import RecorderError, ToolchainError
from gofuzzsec.toolchain.cache import RECORD, build_entry, cache_dir

KERNEL_ARCH = {"x86_64": "x86", "aarch64": "arm64"}
"""What `uname -m` says -> the folder below arch/ of a kernel's sources."""

OVERRIDE = "BCC_KERNEL_SOURCE"
"""Environment variable with which users of bcc name a header tree; honoured here as well."""

_NOT_A_VERSION = ("common", "kbuild")


@dataclass(frozen=True, slots=True)
class Headers:
    """One kernel's headers. ``version`` as in `uname -r`; ``parts`` are the folders that make them
    whole together, of which an earlier one wins."""

    version: str
    parts: tuple[Path, ...]


def kernel_headers(root: Path = Path("/")) -> Path:
    """A folder with complete kernel headers for this machine, the running kernel's if there are.

    *root* is where the file system begins. Raises RecorderError when there are none, or when they
    must be merged and the cache cannot be written.
    """
    headers = find_headers(root)
    try:
        return headers.parts[0] if len(headers.parts) == 1 else _merged(headers)
    except (ToolchainError, OSError) as error:
        raise RecorderError(f"expected to merge kernel headers, found: {error}") from error


def find_headers(root: Path = Path("/")) -> Headers:
    """The headers that `kernel_headers` uses; writes nothing. Raises RecorderError."""
    arch = KERNEL_ARCH.get(platform.machine())
    if arch is None:
        raise RecorderError(
            f"expected an x86_64 or aarch64 machine for the bpf recorder, found "
            f"{platform.machine()}; use --capture strace"
        )
    if named := os.environ.get(OVERRIDE):
        if _whole((Path(named),), arch):
            return Headers(f"those of {OVERRIDE}", (Path(named),))
        raise RecorderError(
            f"expected the kernel headers that {OVERRIDE} names, found no complete ones in "
            f"{named}; unset it, or let it name a tree with include/ and arch/{arch}/include/"
        )
    seen = []
    for version, folder in _folders(root):
        for parts in ((folder,), (folder, *_companions(folder, root, version))):
            if _whole(parts, arch):
                return Headers(version, parts)
        seen.append(str(folder))
    found = f"only parts in {', '.join(seen[:3])}" if seen else "none in /usr/src and /lib/modules"
    raise RecorderError(
        f"expected kernel headers of any version for {arch}, found {found}; install them "
        "(Debian: apt-get install linux-headers-amd64 or linux-headers-arm64, Ubuntu: "
        "linux-headers-generic, Fedora: kernel-devel)"
    )


def _needed(arch: str) -> tuple[str, ...]:
    """What there is only where the headers are complete; bcc itself looks for the first."""
    return (
        "include/linux/kconfig.h",
        "include/generated/autoconf.h",
        "include/uapi/linux/ptrace.h",
        f"arch/{arch}/include/asm/ptrace.h",
        f"arch/{arch}/include/uapi/asm/ptrace.h",
        f"arch/{arch}/include/generated/uapi/asm",
    )


def _whole(parts: tuple[Path, ...], arch: str) -> bool:
    return all(any((part / name).exists() for part in parts) for name in _needed(arch))


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """(version, folder) of everything that may hold headers: the running kernel's, then the
    newest. Each folder once, by its real path."""
    found = [(path.parent.name, path) for path in root.glob("lib/modules/*/build")]
    found += [
        (path.name.removeprefix("linux-headers-"), path)
        for path in root.glob("usr/src/linux-headers-*")
        if not path.name.endswith(_NOT_A_VERSION)
    ]
    found += [(path.name, path) for path in root.glob("usr/src/kernels/*")]
    running = platform.release()
    found.sort(key=lambda one: (one[0] == running, _numbers(one[0]), one[0]), reverse=True)
    known = set()
    for version, path in found:
        real = path.resolve()
        if real.is_dir() and real not in known:
            known.add(real)
            yield version, real


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _companions(folder: Path, root: Path, version: str) -> tuple[Path, ...]:
    """Where the rest of a split package may be.

    Debian's per-kernel Makefile includes that of the common part; elsewhere the name tells
    (Ubuntu: 6.8.0-31-generic beside 6.8.0-31), or the modules' second link does (openSUSE).
    """
    with contextlib.suppress(OSError), (folder / "Makefile").open("rb") as makefile:
        text = makefile.read(4096).decode("utf-8", "replace")
        if named := re.search(r"^include\s+(/\S+)/Makefile$", text, re.MULTILINE):
            common = folder.parent / Path(named[1]).name  # beside it, whatever the root is
            if common.is_dir():
                return (common,)
    base = folder.name.rsplit("-", 1)[0]
    places = (
        folder.with_name(f"{base}-common"),
        folder.with_name(base),
        root / "lib/modules" / version / "source",
    )
    return tuple(path.resolve() for path in places if path.is_dir() and path != folder)


def _merged(headers: Headers) -> Path:
    """The folder in the cache that shows all parts as one, made if it is not there."""
    arch = KERNEL_ARCH[platform.machine()]
    key = _key(headers.parts)
    tree = cache_dir() / "headers" / key / "tree"
    if (tree.parent / RECORD).exists() and not _whole((tree,), arch):
        shutil.rmtree(tree.parent, ignore_errors=True)  # damaged: build_entry sees no entry

    def build(out: Path) -> dict[str, object]:
        for top in ("include", f"arch/{arch}", "scripts"):
            folders = [part / top for part in headers.parts if (part / top).is_dir()]
            if folders:
                (out / top).parent.mkdir(parents=True, exist_ok=True)
                _merge(folders, out / top)
        return {"version": headers.version, "parts": [str(part) for part in headers.parts]}

    fresh = not tree.exists()
    tree, _ = build_entry(key, "tree", build, kind="headers")
    if fresh:
        _remove_outdated(tree.parents[1])
    return tree


def _key(parts: tuple[Path, ...]) -> str:
    """Names the parts as they are now: an upgrade changes the times of what is in them."""
    looked_at = ("", "include", "include/linux", "include/generated/autoconf.h")
    times = [
        (str(part / name), (part / name).stat().st_mtime_ns)
        for part in parts
        for name in looked_at
        if (part / name).exists()
    ]
    identity = json.dumps([platform.machine(), [str(part) for part in parts], times])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _merge(folders: list[Path], target: Path) -> None:
    """Make *target* a folder that shows what all *folders* hold, an earlier one's first.

    What only one of them has is one link, folders too: a few dozen links do for 20,000 files.
    """
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for entry in folder.iterdir():
            found.setdefault(entry.name, []).append(entry)
    target.mkdir()
    for name, entries in found.items():
        several = {entry.resolve(): entry for entry in reversed(entries) if entry.is_dir()}
        if len(several) > 1:
            _merge([entry for entry in entries if entry.is_dir()], target / name)
        else:
            (target / name).symlink_to(entries[0])


def _remove_outdated(root: Path) -> None:
    """Remove trees of packages that were upgraded or removed since."""
    for record in root.glob(f"*/{RECORD}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            parts = tuple(Path(part) for part in json.loads(record.read_text())["parts"])
            if _key(parts) != record.parent.name:
                doomed = record.parent.with_name(f"{record.parent.name}.new-old-{os.getpid()}")
                record.parent.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
