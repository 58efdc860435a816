"""The automatic dictionary: constants in the source of the package under test.

What a program compares its input with mostly stands in its source. A small Go program of ours
(``agent/tools/literals``, built once by the user's own toolchain) parses and type-checks the
package, its tests and what it imports of its own module; here its findings become tokens.
"""

from __future__ import annotations

import base64
import itertools
import json
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gofuzzsec.errors import GofuzzsecError
from gofuzzsec.toolchain.build import build_program
from gofuzzsec.toolchain.find import run_go
from gofuzzsec.toolchain.model import Go, Package
from gofuzzsec.toolchain.packages import LISTING_LIMIT, read_listing
from gofuzzsec.toolchain.process import run

MAX_TOKENS = 4096
MAX_NUMBERS = 1024
"""Integers and floats given as values, each."""
MIN_TOKEN, MAX_TOKEN = 2, 128
"""Bytes of a token: mutators make single bytes anyway, and a longer text is a message."""

_T = TypeVar("_T")
_TIMEOUT = 60.0  # seconds; parsing and checking 64 MiB of source takes 20
_OUTPUT_LIMIT = 64 << 20
_MAX_UNITS = 256
_MAX_FILES = 4096
_BOUNDS = {"MaxFile": 4 << 20, "MaxTotal": 64 << 20, "MaxFound": 50_000}  # bytes, bytes, constants
_SOURCES = Path(__file__).parent.parent / "agent" / "tools" / "literals"

_MESSAGE = 2  # the tool's useMessage
_OWN, _TESTS, _DIRECT, _OTHER = range(4)  # tiers of sources, nearest first


@dataclass(frozen=True, slots=True)
class Literals:
    """Constants of a package, the most telling first.

    ``tokens`` are byte strings of 2 to 128 bytes: strings as they are, integers in both byte orders
    and as decimal text, floats as their little-endian bits and as text. ``integers`` and ``floats``
    are the numbers themselves, for scalar arguments. ``imports`` are the packages that the package
    imports directly, or its tests when it is nothing but tests: what `corpus.dictionary.suggested`
    wants. ``problem`` is one line about what could not be read, or "".
    """

    tokens: tuple[bytes, ...] = ()
    integers: tuple[int, ...] = ()
    floats: tuple[float, ...] = ()
    imports: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant of the source. ``width`` is that of its type in bytes, 0 when it is an int or
    not known; ``bits`` are a float's as (float64, float32), else empty."""

    kind: str
    text: bytes
    width: int
    bits: tuple[int, ...]


def package_literals(go: Go, package: Package, *, tags: str = "") -> Literals:
    """The constants of *package*, its tests, and the packages of its module that it imports.

    Never raises for what the sources are like: a dictionary helps, and its lack stops nothing.
    """
    try:
        listing = _list(go, package, tags)
        tool = build_program(go, _sources(), "literals")
        constants = _read(tool, _units(package, listing), package.dir)
    except (GofuzzsecError, OSError, ValueError) as error:
        words = " ".join(str(error).split())
        return Literals(problem=f"no dictionary from the source of {package.import_path}: {words}")
    return Literals(
        tokens=tokens_of(constants),
        integers=_first(int(c.text) for c in constants if c.kind == "int"),
        floats=_first(_double(c.bits[0]) for c in constants if c.kind == "float"),
        imports=_formats(listing[-1]),
    )


def _sources() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_SOURCES.glob("*.go"))}


def _list(go: Go, package: Package, tags: str) -> list[dict[str, Any]]:
    """`go list -deps` of the package: what it needs first, itself last."""
    fields = "Dir,ImportPath,Module,Imports,TestImports,XTestImports,GoFiles,CgoFiles"
    args = ["list", "-e", "-deps", f"-json={fields},TestGoFiles,XTestGoFiles"]
    args += [f"-tags={tags}"] if tags else []
    done = run_go(
        go.path,
        [*args, "--", "."],
        cwd=package.dir,
        gowork=package.gowork,
        timeout=_TIMEOUT,
        limit=LISTING_LIMIT,
    )
    entries = list(read_listing(done.stdout.decode("utf-8", "replace")))
    if done.status != 0 or done.lost or not entries or not entries[-1].get("Dir"):
        raise ValueError(f"go list: {done.stderr.decode('utf-8', 'replace') or done.ending}")
    return entries


def _imports(entry: dict[str, Any]) -> tuple[str, ...]:
    names = [*_names(entry, "Imports"), *_names(entry, "TestImports")]
    return tuple(sorted({*names, *_names(entry, "XTestImports")}))


def _formats(entry: dict[str, Any]) -> tuple[str, ...]:
    """Imports that tell which formats the package reads. Those of tests beside code would suggest
    too much: net/netip's tests import encoding/json, encoding/json's import net/http."""
    return tuple(sorted(_names(entry, "Imports"))) or _imports(entry)


def _names(entry: dict[str, Any], key: str) -> Sequence[str]:
    return entry.get(key) or ()


