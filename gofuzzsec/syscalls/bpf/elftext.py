"""Where a program's code is, of any ELF file."""

from __future__ import annotations

import struct
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from gofuzzsec.errors import RecorderError


def code_range(path: Path) -> tuple[int, int]:
    """The lowest and highest address of what *path* has loaded as code, as linked.

    Raises RecorderError for what is no 64-bit little-endian ELF file with code.
    """
    try:
        with path.open("rb") as handle:
            ranges = [
                (segment["p_vaddr"], segment["p_vaddr"] + segment["p_memsz"])
                for segment in ELFFile(handle).iter_segments("PT_LOAD")
                if segment["p_flags"] & 1  # PF_X
            ]
    # pyelftools lets whatever its parsing ran into escape from damaged headers.
    except (ELFError, OSError, ValueError, KeyError, AttributeError, TypeError, struct.error) as e:
        raise RecorderError(
            f"expected an ELF program in {path}, found: {e or type(e).__name__}; build it again"
        ) from e
    if not ranges:
        raise RecorderError(f"expected code in {path}, found none; build it again")
    return min(low for low, _ in ranges), max(high for _, high in ranges)
