"""A program's file as `code_tokens` looks at it: the functions of one package, read-only bytes."""

from __future__ import annotations

from gofuzzsec.binary.elf import Elf
from gofuzzsec.binary.table import Function, FunctionTable

MAX_FUNCTION = 1 << 20
"""Bytes of one function that are read; generated tables of code are longer, and tell nothing."""

_WRITABLE, _EXECUTABLE = 2, 1  # p_flags


class Memory:
    """The loaded segments of one program. Reads from the file as it is asked, so that a binary of
    any size costs little memory."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self.read = elf.read

    def is_constant(self, address: int) -> bool:
        """Whether *address* is in read-only data, where the linker puts the text of strings."""
        segment = self._elf.segment_at(address)
        return segment is not None and not segment.flags & (_WRITABLE | _EXECUTABLE)

    def is_mapped(self, address: int) -> bool:
        """Whether the file has the byte at *address*."""
        return self._elf.segment_at(address) is not None


def functions_of(functions: FunctionTable, path: str) -> list[Function]:
    """Those of the package with import path *path* and of its external tests."""
    prefixes = tuple(f"{name}{end}" for name in {path, escaped(path)} for end in (".", "_test."))
    found = _starting(functions, prefixes)
    return [function for function in found if 0 < function.size <= MAX_FUNCTION]


def hook_addresses(functions: FunctionTable) -> frozenset[int]:
    """Where the functions are that a fuzz build calls around comparisons."""
    hooks = _starting(functions, ("runtime.libfuzzerTrace", "runtime.libfuzzerHook"))
    return frozenset(function.address for function in hooks)


def _starting(functions: FunctionTable, prefixes: tuple[str, ...]) -> list[Function]:
    names = enumerate(functions.names)
    return [functions[index] for index, name in names if name.startswith(prefixes)]


def escaped(path: str) -> str:
    """An import path as the linker writes it before a name: a dot in its last element, quotes,
    percent signs and what is not printable ASCII become ``%xx`` (cmd/internal/objabi)."""
    slash = path.rfind("/")
    out = []
    for index, byte in enumerate(path.encode()):
        plain = 0x20 < byte < 0x7F and byte not in b'%"'
        dot = byte == ord(".") and index > slash
        out.append(chr(byte) if plain and not dot else f"%{byte:02x}")
    return "".join(out)
