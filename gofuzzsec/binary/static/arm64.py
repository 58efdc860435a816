"""arm64 machine code to the addresses it refers to. Every instruction is four bytes, so that numpy
alone does it. Encoding: Arm Architecture Reference Manual for A-profile, chapter C4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gofuzzsec.binary.static.references import ADDRESS, BRANCH, CALL, PAGE, Addresses, Found, Part

PAGE_BYTES = 4096
_REACH = 4
"""Instructions after ``ADRP`` in which its other half is looked for. Go's assembler emits the two
side by side; what is not found so counts as a reference to the whole page."""

Words = npt.NDArray[np.int64]


def find(code: bytes, address: int, *, paired: bool) -> Found:
    """Everything that *code* at *address* refers to, constants among its instructions included.

    *paired*: all of the code is Go's, which uses a page's address for one access only.
    """
    words = np.frombuffer(code[: len(code) // 4 * 4], "<u4").astype(np.int64)
    at = address + np.arange(len(words)) * 4
    link, branch = words >> 26 == 0b100101, words >> 26 == 0b000101
    short = (words & 0xFF000000 == 0x54000000) | (words & 0x7E000000 == 0x34000000)
    test = words & 0x7E000000 == 0x36000000
    near = words & 0x9F000000 == 0x10000000
    literal = words & 0x3B000000 == 0x18000000
    parts: list[Part] = [
        (at[link], (at + _signed(words, 0, 26) * 4)[link], CALL),
        (at[branch], (at + _signed(words, 0, 26) * 4)[branch], BRANCH),
        (at[short], (at + _signed(words, 5, 19) * 4)[short], BRANCH),
        (at[test], (at + _signed(words, 5, 14) * 4)[test], BRANCH),
        (at[near], (at + _page_distance(words))[near], ADDRESS),
        (at[literal], (at + _signed(words, 5, 19) * 4)[literal], ADDRESS),
    ]
    parts.append(_literals(code, address, at[literal], parts[-1][1]))
    return Found.of(
        [*parts, *_pages(words, at, paired)],
        calls=at[words & 0xFFE0001F == 0xD4000001],
        starts=at,
    )


def _literals(code: bytes, address: int, at: Addresses, target: Addresses) -> Part:
    """The words that instructions load from among the code, which may be addresses."""
    body = np.frombuffer(code, np.uint8)
    offset = target - address
    inside = (offset >= 0) & (offset <= len(body) - 8)
    words = body[offset[inside][:, None] + np.arange(8)]
    return at[inside], np.ascontiguousarray(words).view(np.int64).reshape(-1), ADDRESS


def _signed(words: Words, low: int, bits: int) -> Words:
    value = words >> low & (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


def _page_distance(words: Words) -> Words:
    """The 21-bit distance of ADR (bytes) and ADRP (pages)."""
    value = (words >> 5 & 0x7FFFF) << 2 | words >> 29 & 3
    return value - (value >> 20 << 21)


def _pages(words: Words, at: Addresses, paired: bool) -> list[Part]:
    """ADRP with the ADD, load or store that takes its register, and the pages of those for which
    no such instruction is in reach."""
    (where,) = np.nonzero(words & 0x9F000000 == 0x90000000)
    page = (at[where] & ~(PAGE_BYTES - 1)) + _page_distance(words[where]) * PAGE_BYTES
    register = words[where] & 31
    target = np.full(len(where), -1, np.int64)
    searched = np.ones(len(where), bool)
    for step in range(1, _REACH + 1):
        inside = where + step < len(words)
        other = words[np.where(inside, where + step, 0)]
        uses = searched & inside & (other >> 5 & 31 == register)
        add = uses & (other & 0xFFC00000 == 0x91000000)
        access = uses & (other & 0x3B000000 == 0x39000000)
        vector = access & (other & 0x04800000 == 0x04800000) & (other >> 30 == 0)
        scale = np.where(vector, 4, other >> 30)
        offset = np.where(access, (other >> 10 & 0xFFF) << scale, other >> 10 & 0xFFF)
        target = np.where(add | access, page + offset, target)
        # Whatever else touches the register ends the search, and the page counts as a whole.
        searched &= ~(uses | (other & 31 == register))
    found = target >= 0
    whole = ~found if paired else np.ones(len(where), bool)
    return [(at[where][found], target[found], ADDRESS), (at[where][whole], page[whole], PAGE)]
