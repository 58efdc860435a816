"""bcc: the distribution's Python package, imported without the rest of the distribution's.

bcc is no package of PyPI: it is Python over ``libbcc.so``, which brings its own clang, and comes
from the distribution (Debian's python3-bpfcc). A virtual environment does not see it, and putting
dist-packages on sys.path would let every other package there replace ours; so this one package is
imported by its path. The project called bcc on PyPI is something else, and refused.

bcc speaks to the terminal. `diagnostics` holds that back and makes it part of the error. Uprobes
are not attached through bcc: see `uprobes`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from gofuzzsec.errors import RecorderError
from gofuzzsec.privilege import can_trace
from gofuzzsec.syscalls.bpf.headers import OVERRIDE, kernel_headers

OLDEST = (0, 26)
"""Version of bcc asked for: Debian 12's, the oldest that comes with a Python 3.11."""

PLACES = (
    "/usr/lib/python3/dist-packages",
    "/usr/lib/python3.*/site-packages",
    "/usr/lib/python3.*/dist-packages",
    "/usr/local/lib/python3*/dist-packages",
    "/usr/local/lib/python3*/site-packages",
)
"""Where distributions, and a bcc built by hand, put Python packages."""

_INSTALL = (
    "install the distribution's (Debian and Ubuntu: apt-get install python3-bpfcc, Fedora: "
    "dnf install python3-bcc)"
)
_NOT_FOR_US = ("ARCH", "BCC_KERNEL_SOURCE", "BCC_LINUX_VERSION_CODE", "BCC_KERNEL_MODULES_SUFFIX")
"""Environment variables that change what bcc compiles: users of Go and of kernels set ARCH."""

_SAID_LIMIT = 4000
_compiling = threading.RLock()


@cache
def load_bcc() -> ModuleType:
    """The module ``bcc``, with ``BPF``, ``lib`` and the rest as its attributes.

    Raises RecorderError that says what to install when there is none, when only PyPI's other bcc
    is there, when libbcc.so is missing, or when it is too old.
    """
    folder, foreign = _find()
    if folder is None:
        found = f"PyPI's package of that name in {foreign}, which is another" if foreign else "none"
        raise RecorderError(
            f"expected the BPF Compiler Collection's Python package bcc, found {found}; {_INSTALL}"
        )
    module = sys.modules.get("bcc")
    if module is None or Path(module.__file__ or "").parent != folder:
        module = _import(folder)
    version = str(getattr(module, "__version__", "")) or "no version"
    numbers = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
    if numbers < OLDEST and version != "no version":
        raise RecorderError(
            f"expected bcc {OLDEST[0]}.{OLDEST[1]} or newer, found {version} in {folder}; "
            f"{_INSTALL}"
        )
    return module


def _find() -> tuple[Path | None, Path | None]:
    """The folder of the real bcc, and that of another package of the name, where there is one."""
    foreign = None
    places = [Path(entry) for entry in sys.path if entry]
    for pattern in PLACES:
        places += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for place in places:
        folder = place / "bcc"
        if (folder / "libbcc.py").is_file():
            return folder, foreign
        if (folder / "__init__.py").is_file() or (place / "bcc.py").is_file():
            foreign = foreign or place
    return None, foreign


def _import(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "bcc", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None  # a .py file always has a loader
    for name in [name for name in sys.modules if name == "bcc" or name.startswith("bcc.")]:
        del sys.modules[name]
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module  # its own modules import each other through it
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in its sources
            spec.loader.exec_module(module)
    except Exception as error:
        for name in [name for name in sys.modules if name == "bcc" or name.startswith("bcc.")]:
            del sys.modules[name]
        raise RecorderError(
            f"expected bcc in {folder} to load, found: {error}; {_INSTALL} and its library "
            "(Debian: libbpfcc)"
        ) from error
    return module


def compile_bpf(text: str, cflags: Sequence[str] = ()) -> Any:
    """A ``bcc.BPF`` of the C source *text*: compiled, its maps made, nothing attached.

    Takes about a second. While it compiles, the current directory, standard error and some
    environment variables of the whole process are other ones, so do this before other threads are
    busy. Raises RecorderError with what the compiler and the kernel said.
    """
    bcc = load_bcc()
    tree = kernel_headers()
    with diagnostics("the BPF program to compile"), _environment(tree):
        return bcc.BPF(text=text.encode(), cflags=list(cflags))


@contextlib.contextmanager
def _environment(tree: Path) -> Iterator[None]:
    """The variables that tell bcc where the headers are, for the time of a compilation only:
    children must not inherit them."""
    before = {name: os.environ.pop(name) for name in _NOT_FOR_US if name in os.environ}
    os.environ[OVERRIDE] = str(tree)
    try:
        yield
    finally:
        del os.environ[OVERRIDE]
        os.environ.update(before)


@contextlib.contextmanager
def diagnostics(expected: str) -> Iterator[None]:
    """Around calls of bcc: hold back what it and libbpf write to standard error.

    When the body raises anything but a RecorderError, that becomes one: "expected *expected*,
    found: …", with the last of what was written and advice where the cause shows.
    """
    with _compiling:
        captured = os.memfd_create("bcc")
        flush = ctypes.CDLL(None).fflush
        if sys.stderr is not None:
            sys.stderr.flush()
        standard_error = os.dup(2)
        os.dup2(captured, 2)
        try:
            yield
        except RecorderError:
            raise
        except Exception as error:
            flush(None)
            raise _failure(expected, str(error), _text(captured)) from error
        finally:
            flush(None)
            os.dup2(standard_error, 2)
            os.close(standard_error)
            os.close(captured)


def _text(captured: int) -> str:
    size = os.fstat(captured).st_size
    data = os.pread(captured, _SAID_LIMIT, max(0, size - _SAID_LIMIT))
    return data.decode("utf-8", "replace").strip()


def _failure(expected: str, error: str, said: str) -> RecorderError:
    refused = "Operation not permitted" in said + error or "super-user" in error
    advice = ""
    if refused:
        advice = can_trace() or (
            "the kernel refuses BPF here although the capabilities are there: see kernel lockdown "
            "(/sys/kernel/security/lockdown) and the container's seccomp profile"
        )
    lines = [f"expected {expected}, found: {error}", said, advice]
    return RecorderError("\n".join(line for line in lines if line))
