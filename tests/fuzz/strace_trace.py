"""strace's lines: each is something, and all of them together are calls of some bracket."""

from tests.fuzz.runner import fuzz, watched

with watched():
    from gofuzzsec.syscalls.attribution import attribute
    from gofuzzsec.syscalls.places import Places
    from gofuzzsec.syscalls.sightings import Observer
    from gofuzzsec.syscalls.symbols import Segment, Symbols
    from gofuzzsec.syscalls.trace import Call, Frame, parse_line, unknown_number

BINARY = "/tmp/m(1).test"
SYMBOLS = Symbols(
    [
        (0x401000, 0x100, b"runtime.futex"),
        (0x402000, 0x100, b"syscall.RawSyscall6"),
        (0x403000, 0x100, b"example.org/m.FuzzX.func1"),
        (0x404000, 0x100, b"os.(*File).Write"),
    ],
    (Segment(0, 0x400000, 0x10000),),
    False,
)
SEEDS = (
    b"""1 [0000000000402020] execve(0x7ff, 0xc0, 0xc1) = 0
1 [0000000000402020] read(0x3, 0xc0000d4000, 0x1000) = 0x10
1 [0000000000402020] openat(0xffffff9c, 0xc000010c20, 0x80000, 0) = -1 ENOENT (No such file)
 > /tmp/m(1).test(os.(*File).Write+0x14) [0x4010]
 > /tmp/m(1).test(example.org/m.FuzzX.func1+0x14) [0x3010]
1 [0000000000402020] write(0x4, 0xc0000d4000, 0x10) = 0x10
1 [????????????????] +++ exited with 0 +++
""",
    b"""1 [0000000000402020] execve(0x7ff, 0xc0, 0xc1) = 0
1 [0000000000402020] clone(0x50f00, 0xc000048000, 0, 0, 0) = 2
1 [0000000000402020] clone3({flags=0x4000, exit_signal=17}, 88 <unfinished ...>
2 [0000000000401020] futex(0x5c, 0x80, 0, 0, 0, 0 <unfinished ...>
1 [0000000000402020] <... clone3 resumed>) = 3
3 [0000000000402020] syscall_0x1c3(0x1) = -1 ENOSYS (Function not implemented)
2 [0000000000401020] <... futex resumed>) = ? ERESTARTSYS (To be restarted)
2 [0000000000401020] <... ??? resumed>
strace: something
3 [00402020] +++ superseded by execve in pid 1 +++
""",
    b"12 read(0x3, 0xc0000d4001, 0x5ff <unfinished ...>\n--- SIGURG {si_signo=1} ---\n???( = ?",
)
WORDS = (
    b" <unfinished ...>", b"resumed>) = ", b" [0000000000402020] ", b" = -1 EINTR (x)", b"clone3(",
    b"vfork(", b"rt_sigreturn(", b"socket(", b"epoll_pwait(", b"execve(", b" > /tmp/m(1).test(",
)  # fmt: skip


def read(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    lines = [parse_line(line, BINARY) for line in text.split("\n")]
    for bracketed in (True, False):
        observer = Observer(
            Places(SYMBOLS), BINARY, "amd64", bracketed=bracketed,
            key_of=lambda stack: attribute(stack).value,
        )  # fmt: skip
        for line in lines:
            observer.observe(line)
        observer.flush()
        taken, stray = observer.take(), observer.take_stray()
        seen = sum((*taken.counts.values(), *stray.counts.values()))
        # A line is one call at most, but a thread's start is seen from both sides.
        assert 0 <= seen <= 2 * len(lines)
    for line in lines:
        if isinstance(line, Call):
            unknown_number(line.name)
            line.argument(1), line.numbers((0,)), line.numbers((0, 2))
            line.makes_thread()
        elif isinstance(line, Frame):
            Places(SYMBOLS).frames(line, BINARY)


if __name__ == "__main__":
    fuzz(read, SEEDS, words=WORDS)
