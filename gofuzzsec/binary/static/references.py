"""What machine code refers to, as flat arrays: the form both architectures' readers give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Addresses = npt.NDArray[np.int64]

Kinds = npt.NDArray[np.uint8]

CALL, BRANCH, ADDRESS, PAGE, NUMBER = 1, 2, 3, 4, 5
"""Kinds of reference: a call, a jump (also one that never leaves its function), an address that is
taken, loaded from or stored to, somewhere in the 4096 bytes from an address on (arm64), and a
number that is an address or not."""

Part = tuple[Addresses, Addresses, int | Kinds]
"""Places, targets and their kind or kinds."""

NOTHING: Addresses = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Found:
    """``at``, ``target`` and ``kind`` belong together, ordered by ``at``. ``calls`` are system call
    instructions, ``legacy`` those of 32-bit programs; ``starts`` are all instructions; ``unknown``
    are bytes that are no instruction known to the disassembler."""

    at: Addresses
    target: Addresses
    kind: Kinds
    calls: Addresses
    legacy: Addresses
    starts: Addresses
    unknown: Addresses

    @classmethod
    def of(
        cls,
        parts: Sequence[Part],
        *,
        calls: Addresses = NOTHING,
        legacy: Addresses = NOTHING,
        starts: Addresses = NOTHING,
        unknown: Addresses = NOTHING,
    ) -> Found:
        """Put *parts*, of which there is one at least, together."""
        at = np.concatenate([part[0] for part in parts])
        target = np.concatenate([part[1] for part in parts])
        kind = np.concatenate(
            [np.broadcast_to(np.asarray(part[2], np.uint8), len(part[0])) for part in parts]
        )
        order = np.argsort(at, kind="stable")
        return cls(at[order], target[order], kind[order], calls, legacy, starts, unknown)
