"""Run a program under a profile: ``python -m gofuzzsec.seccomp.launch PROFILE [--user N] -- PROGRAM
[ARGUMENT...]``.

PROFILE is a file of any format that `formats` reads. It is compiled and loaded as a container
runtime does it, and nothing lies between that and the program's execve. Without --user the program
runs as who called; with it root becomes that user and group first. ``--log`` lets everything
through and has the kernel log what the profile would have refused.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gofuzzsec.errors import GofuzzsecError, UsageError
from gofuzzsec.seccomp.enforce import compile_filter
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.install import become, install
from gofuzzsec.seccomp.resolve import Setting, resolve
from gofuzzsec.syscalls import table


def launch(words: Sequence[str]) -> None:
    """Do what the command line *words* say. Returns only by an error: UsageError, ProfileError,
    RecorderError, OSError."""
    parser = argparse.ArgumentParser(prog="gofuzzsec.seccomp.launch", description=__doc__)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--user", type=int, help="number of the user to become")
    parser.add_argument("--log", action="store_true", help="log instead of refusing")
    end = words.index("--") if "--" in words else len(words)
    given, command = parser.parse_args(words[:end]), list(words[end + 1 :])
    program = shutil.which(command[0]) if command else None
    if program is None:
        raise UsageError(f"expected -- and a program that is there, found {' '.join(command)!r}")
    arch = table.machine_arch()
    profile = resolve(read_profile(given.profile), arch, Setting())
    compiled = compile_filter(profile, arch, log_only=given.log)
    if compiled.skipped:
        print(f"no calls here, skipped: {', '.join(compiled.skipped)}", file=sys.stderr)
    if given.user is not None:
        become(given.user)
    sys.stderr.flush()
    install(compiled.program, compiled.flags)
    os.execv(program, command)


if __name__ == "__main__":
    try:
        launch(sys.argv[1:])
    except GofuzzsecError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"cannot start under the profile: {error}", file=sys.stderr)
        sys.exit(125)
