"""Everything that has to do with Go as a program: find it, ask it what packages are, build them.

`find_go` picks a toolchain, `list_packages` turns what the user typed into packages with fuzz
targets, `build_fuzz_binary` makes the instrumented test binary of one of them in a cache named by
the contents of all its sources (`build_boosted` adds our agent to it, by an overlay of the user's
standard library that `prepare_overlay` makes), and `open_binary` takes a ready-made one after
looking at it with suspicion. Nothing here writes into a user's module or into GOROOT.
`doctor.checks` says what of all this works on the machine at hand.
"""

from gofuzzsec.toolchain.binaries import open_binary
from gofuzzsec.toolchain.build import (
    build_boosted,
    build_fuzz_binary,
    build_program,
    build_test_binary,
)
from gofuzzsec.toolchain.cache import cache_dir
from gofuzzsec.toolchain.find import find_go, go_fuzz_cache
from gofuzzsec.toolchain.model import FuzzBinary, Go, Package
from gofuzzsec.toolchain.overlay import Overlay, prepare_overlay
from gofuzzsec.toolchain.packages import list_packages, list_tested

__all__ = [
    "FuzzBinary",
    "Go",
    "Overlay",
    "Package",
    "build_boosted",
    "build_fuzz_binary",
    "build_program",
    "build_test_binary",
    "cache_dir",
    "find_go",
    "go_fuzz_cache",
    "list_packages",
    "list_tested",
    "open_binary",
    "prepare_overlay",
]
