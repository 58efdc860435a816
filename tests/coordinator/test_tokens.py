"""The dictionary of a target."""

from __future__ import annotations

from gofuzzsec.coordinator import tokens
from gofuzzsec.coordinator.tokens import TokenBook


def test_given_tokens_come_first_and_once() -> None:
    book = TokenBook([b"user", b"both", b"user"], [b"literal", b"both"])
    assert book.pairs() == ((b"user", False), (b"both", False), (b"literal", True))
    assert book.version == 0


def test_the_version_moves_with_what_is_learnt() -> None:
    book = TokenBook([b"user"])
    book.learn([b"user"])
    assert book.version == 0, "nothing new, so no worker has to be told"
    book.learn([b"new", b"newer", b"new"])
    assert book.version == 2
    assert book.pairs()[1:] == ((b"new", True), (b"newer", True))


def test_what_is_learnt_is_bounded() -> None:
    book = TokenBook([], (b"literal %d" % number for number in range(10)))
    book.learn(b"learnt %d" % number for number in range(tokens._MOST_LEARNT + 100))
    assert len(book.pairs()) == tokens._MOST_LEARNT + 10
    version = book.version
    book.learn([b"one more"])
    assert book.version == version
