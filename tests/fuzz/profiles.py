"""What the targets of profile formats have in common: what is read can be written, unless it says
that it cannot, and what was written reads back as what it was."""

from __future__ import annotations

import contextlib

from tests.fuzz.runner import watched

with watched():
    from gofuzzsec.errors import ProfileError
    from gofuzzsec.seccomp.formats import FORMS, parse_profile, write_profile


def read_text(data: bytes, form: str) -> None:
    """Read *data* as a profile in *form*, and take it round by a format that its length chooses."""
    profile = parse_profile(data.decode("utf-8", "surrogateescape"), form)
    other = FORMS[len(data) % len(FORMS)]
    with contextlib.suppress(ProfileError):
        check_stable(write_profile(profile, other).text, other)


def check_stable(text: str, form: str) -> None:
    """What we wrote must be readable. A format may say a thing in two ways; from the second time on
    it is said in the same."""
    again = _rewritten(text, form)
    if again != text:
        assert _rewritten(again, form) == again, f"never settles as {form}:\n{text}\n{again}"


def _rewritten(text: str, form: str) -> str:
    try:
        return write_profile(parse_profile(text, form), form).text
    except ProfileError as error:
        raise AssertionError(f"written as {form} and not readable: {error}\n{text}") from error
