"""What Go's linker says of how a program was built: versions, modules, settings, build id.

Sources: Go's debug/buildinfo (layout of ``.go.buildinfo``) and runtime/debug (text of the module
data); cmd/internal/buildid for the note. Stripping leaves all of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from gofuzzsec.binary.elf import Elf

_MAGIC = b"\xff Go buildinf:"
_INLINE = 2  # flag: the strings follow; otherwise addresses of strings do, as before Go 1.18
_MAX_INFO = 1 << 20  # bytes; the list of a thousand modules takes 100 KiB
_MARK = 16  # bytes before and after the module data
_NOTE = b"Go\0\0"
_NOTE_BUILD_ID = 4
_MAX_NOTE = 4096


@dataclass(frozen=True, slots=True)
class Module:
    """A module at a version; ``replaced_by`` is what go.mod's ``replace`` put in its place."""

    path: str
    version: str
    checksum: str = ""
    replaced_by: Module | None = None


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """``go_version`` as "go1.26.8", with experiments behind a space; ``path`` of the main package;
    ``main`` its module, None outside of modules; ``modules`` all others; ``settings`` as
    ``go version -m`` lists them, such as ``-tags``, ``CGO_ENABLED``, ``vcs.revision``."""

    go_version: str
    path: str = ""
    main: Module | None = None
    modules: tuple[Module, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def read_build_info(elf: Elf) -> BuildInfo:
    """Raises BinaryError when there is none, or it is that of Go before 1.18."""
    section = elf.section(b".go.buildinfo")
    if section is None:
        raise elf.image.broken("a program without Go's build information (.go.buildinfo)")
    data = elf.content(section, _MAX_INFO)
    if not data.startswith(_MAGIC) or len(data) < 32:
        raise elf.image.broken("damaged build information (.go.buildinfo)")
    if not data[15] & _INLINE:
        raise elf.image.broken("a program of Go before 1.18; build it with Go 1.21 or newer")
    version, after = _string(data, 32)
    if not version.startswith(b"go") and not version.startswith(b"devel"):
        raise elf.image.broken(f"a Go program of the version {version[:80]!r}")
    text, _ = _string(data, after)
    return _parse(version.decode("utf-8", "replace"), text)


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """A string that begins with its length as a varint; empty when it does not fit."""
    length = 0
    for index, byte in enumerate(data[at : at + 5]):
        length |= (byte & 127) << (7 * index)
        if byte < 128:
            start = at + index + 1
            return (data[start : start + length], start + length) if length else (b"", start)
    return b"", at


def _parse(version: str, text: bytes) -> BuildInfo:
    """Lines of tab-separated fields between two marks."""
    path, main = "", None
    modules: list[Module] = []
    settings: dict[str, str] = {}
    if len(text) < 2 * _MARK + 1 or text[-_MARK - 1 : -_MARK] != b"\n":
        return BuildInfo(version)
    for line in text[_MARK:-_MARK].decode("utf-8", "replace").split("\n"):
        kind, *fields = line.split("\t")
        if kind == "path" and fields:
            path = fields[0]
        elif kind == "mod" and fields:
            main = _module(fields)
        elif kind == "dep" and fields:
            modules.append(_module(fields))
        elif kind == "=>" and fields:
            main, modules = _replaced(main, modules, _module(fields))
        elif kind == "build" and fields:
            key, value = _setting(fields[0])
            settings[key] = value
    return BuildInfo(version, path, main, tuple(modules), settings)


def _module(fields: list[str]) -> Module:
    path, version, checksum, *_ = (*fields, "", "")
    return Module(path, version, checksum)


def _replaced(
    main: Module | None, modules: list[Module], by: Module
) -> tuple[Module | None, list[Module]]:
    """The modules with the one named last replaced."""
    if modules:
        last = modules[-1]
        return main, [*modules[:-1], Module(last.path, last.version, last.checksum, by)]
    return main and Module(main.path, main.version, main.checksum, by), modules


def _setting(text: str) -> tuple[str, str]:
    """``key=value``; either may be a quoted Go string where it holds a blank or a quote."""
    if text.startswith(('"', "`")):
        end = text.find(text[0], 1)
        key, rest = text[1:end], text[end + 1 :]
        value = rest.removeprefix("=")
    else:
        key, _, value = text.partition("=")
    if len(value) > 1 and value[0] == value[-1] == "`":
        value = value[1:-1]
    elif len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return key, value


def read_build_id(elf: Elf) -> str:
    """Go's build id, "" when the program has none (``-buildid=``)."""
    section = elf.section(b".note.go.buildid")
    data = elf.content(section, _MAX_NOTE) if section is not None else b""
    if len(data) < 16:
        return ""
    name, size, kind = struct.unpack_from("<III", data)
    if name != len(_NOTE) or kind != _NOTE_BUILD_ID or data[12:16] != _NOTE:
        return ""
    return data[16 : 16 + size].decode("ascii", "replace")
