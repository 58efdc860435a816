"""The dictionary of one target: what the user and the package bring, and what workers learn."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_LEARNT = 4096


class TokenBook:
    """Tokens in the order they came. ``version`` moves when there are more of them."""

    def __init__(self, given: Iterable[bytes], literals: Iterable[bytes] = ()) -> None:
        """*given* is the user's dictionary, *literals* come from the package under test."""
        self._tokens = dict.fromkeys(given, False)
        for token in literals:
            self._tokens.setdefault(token, True)
        self._learnt = 0
        self.version = 0

    def learn(self, tokens: Iterable[bytes]) -> None:
        """Take what a worker saw the target compare with; beyond a limit no more is taken."""
        for token in tokens:
            if token not in self._tokens and self._learnt < _MOST_LEARNT:
                self._tokens[token] = True
                self._learnt += 1
                self.version += 1

    def pairs(self) -> tuple[tuple[bytes, bool], ...]:
        """All tokens, each with whether it was learnt or found rather than given."""
        return tuple(self._tokens.items())
