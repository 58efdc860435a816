"""Raw seccomp programs, as libseccomp exports them."""

import struct

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.seccomp.bpf import disassemble, looks_like_bpf, parse_bpf


def program(*instructions: tuple[int, int, int, int]) -> bytes:
    return b"".join(struct.pack("<HBBI", *each) for each in instructions)


ALLOW, REFUSE = (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)
SEEDS = (
    program(
        (0x20, 0, 0, 4), (0x15, 1, 0, 0xC000003E), (0x06, 0, 0, 0), (0x20, 0, 0, 0),
        (0x35, 0, 1, 0x40000000), REFUSE, (0x15, 0, 4, 41), (0x20, 0, 0, 20), (0x54, 0, 0, 255),
        (0x15, 0, 1, 0), ALLOW, REFUSE,
    ),
    program(
        (0x00, 0, 0, 7), (0x02, 0, 0, 3), (0x61, 0, 0, 3), (0x0C, 0, 0, 0), (0x87, 0, 0, 0),
        (0x84, 0, 0, 0), (0x80, 0, 0, 0), (0x05, 0, 0, 1), ALLOW, (0x16, 0, 0, 0),
    ),
    program(*[(0x15, 255, 255, 1)] * 30, REFUSE),
)  # fmt: skip


def read(data: bytes) -> None:
    looks_like_bpf(data)
    found = parse_bpf(data)
    assert len(found) * 8 == len(data)
    assert len(list(disassemble(found))) >= len(found)


if __name__ == "__main__":
    fuzz(read, SEEDS, longest=1024)
