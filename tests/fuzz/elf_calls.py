"""The call graph and its system calls, of a program that an input damages (see programs.py); the
first byte chooses the program."""

from tests.fuzz.runner import fuzz, watched

with watched(  # but what computes with arrays, see there
    *(
        f"gofuzzsec.binary.static.{name}"
        for name in ("code", "data", "space", "types", "amd64", "arm64", "references")
    )
):
    from gofuzzsec.binary import GoProgram
    from gofuzzsec.binary.static import CallGraph
    from gofuzzsec.syscalls.bound import bound_of

from tests.fuzz.programs import Damaged, build, headers, sections, trimmed

FUNCTIONS = 10


def damaged(data: bytes) -> Damaged:
    """Code, types, variables and the tables that name them in reach."""
    found, rows = sections(data), headers(data)
    table = found[".gopclntab"].offset
    functab = table + int.from_bytes(data[table + 64 : table + 72], "little")
    names = (".text", ".rodata", ".noptrdata", ".data", ".go.module", ".symtab")
    parts = [(found[name].offset, found[name].size) for name in names if name in found]
    parts += [(functab, 8 * FUNCTIONS + 4), (table, 72)]
    return Damaged(data, [*parts, *(rows[name] for name in names if name in found)])


def read(data: bytes) -> None:
    file = PROGRAMS[data[0] % len(PROGRAMS)] if data else PROGRAMS[0]
    file.damage(data[1:])
    try:
        graph = CallGraph.read(GoProgram.read(file.path))
        for root in ("main", "main.choose"):
            bound = bound_of(graph, [root])
            assert bound.reached <= bound.functions
    finally:
        file.mend()


PROGRAMS = tuple(
    damaged(trimmed(build(flags, arch=arch), FUNCTIONS))
    for arch in ("amd64", "arm64")
    for flags in ("-ldflags=-w", "-ldflags=-s -w")
)

if __name__ == "__main__":
    for file in PROGRAMS:
        whole = bound_of(CallGraph.read(GoProgram.read(file.path)), ["main"])
        assert whole.calls or whole.unknown, "the program's own calls are not found"
    begin = [bytes([n]) + seed for n, file in enumerate(PROGRAMS) for seed in file.seeds()]
    fuzz(read, begin, longest=160, batch=20000)
