"""Files that say what happens to calls: profiles in any format, and raw BPF programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.bpf import Instruction, looks_like_bpf, read_bpf
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.model import ARCHITECTURES, Profile
from gofuzzsec.seccomp.resolve import Setting, is_conditional, resolve
from gofuzzsec.seccomp.sides import Side, is_filtered, side_of_profile, side_of_program


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: ``profile`` or ``program``, never both."""

    profile: Profile | None = None
    program: tuple[Instruction, ...] = ()

    @property
    def arches(self) -> frozenset[str]:
        """The architectures that it is for, of those whose calls are known here."""
        if self.profile is None:
            return frozenset(arch for arch in ARCHITECTURES if is_filtered(self.program, arch))
        names = self._named()
        return frozenset(arch for arch, name in ARCHITECTURES.items() if name in names)

    @property
    def is_conditional(self) -> bool:
        """Whether it says different things on different machines."""
        return self.profile is not None and is_conditional(self.profile)

    def resolved(self, arch: str, where: Setting) -> Profile:
        """The profile as it is on *arch*. Raises ProfileError for a BPF program."""
        if self.profile is None:
            raise ProfileError(
                "expected a profile, found a BPF program, which cannot be turned back"
            )
        return resolve(self.profile, arch, where)

    def side(self, arch: str, where: Setting) -> Side:
        """What it does on *arch*. Raises ProfileError."""
        if self.profile is None:
            return side_of_program(self.program, arch)
        return side_of_profile(self.resolved(arch, where), arch, self._named())

    def _named(self) -> frozenset[str]:
        if self.profile is None:
            return frozenset()
        mapped = {each.architecture for each in self.profile.arch_map}
        subs = {sub for each in self.profile.arch_map for sub in each.sub}
        return frozenset(self.profile.architectures) or frozenset(mapped | subs)


def read_source(path: Path) -> Source:
    """The profile or BPF program in *path*. Raises ProfileError."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ProfileError(f"expected a profile to read, found {error.strerror}: {path}") from error
    if looks_like_bpf(start):
        return Source(program=read_bpf(path))
    return Source(profile=read_profile(path))
