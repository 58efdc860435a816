"""Work that needs a worker, written as a generator.

A `Talk` yields what it asks of a worker, a request with the input it is about, and is sent the
outcome; so a job reads from top to bottom while the dispatcher keeps many of them under way in
one thread. A talk may be closed between any two requests (the campaign ends): whatever it has to
keep, it must have stored by then.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from gofuzzsec.worker import Outcome, Request

Ask = tuple[Request, bytes]
_T = TypeVar("_T")
Talk = Generator[Ask, Outcome, _T]
Job = Talk[None]