def _units(package: Package, listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the tool is to type-check, nearest first."""
    own = listing[-1]
    direct = set(_imports(own))
    ranked = [(_OWN, own)]
    for entry in reversed(listing[:-1]):
        if _same_module(package, own, entry):
            ranked.append((_DIRECT if entry["ImportPath"] in direct else _OTHER, entry))
    ranked.sort(key=lambda pair: pair[0])
    units = [_unit(entry, {"GoFiles": tier, "CgoFiles": tier}) for tier, entry in ranked]
    # Tests of the package are checked with it; those of its _test package are another one.
    units[0] = _unit(own, {"GoFiles": _OWN, "CgoFiles": _OWN, "TestGoFiles": _TESTS})
    units.insert(1, _unit(own, {"XTestGoFiles": _TESTS}))
    left = _MAX_FILES
    for unit in units:
        unit["Files"] = unit["Files"][:left]
        left -= len(unit["Files"])
    return units[:_MAX_UNITS]


def _unit(entry: dict[str, Any], kinds: dict[str, int]) -> dict[str, Any]:
    files = [
        {"Name": str(Path(entry["Dir"]) / name), "Tier": tier}
        for kind, tier in kinds.items()
        for name in _names(entry, kind)
    ]
    return {"Path": entry["ImportPath"], "Files": files}


def _same_module(package: Package, own: dict[str, Any], entry: dict[str, Any]) -> bool:
    if not entry.get("Dir"):
        return False
    if package.standard:
        # The standard library is one module of 300 packages; the neighbours are image/… of image.
        path = str(entry["ImportPath"])
        return path.split("/", 1)[0] == package.import_path.split("/", 1)[0]
    module = (own.get("Module") or {}).get("Path")
    return module is not None and (entry.get("Module") or {}).get("Path") == module


def _read(tool: Path, units: list[dict[str, Any]], cwd: Path) -> list[Constant]:
    """Run the tool; its constants, the most telling first. Raises ValueError."""
    request = json.dumps({"Packages": units, **_BOUNDS})
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-") as scratch:
        asked = Path(scratch) / "request.json"
        asked.write_text(request, encoding="utf-8")
        done = run([tool, asked], cwd=cwd, env={}, timeout=_TIMEOUT, limit=_OUTPUT_LIMIT)
    if done.status != 0 or done.lost:
        words = done.stderr[:500].decode("utf-8", "replace")
        raise ValueError(f"expected the list of constants, found {done.ending} {words}")
    ranked = []
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        tier, use = int(entry["Tier"]), int(entry["Use"])
        ranked.append(((use == _MESSAGE, tier, use), _constant(entry)))
    ranked.sort(key=lambda pair: pair[0])
    return [constant for _, constant in ranked]


def _constant(entry: dict[str, Any]) -> Constant:
    return Constant(
        kind=str(entry["Kind"]),
        text=base64.b64decode(entry["Text"]),
        width=int(entry["Width"]),
        bits=tuple(map(int, entry["Bits"] or ())),
    )


def tokens_of(constants: Iterable[Constant]) -> tuple[bytes, ...]:
    """What a mutator may write into an input for each constant, each token once, in order, at most
    `MAX_TOKENS` of `MIN_TOKEN` to `MAX_TOKEN` bytes."""
    forms = (form for constant in constants for form in _forms(constant))
    fitting = (form for form in forms if MIN_TOKEN <= len(form) <= MAX_TOKEN)
    return tuple(itertools.islice(dict.fromkeys(fitting), MAX_TOKENS))


def _forms(constant: Constant) -> Iterator[bytes]:
    if constant.kind == "int":
        yield from _integer_forms(int(constant.text), constant.width)
    elif constant.kind == "float":
        yield from _float_forms(constant)
    else:
        yield constant.text


def _integer_forms(value: int, width: int) -> Iterator[bytes]:
    """A number at the widths at which an input may hold it, both byte orders; then its digits.

    An ``int`` of the source may have been read from a field of any width: the narrowest that holds
    it is tried, and eight bytes, which an argument of type int has. Small numbers have no binary
    form, since mutators write them anyway; numbers that look like characters have none at all.
    """
    if width == 1 or (width == 4 and 0 <= value < 128):
        return
    if abs(value) > (16 if width == 2 else 255):
        narrowest = next(w for w in (2, 4, 8) if -(1 << (8 * w - 1)) <= value < 1 << (8 * w))
        for size in dict.fromkeys((width,) if width else (narrowest, 8)):
            data = (value % (1 << (8 * size))).to_bytes(size, "little")
            yield data
            yield data[::-1]
    yield b"%d" % value


def _float_forms(constant: Constant) -> Iterator[bytes]:
    double, single = constant.bits
    if constant.width != 4:
        yield double.to_bytes(8, "little")
    if constant.width != 8:
        yield single.to_bytes(4, "little")
    yield constant.text


def _double(bits: int) -> float:
    value: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return value


def _first(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(itertools.islice(dict.fromkeys(values), MAX_NUMBERS))
