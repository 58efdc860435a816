"""What a seccomp profile says, whatever file it stands in.

The words are those of the OCI runtime specification (config-linux.md, ``linux.seccomp``) and of
Docker's profiles, which add conditions on when a rule is there at all. `formats` reads and writes
files; what a format cannot say is a named loss there, never dropped in silence. Values are kept as
they were written: order and duplicates of rules, aliases of actions; `formats` sorts on writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gofuzzsec.errors import ProfileError

Places = Mapping[str, tuple[int, int]]
"""Line and column in a file, both counted from 1, by what stands there."""


class Action(StrEnum):
    """What the kernel does with a call. ``SCMP_ACT_KILL`` is read as KILL_THREAD, as libseccomp
    has it."""

    KILL_PROCESS = "SCMP_ACT_KILL_PROCESS"
    KILL_THREAD = "SCMP_ACT_KILL_THREAD"
    TRAP = "SCMP_ACT_TRAP"
    ERRNO = "SCMP_ACT_ERRNO"
    NOTIFY = "SCMP_ACT_NOTIFY"
    TRACE = "SCMP_ACT_TRACE"
    LOG = "SCMP_ACT_LOG"
    ALLOW = "SCMP_ACT_ALLOW"

    @property
    def lets_through(self) -> bool:
        """Whether the call is made (LOG only writes it down)."""
        return self in (Action.ALLOW, Action.LOG)


class Op(StrEnum):
    """How an argument is compared, as unsigned 64-bit number."""

    NE = "SCMP_CMP_NE"
    LT = "SCMP_CMP_LT"
    LE = "SCMP_CMP_LE"
    EQ = "SCMP_CMP_EQ"
    GE = "SCMP_CMP_GE"
    GT = "SCMP_CMP_GT"
    MASKED_EQ = "SCMP_CMP_MASKED_EQ"


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One test of argument ``arg`` (0 to 5). ``value`` is compared with; for MASKED_EQ it is the
    mask and ``value_two`` what the masked argument must be (the specification's valueTwo); bits of
    it that the mask takes away do not count, as in libseccomp."""

    arg: int
    op: Op
    value: int
    value_two: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.arg <= 5:
            raise ProfileError(f"expected an argument from 0 to 5, found {self.arg}")
        for number in (self.value, self.value_two):
            if not 0 <= number < 1 << 64:
                raise ProfileError(f"expected an unsigned 64-bit value, found {number}")

    def holds(self, args: tuple[int, ...]) -> bool:
        """Whether it holds for a call's arguments (unsigned; missing ones are 0)."""
        found = args[self.arg] if self.arg < len(args) else 0
        match self.op:
            case Op.NE:
                return found != self.value
            case Op.LT:
                return found < self.value
            case Op.LE:
                return found <= self.value
            case Op.EQ:
                return found == self.value
            case Op.GE:
                return found >= self.value
            case Op.GT:
                return found > self.value
            case Op.MASKED_EQ:
                return found & self.value == self.value_two & self.value


@dataclass(frozen=True, slots=True)
class When:
    """Docker's ``includes`` or ``excludes`` of a rule. All of what is given must hold for
    ``includes``; any of it suffices for ``excludes``. ``arches`` are Go's words ("amd64"),
    ``caps`` capabilities ("CAP_SYS_ADMIN"), ``min_kernel`` "major.minor" or ""."""

    arches: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    min_kernel: str = ""

    def __bool__(self) -> bool:
        return bool(self.arches or self.caps or self.min_kernel)


@dataclass(frozen=True, slots=True)
class Rule:
    """An action for calls by name. All ``conditions`` must hold, so alternatives are several rules.
    ``errno`` is what ERRNO and TRACE answer with, None: the format's default (EPERM). ``comment``
    is for people. ``includes`` and ``excludes`` say when the rule is there at all (Docker only).
    ``places`` are line and column of each name in the file, and of the rule itself under "", as far
    as it was read from one; they do not count when rules are compared."""

    names: tuple[str, ...]
    action: Action
    errno: int | None = None
    conditions: tuple[Condition, ...] = ()
    comment: str = ""
    includes: When = field(default_factory=When)
    excludes: When = field(default_factory=When)
    places: Places = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ArchMap:
    """Docker's ``archMap``: on ``architecture``, ``sub`` are filtered as well."""

    architecture: str
    sub: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a profile comes from, as (key, value) pairs of text in a fixed order.

    Keys are lower-case words with dashes: "tool" ("gofuzzsec 0.1.0"), "program" and "build-id" (may
    come several times), "campaign", "date" (ISO 8601, UTC), "completeness" (one sentence with its
    numbers). Values hold no line break.
    """

    entries: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def all(self, key: str) -> tuple[str, ...]:
        """Every value of *key*."""
        return tuple(value for name, value in self.entries if name == key)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile. ``architectures`` are libseccomp's names ("SCMP_ARCH_X86_64"); empty means the
    machine's own. ``flags`` are the specification's ("SECCOMP_FILTER_FLAG_LOG"). ``name`` is that
    of an operator's resource or of a systemd unit, "" where the format has none. ``left_out`` names
    what the file said that is no part of a profile (labels of a resource), each in one line; it
    does not count when profiles are compared. Nor do ``places``, line and column of some fields by
    the file's name for them.
    """

    default_action: Action
    default_errno: int | None = None
    architectures: tuple[str, ...] = ()
    arch_map: tuple[ArchMap, ...] = ()
    rules: tuple[Rule, ...] = ()
    flags: tuple[str, ...] = ()
    listener_path: str = ""
    listener_metadata: str = ""
    provenance: Provenance = field(default_factory=Provenance)
    name: str = ""
    left_out: tuple[str, ...] = field(default=(), compare=False)
    places: Places = field(default_factory=dict, compare=False, repr=False)


ARCHITECTURES = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}
"""libseccomp's names by Go's, of those whose calls this program knows."""


def plain(
    names: Iterable[str], arch: str, provenance: Provenance | None = None, *, errno: int = 1
) -> Profile:
    """A profile that allows *names* on *arch* ("amd64" or "arm64") and refuses the rest."""
    return Profile(
        default_action=Action.ERRNO,
        default_errno=errno,
        architectures=(ARCHITECTURES[arch],),
        rules=(Rule(tuple(sorted(set(names))), Action.ALLOW),),
        provenance=provenance or Provenance(),
    )
