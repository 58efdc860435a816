"""systemd's units: SystemCallFilter= and what goes with it."""

from tests.fuzz.profiles import read_text
from tests.fuzz.runner import fuzz

SEEDS = (
    b"""[Service]
# gofuzzsec
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources:EPERM mount:38
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native x86-64
""",
    b"[Service]\nSystemCallFilter=read write \\\n  ; comment\n  close\nSystemCallLog=~clone\n"
    b"SystemCallErrorNumber=kill\nSystemCallFilter=\nSystemCallFilter=openat:ENOSYS\n",
    b"SystemCallFilter = ~@clock\nSystemCallArchitectures=\n",
)
WORDS = (
    b"SystemCallFilter=", b"SystemCallErrorNumber=", b"SystemCallArchitectures=", b"SystemCallLog=",
    b"[Service]\n", b"@default ", b"@known ", b"@mount ", b"~", b":EPERM ", b":kill ", b"\\\n",
)  # fmt: skip


def read(data: bytes) -> None:
    read_text(data, "systemd")


if __name__ == "__main__":
    fuzz(read, SEEDS, words=WORDS, longest=2048)
