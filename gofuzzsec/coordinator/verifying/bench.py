"""What all subjects of a verification share, and running one under the profile.

The profile of a program has nothing in it for a test harness, rightly, while inputs and tests can
only be run by one. So the calls that the harness makes are let through *for it*: which they are is
told by the stacks of a run without the profile (and by the campaign's evidence). The recorder goes
on judging by the bare profile: the same call by anybody else is a refused call, although the kernel
lets it pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gofuzzsec.coordinator.verifying.judge import Judge
from gofuzzsec.coordinator.verifying.judging import still_refused
from gofuzzsec.coordinator.verifying.limits import Limits
from gofuzzsec.coordinator.verifying.model import Refusal
from gofuzzsec.coordinator.verifying.refusals import of_harness
from gofuzzsec.coordinator.verifying.sight import Loaded, Sight, Subjected
from gofuzzsec.seccomp.enforce import compile_filter, with_calls

SightMaker = Callable[[Subjected, Loaded | None], Sight]
HarnessCalls = dict[str, tuple[str, ...]]
"""Names of calls that only the harness makes, with a path for each."""

_ROUNDS = 3  # filters tried, each with the harness's calls that the one before refused
_Run = TypeVar("_Run")


@dataclass(frozen=True, slots=True)
class Bench:
    """``see`` makes a Sight of a program, ``scratch`` is a folder that programs can be in."""

    judge: Judge
    see: SightMaker
    limits: Limits
    scratch: Path
    audit: bool

    def loaded(self, harness: Iterable[str] = ()) -> Loaded:
        """The filter, with the *harness*'s calls and the kernel's own artefacts let through."""
        more = {*harness, *self.judge.artefacts}
        profile = with_calls(self.judge.profile, more, self.judge.arch)
        compiled = compile_filter(profile, self.judge.arch)
        return Loaded(compiled, self.judge.arch, self.scratch)

    def enforced(
        self,
        run: Callable[[Loaded], _Run],
        refusals: Callable[[_Run], Sequence[Refusal]],
        allowed: HarnessCalls,
    ) -> tuple[_Run, Loaded]:
        """What *run* gives under a filter that refuses the harness nothing, and that filter.

        *refusals* are those of a run. The harness's calls that turn out to be needed are added to
        *allowed*.
        """
        for _ in range(_ROUNDS):
            loaded = self.loaded(allowed)
            under = run(loaded)
            found = refusals(under)
            more = still_refused(found) - allowed.keys()
            if not more:
                break
            allowed |= {name: path for name, path in of_harness(found).items() if name in more}
        return under, loaded
