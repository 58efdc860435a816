"""The agent's tables of system calls in memory that the code under test shares: 16 bytes of input
for each 8 that are written, where and what."""

import struct

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.syscalls import inprocess

MEMORY = bytearray(inprocess.TABLES_SIZE)
WRITE = struct.Struct("<II")
NOW = 1 << 32
MARKS, HELD, STACKS = 192, 192 + 4096, 8192


def write(at: int, value: int) -> bytes:
    return WRITE.pack(at, 0)[:4] + struct.pack("<Q", value)


ONE = struct.Struct("<IQ")
SEEDS = (
    b"".join((write(0, NOW), write(MARKS + 8 * 257, NOW | 3), write(HELD + 4 * 257, 3))),
    b"".join(
        (
            write(0, NOW), write(MARKS + 8 * 41, NOW | 0b111), write(HELD + 4 * 41, 0b111),
            write(STACKS + 512 * (41 * 32), 2), write(STACKS + 512 * (41 * 32) + 8, 0x401000),
        )
    ),
    write(MARKS + 8 * 511, 1) + write(HELD + 4 * 511, 1),
)  # fmt: skip
LINES = ("main.main /a/b.go:3", "syscall.Open", "", " nothing", "x" * 3000)


def read(data: bytes) -> None:
    touched = []
    try:
        for at, value in ONE.iter_unpack(data[: len(data) // ONE.size * ONE.size]):
            place = at % (len(MEMORY) - 8)
            touched.append(place)
            struct.pack_into("<Q", MEMORY, place, value)
        tables = inprocess.read_tables(MEMORY)
    finally:
        for place in touched:
            MEMORY[place : place + 8] = bytes(8)
    for marks in (tables.marked, tables.seen):
        stacks = {index: LINES[: index % 6] for index in marks}
        inprocess.recording_of(marks, stacks, "amd64")
        calls = [inprocess.TracedCall(mark, 1, stacks[mark]) for mark in marks]
        inprocess.recording_of_trace(calls, marks, "arm64", all_traced=bool(len(data) & 1))


if __name__ == "__main__":
    fuzz(read, SEEDS, longest=ONE.size * 24)
