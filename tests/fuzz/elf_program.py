"""Go programs: headers, build information, the table of functions, symbols, source lines. The
first byte of an input chooses the program, the rest damages it (see programs.py)."""

import contextlib

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.binary import GoProgram, resolve
    from gofuzzsec.binary.functions import function_rows
    from gofuzzsec.errors import BinaryError, UsageError
    from gofuzzsec.toolchain import elf as headers_only

from tests.fuzz.programs import Damaged, build, headers, sections, trimmed

FUNCTIONS, EXAMINED = 12, 4
CHOICES = (0, 0, 0, 0, 1, 1, 1, 2)
"""Programs by the first byte: the last is whole and takes longest."""


def damaged(data: bytes) -> Damaged:
    """Every table of *data* in reach."""
    found = sections(data)
    table = found[".gopclntab"].offset
    starts = [
        int.from_bytes(data[at : at + 8], "little") for at in range(table + 32, table + 72, 8)
    ]
    parts = [(table, 72), *((table + start, 2048) for start in starts), *headers(data).values()]
    names = (".go.buildinfo", ".note.go.buildid", ".go.module", ".symtab", ".strtab", ".shstrtab")
    for name in (*names, ".rela", ".rela.dyn", ".rodata"):
        if name in found:
            parts.append((found[name].offset, min(found[name].size, 1 << 16)))
    return Damaged(data, parts)


def read(data: bytes) -> None:
    file = PROGRAMS[CHOICES[data[0] % len(CHOICES)] if data else 0]
    file.damage(data[1:])
    try:
        examine(file)
    finally:
        file.mend()


def examine(file: Damaged) -> None:
    """Read the file with each of our readers, and ask all that may be asked."""
    with contextlib.suppress(headers_only.ElfError):
        image = headers_only.Image(file.fd)
        headers_only.read_build_info(image, headers_only.read_program(image))
    program = GoProgram.read(file.path)
    assert program.build_id is not None and program.go_version
    functions = program.functions
    for index in range(len(functions) - 1, max(-1, len(functions) - 1 - EXAMINED), -1):
        function = functions[index]
        program.frames(function.address, call=False)
        program.frames(function.end, call=True)
        with contextlib.suppress(BinaryError):
            assert len(program.code(function)) == function.size
    with contextlib.suppress(UsageError):
        resolve(program, "main.choose")
    program.inlined_into("main.deep")
    function_rows(program.elf)


PROGRAMS = (
    damaged(trimmed(build("-ldflags=-compressdwarf=false"), FUNCTIONS)),
    damaged(trimmed(build("-ldflags=-s -w", arch="arm64"), FUNCTIONS)),
    damaged(build("-buildmode=pie", "-ldflags=-s -w")),
)

if __name__ == "__main__":
    for program in PROGRAMS:
        examine(program)
    begin = [
        bytes([CHOICES.index(n)]) + seed for n, file in enumerate(PROGRAMS) for seed in file.seeds()
    ]
    fuzz(read, begin, longest=160, batch=40000)
