"""The call graph of a Go binary and every system call that it could make.

`CallGraph` disassembles a program and finds its system calls; `gofuzzsec.syscalls.bound` asks it
what is reachable from a root and gives the calls their names. What is followed how, and where that
errs towards too much, is said in `reach`; how numbers are found in `sites`.
"""

from gofuzzsec.binary.static.graph import CallGraph
from gofuzzsec.binary.static.reach import Reach
from gofuzzsec.binary.static.sites import Site, Sites

__all__ = ["CallGraph", "Reach", "Site", "Sites"]
