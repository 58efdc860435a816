"""Go programs to damage: real ones, cut down to a few functions, so that reading one takes a
millisecond; and what turns the fuzzer's bytes into damage.

An input is a list of changes, each a byte for the part of the program, two for where in it, one for
how many bytes follow. So a short input reaches every table, and most inputs are still programs.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.binary import GoProgram
from gofuzzsec.binary.elf import Section, read_elf
from gofuzzsec.toolchain import find_go

SOURCE = {
    "go.mod": "module example.org/small\n\ngo 1.21\n",
    "main.go": """package main

type maker interface{ make(n uintptr) uintptr }

type some struct{ number uintptr }

//go:noinline
//go:nosplit
func (s *some) make(n uintptr) uintptr { return raw(s.number + n) }

type other struct{}

//go:nosplit
func (other) make(n uintptr) uintptr { return raw(n) }

func raw(number uintptr) uintptr

//go:noinline
//go:nosplit
func choose(n int) uintptr {
	switch n {
	case 0:
		return raw(39)
	case 1:
		return raw(102)
	case 2:
		return deep(n)
	case 3, 5, 8:
		return raw(uintptr(n))
	case 4:
		panic("four")
	case 6:
		return deep(n + 1)
	}
	return 0
}

//go:nosplit
func deep(n int) uintptr { return raw(172) + uintptr(n) }

func main() {
	makers := []maker{&some{39}, other{}}
	for n := 0; n < 10; n++ {
		println(choose(n), makers[n%2].make(110))
	}
}
""",
    "raw_amd64.s": """TEXT ·raw(SB), 4, $0-16
	MOVQ number+0(FP), AX
	SYSCALL
	MOVQ AX, ret+8(FP)
	RET
""",
    "raw_arm64.s": """TEXT ·raw(SB), 4, $0-16
	MOVD number+0(FP), R8
	SVC
	MOVD R0, ret+8(FP)
	RET
""",
}
_HEADER = struct.Struct("<BHB")
_CUT = 255
"""The part that stands for the file's size."""

Part = tuple[int, int]
"""Offset in the file and bytes."""


def build(*flags: str, arch: str = "amd64") -> bytes:
    """A small Go program."""
    go = find_go()
    with tempfile.TemporaryDirectory(prefix="gofuzzsec-fuzz-") as name:
        folder = Path(name)
        for file, content in SOURCE.items():
            (folder / file).write_text(content)
        subprocess.run(
            [str(go.path), "build", *flags, "-o", "small", "."], cwd=folder, check=True,
            env={**os.environ, "GOARCH": arch, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
        )  # fmt: skip
        return (folder / "small").read_bytes()


def sections(data: bytes) -> dict[str, Section]:
    """The sections of a program that is whole, by name, in the order of their headers."""
    file = Damaged(data)
    try:
        return {section.name.decode(): section for section in read_elf(file.path).sections}
    finally:
        file.close()


def headers(data: bytes) -> dict[str, Part]:
    """Where the tables of headers are, and the header of each section."""
    first, last = struct.unpack_from("<QQ", data, 32)
    found = {"file": (0, 64), "segments": (first, 56 * struct.unpack_from("<H", data, 56)[0])}
    return found | {name: (last + 64 * at, 64) for at, name in enumerate(sections(data))}


def trimmed(data: bytes, functions: int) -> bytes:
    """*data* with its last *functions* functions (package main is last) and their code only, and
    only the first of its constants, variables and symbols. It is entered at main.main."""
    out = bytearray(data)
    found, rows = sections(data), headers(data)
    table, text = found[".gopclntab"], found[".text"]
    (count,) = struct.unpack_from("<Q", data, table.offset + 8)
    (functab,) = struct.unpack_from("<Q", data, table.offset + 64)
    left_out = count - functions
    struct.pack_into("<Q", out, table.offset + 8, functions)
    struct.pack_into("<Q", out, table.offset + 64, functab + 8 * left_out)
    for at in range(table.offset + functab + 8 * left_out, table.offset + functab + 8 * count, 8):
        start, record = struct.unpack_from("<II", data, at)
        struct.pack_into("<II", out, at, start, record - 8 * left_out)
    (first,) = struct.unpack_from("<I", data, table.offset + functab + 8 * left_out)
    module = data.index(struct.pack("<Q", table.address), found[".go.buildinfo"].offset)
    struct.pack_into("<Q", out, module + 8 * 20, text.address + first)
    struct.pack_into("<Q", out, 24, _main(data))
    cut = struct.pack("<QQQ", text.address + first, text.offset + first, text.size - first)
    out[rows[".text"][0] + 16 : rows[".text"][0] + 40] = cut
    for name, most in ((".rodata", 16384), (".data", 2048), (".symtab", 24 * 200)):
        if name in found:
            struct.pack_into("<Q", out, rows[name][0] + 32, min(most, found[name].size))
    return bytes(out)


def _main(data: bytes) -> int:
    file = Damaged(data)
    try:
        return GoProgram.read(file.path).functions.named("main.main")[0].address
    finally:
        file.close()


class Damaged:
    """A file in memory with *data*: `damage` changes it, `mend` puts it right. Owns its descriptor
    until `close`."""

    def __init__(self, data: bytes, parts: Sequence[Part] = ()) -> None:
        """*parts* are those that inputs can name."""
        self._data, self._parts = data, tuple(parts)
        self.fd = os.memfd_create("program", os.MFD_CLOEXEC)
        self.path = Path(f"/proc/self/fd/{self.fd}")
        self._changed: list[Part] = []
        self._write(0, data)

    def close(self) -> None:
        os.close(self.fd)

    def seeds(self) -> list[bytes]:
        """Inputs that change nothing, one for each part, and one that cuts the file in half."""
        found = [_HEADER.pack(_CUT, 1 << 15, 0)]
        for index, (start, size) in enumerate(self._parts):
            junk = self._data[start : start + min(size, 32)]
            found.append(_HEADER.pack(index, 0, len(junk)) + junk)
        return found

    def damage(self, changes: bytes) -> None:
        """Make the *changes* that an input stands for."""
        at = 0
        while at + _HEADER.size <= len(changes):
            part, where, size = _HEADER.unpack_from(changes, at)
            at += _HEADER.size
            junk = changes[at : at + size % 64]
            at += len(junk)
            if part == _CUT:
                keep = where * len(self._data) >> 16
                self._changed.append((keep, len(self._data) - keep))
                os.ftruncate(self.fd, keep)
                continue
            start, room = self._parts[part % len(self._parts)]
            place = start + where % room
            junk = junk[: start + room - place]
            self._changed.append((place, len(junk)))
            os.pwrite(self.fd, junk, place)

    def mend(self) -> None:
        """Take the changes back."""
        for start, size in self._changed:
            self._write(start, self._data[start : start + size])
        self._changed.clear()

    def _write(self, start: int, data: bytes) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self.fd, data[done:], start + done)
