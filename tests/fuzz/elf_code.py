"""Machine code as it may stand in a program: where functions are left, constants, references. The
first byte of an input chooses the architecture, the rest is code."""

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.binary.decode import decoder
    from gofuzzsec.binary.returns import disassembler, exits
    from gofuzzsec.binary.static import amd64, arm64

from tests.fuzz.programs import build, sections

ADDRESS = 0x401000
ARCHES = ("amd64", "arm64")
DISASSEMBLE = {arch: disassembler(arch) for arch in ARCHES}
DECODE = {arch: decoder(arch) for arch in ARCHES}


def read(data: bytes) -> None:
    arch = ARCHES[data[0] % 2] if data else ARCHES[0]
    code, end = data[1:], ADDRESS + len(data) - 1
    for assembly in (False, True):
        found = exits(DISASSEMBLE[arch](code, ADDRESS), ADDRESS, end, arch=arch, assembly=assembly)
        places = (*found.returns, *found.unreadable, *(at for at, _ in found.jumps))
        assert all(ADDRESS <= at < end for at in places)
    assert all(event.kind for event in DECODE[arch](code, ADDRESS))
    if arch == "arm64":
        arm64.find(code, ADDRESS, paired=bool(len(code) % 8))
    elif code:
        amd64.find(code, ADDRESS, fixed=bool(len(code) % 2))


def seeds() -> list[bytes]:
    """Real code, from all over the runtime."""
    found = []
    for number, arch in enumerate(ARCHES):
        data = build("-ldflags=-s -w", arch=arch)
        text = sections(data)[".text"]
        for at in range(text.offset, text.offset + text.size, text.size // 20 & -32):
            found.append(bytes([number]) + data[at : at + 192])
    return found


if __name__ == "__main__":
    fuzz(read, seeds(), longest=256)
