"""Small programs that each do one thing a profile should stop, and what came of them.

`table` lists them, `perform` is the script that carries them out, each in a process of its own,
`outcome` runs it without the profile and under it and tells who stopped what.
"""

from gofuzzsec.seccomp.attacks.outcome import Outcome, Stop, attempt
from gofuzzsec.seccomp.attacks.table import ATTACKS, Attack

__all__ = ["ATTACKS", "Attack", "Outcome", "Stop", "attempt"]
