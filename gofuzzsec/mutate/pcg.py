"""The random numbers of Go's fuzz workers: PCG XSH RR 64/32.

A worker saves the generator's two words in shared memory before each chain of mutations; from
them the same numbers come out here. The generator is M. E. O'Neill's (pcg-random.org); reducing to
a range follows D. Lemire's multiplication method. Source of the choices: ``internal/fuzz/pcg.go``,
the same from Go 1.21 to 1.27.
"""

from __future__ import annotations

_MULTIPLIER = 6364136223846793005
_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


class Pcg:
    """A generator at one point of its sequence. *state* and *inc* are unsigned 64-bit words."""

    __slots__ = ("inc", "state")

    def __init__(self, state: int, inc: int) -> None:
        self.state = state
        self.inc = inc

    @classmethod
    def seeded(cls, seed: int, stream: int) -> Pcg:
        """The generator Go makes from a time in nanoseconds (or ``GODEBUG=fuzzseed``).

        *stream* is its number in the process, from 1. Streams give different sequences.
        """
        seed &= _MASK64
        rng = cls(seed, (stream << 1 | 1) & _MASK64)
        rng.uint32()
        rng.state = (rng.state + seed) & _MASK64
        rng.uint32()
        return rng

    def uint32(self) -> int:
        """The next number in [0, 2^32)."""
        x = self.state
        self.state = (x * _MULTIPLIER + self.inc) & _MASK64
        word = ((x >> 18) ^ x) >> 27 & _MASK32
        turn = x >> 59
        return (word >> turn | word << (32 - turn)) & _MASK32

    def intn(self, n: int) -> int:
        """The next number in [0, *n*), which takes one or more of the sequence; 0 when *n* is 0.

        Raises ValueError unless *n* fits 32 bits.
        """
        if not 0 <= n <= _MASK32:
            raise ValueError(f"expected a bound of 32 bits, found {n}")
        product = self.uint32() * n
        low = product & _MASK32
        if low < n:
            # Below this threshold some results would come up once too often.
            threshold = -n % (1 << 32) % n
            while low < threshold:
                product = self.uint32() * n
                low = product & _MASK32
        return product >> 32

    def boolean(self) -> bool:
        """The next coin toss."""
        return not self.uint32() & 1
