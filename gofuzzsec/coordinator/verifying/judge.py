"""What a profile says of each call, prepared for being asked often."""

from __future__ import annotations

from gofuzzsec.seccomp.effect import Verdict, default_verdict, effects
from gofuzzsec.seccomp.model import Action, Profile
from gofuzzsec.syscalls import table

_LACKING = Verdict(Action.ERRNO, 38)
"""ENOSYS, on amd64 and arm64."""
_GATE = Verdict(Action.KILL_THREAD)
"""What libseccomp does with calls by the gate of an architecture that a filter does not have."""


class Judge:
    """Tells calls that the profile does not let through. Immutable; any thread may ask.

    The calls that the kernel itself makes a process enter because it is being recorded
    (`table.KERNEL_ARTEFACTS`) are let through, whatever the profile says; ``artefacts`` are those
    that it would not have. Nor are ``steered`` calls held to be refused, which the profile answers
    with ENOSYS where that is not its default: so does a kernel that lacks them, and programs go on
    in another way. Who cannot, fails, and is found by that.
    """

    def __init__(self, profile: Profile, arch: str) -> None:
        """*profile* is resolved for *arch*. Raises ProfileError when it is not."""
        self.profile = profile
        self.arch = arch
        self._effects = effects(profile, arch)
        self._default = default_verdict(profile)
        artefacts = table.KERNEL_ARTEFACTS & self._effects.keys()
        self.artefacts = tuple(
            sorted(name for name in artefacts if self._effects[name].access != "always")
        )
        self.steered = tuple(sorted(filter(self._is_steered, self._effects)))
        always = {name for name, effect in self._effects.items() if effect.access == "always"}
        self.harmless = frozenset(always | artefacts | {*self.steered})
        """Names that are never held to be refused, with whatever arguments."""

    def _is_steered(self, name: str) -> bool:
        found = self._effects[name]
        return not found.cases and found.otherwise == _LACKING != self._default

    def refuses(self, name: str, args: tuple[int, ...], *, native: bool = True) -> Verdict | None:
        """The verdict on a call that is not let through, None for one that is.

        *name* is "" for a number that is no call here; *native* False says that the call came by
        the gate of another architecture, whose names are not told here.
        """
        if not native:
            gates = set(self.profile.architectures) - {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"}
            return None if gates else _GATE
        if name in self.harmless:
            return None
        effect = self._effects.get(name)
        found = self._default if effect is None else effect.verdict(args)
        return None if found.action.lets_through else found
