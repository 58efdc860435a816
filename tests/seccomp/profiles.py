"""Hypothesis strategies of profiles: everything that the model can hold, or what one form can."""

from __future__ import annotations

from hypothesis import strategies as st

from gofuzzsec.seccomp.formats import words
from gofuzzsec.seccomp.model import (
    Action,
    ArchMap,
    Condition,
    Op,
    Profile,
    Provenance,
    Rule,
    When,
)

CALLS = sorted(words.known_calls())
OCI_ARCHITECTURES = sorted(words.ARCHITECTURES - {"SCMP_ARCH_NATIVE"})
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.lists(st.sampled_from(CALLS[:40]), min_size=1, max_size=5).map(tuple)
values = st.one_of(st.sampled_from([0, 1, 0x7E020000, 1 << 63, words.UINT64]), st.integers(0, 99))
actions = st.sampled_from(list(Action))
keys = st.sampled_from(["tool", "build-id", "date", "completeness"])
provenances = st.lists(st.tuples(keys, text), max_size=4).map(lambda e: Provenance(tuple(e)))
dns_names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?(\.[a-z0-9]{1,5})?", fullmatch=True)


def conditions(most: int = words.UINT64) -> st.SearchStrategy[Condition]:
    """Conditions with values up to *most*."""
    bounded = values.map(lambda value: min(value, most))
    return st.builds(Condition, st.integers(0, 5), st.sampled_from(list(Op)), bounded, bounded)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Action, int | None]:
    """An action and an error number that it may have."""
    action = draw(actions)
    if action not in words.ANSWERING:
        return action, None
    return action, draw(st.none() | st.integers(0, words.MAX_ERRNO))


whens = st.builds(
    When,
    st.lists(st.sampled_from(["amd64", "arm64", "s390x"]), max_size=2).map(tuple),
    st.lists(st.sampled_from(["CAP_SYS_ADMIN", "CAP_BPF", "CAP_CHOWN"]), max_size=2).map(tuple),
    st.sampled_from(["", "4.8", "6.12"]),
)


@st.composite
def rules(draw: st.DrawFn, *, plain: bool = False, most: int = words.UINT64) -> Rule:
    """A rule; a *plain* one has neither comment nor conditions on the machine."""
    action, errno = draw(answers())
    return Rule(
        names=draw(names),
        action=action,
        errno=errno,
        conditions=tuple(draw(st.lists(conditions(most), max_size=3))),
        comment="" if plain else draw(st.just("") | text | st.just("gofuzzsec: tool=x")),
        includes=When() if plain else draw(whens),
        excludes=When() if plain else draw(whens),
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Anything that OCI and Docker can say."""
    action, errno = draw(answers())
    chosen = st.lists(st.sampled_from(OCI_ARCHITECTURES), max_size=3).map(tuple)
    maps = st.lists(st.builds(ArchMap, st.sampled_from(OCI_ARCHITECTURES), chosen), max_size=3)
    mapped = draw(st.booleans())
    return Profile(
        default_action=action,
        default_errno=errno,
        architectures=() if mapped else draw(chosen),
        arch_map=tuple(draw(maps)) if mapped else (),
        rules=tuple(draw(st.lists(rules(), min_size=1, max_size=6))),
        flags=tuple(draw(st.lists(st.sampled_from(sorted(words.FLAGS)), max_size=2))),
        listener_path=draw(text),
        listener_metadata=draw(text),
        provenance=draw(provenances),
    )


@st.composite
def plain_profiles(draw: st.DrawFn) -> Profile:
    """Anything that the operator's resource can say without a loss."""
    listener = st.sampled_from(["", "/var/run/security-profiles-operator/agent.sock"])
    found = st.lists(rules(plain=True, most=(1 << 63) - 1), max_size=6)
    return Profile(
        default_action=draw(actions),
        architectures=tuple(
            draw(st.lists(st.sampled_from(["SCMP_ARCH_X86_64", "SCMP_ARCH_NATIVE"]), max_size=3))
        ),
        rules=tuple(rule for rule in draw(found) if rule.errno != 0),
        flags=tuple(draw(st.lists(st.sampled_from(sorted(words.FLAGS)), max_size=2))),
        listener_path=draw(listener),
        listener_metadata=draw(text),
        provenance=draw(provenances),
        name=draw(dns_names),
    )
