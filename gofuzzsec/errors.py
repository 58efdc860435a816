"""The one small hierarchy of errors that users see.

Every message says what was expected, what was found and what to do. The command line prints the
message without a traceback and exits with the class's ``exit_status``.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_CRASHES = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3


class GofuzzsecError(Exception):
    """Anything that ends a command with a message instead of a traceback."""

    exit_status = EXIT_ENVIRONMENT


class UsageError(GofuzzsecError):
    """The command line, or a file the user named, asks for something that cannot be."""

    exit_status = EXIT_USAGE


class ToolchainError(GofuzzsecError):
    """Go is missing, too old, or cannot say what a package is."""


class BuildError(GofuzzsecError):
    """`go test -c` failed; ``output`` is what Go printed, unchanged."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(f"{message}\n{output}".rstrip() if output else message)
        self.output = output


class OverlayError(GofuzzsecError):
    """This Go's standard library cannot be boosted; the message is one line that says why."""


class WorkerStartError(GofuzzsecError):
    """A fuzz binary would not become a worker; the message holds its standard error."""


class ProtocolError(GofuzzsecError):
    """A worker answered with something the protocol does not allow."""


class CorpusError(GofuzzsecError):
    """A corpus file is not in Go's format, or does not fit the target."""

    exit_status = EXIT_USAGE


class RecorderError(GofuzzsecError):
    """A system call recorder cannot start, or its output cannot be trusted."""


class PrivilegeError(GofuzzsecError):
    """Root's privileges cannot be given up, or a folder is not the user's to write."""


class CoverageError(GofuzzsecError):
    """A cover profile, or the coverage data that a program left, cannot be read."""


class BinaryError(GofuzzsecError):
    """A program's file is no Go binary that can be read here, or lacks what was asked of it."""

    exit_status = EXIT_USAGE


class StoreError(GofuzzsecError):
    """The campaign database is missing, damaged, from another version, or in use."""


class ProfileError(GofuzzsecError):
    """A seccomp profile cannot be read or built."""

    exit_status = EXIT_USAGE
