"""Run a program under a seccomp profile: ``enforce.py PROFILE USER PROGRAM [ARGUMENT...]``.

Reads the OCI form, loads it with libseccomp the way a container runtime does, and execs. USER is a
number to change to first, or "-".
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyseccomp

from gofuzzsec.syscalls import table


def main() -> None:
    profile = json.loads(Path(sys.argv[1]).read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    loaded = pyseccomp.SyscallFilter(pyseccomp.ERRNO(profile["defaultErrnoRet"]))
    arch = table.machine_arch()
    for entry in profile["syscalls"]:
        assert entry["action"] == "SCMP_ACT_ALLOW"
        for name in entry["names"]:
            number = table.number(name, arch)
            assert number is not None, name
            loaded.add_rule(pyseccomp.ALLOW, number)  # by number: libseccomp may be older
    if sys.argv[2] != "-":  # only now: Python itself may be in a folder of the first user's
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    loaded.load()  # sets no_new_privs
    os.execv(sys.argv[3], sys.argv[3:])


if __name__ == "__main__":
    main()
