"""gofuzzsec: coverage-guided fuzzing of Go that turns system calls into seccomp profiles.

Layers, top to bottom; a module imports only from its own layer or from one below:

1. ``cli``: click commands, argument handling only
2. ``report``: terminal output of what a campaign says
3. ``coordinator``: campaigns, captures, profiles put to the test
4. ``seccomp``: profiles
5. ``syscalls``, ``store``: recorders; the campaign database
6. ``worker``, ``toolchain``, ``binary``, ``mutate``, ``coverage``: processes, builds, values in
   motion; ``agent`` holds the Go files that boosted builds add
7. ``corpus``, ``errors``, ``files``, ``privilege``: values at rest; who this process is
"""

__version__ = "0.1.0"
