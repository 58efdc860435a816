"""Docker's conditions on machine and capabilities, decided as its daemon decides them."""

from __future__ import annotations

import platform

import pytest

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats import read_profile
from gofuzzsec.seccomp.model import Action, ArchMap, Profile, Rule, When
from gofuzzsec.seccomp.resolve import (
    DOCKER_DEFAULT_CAPS,
    Setting,
    covers,
    is_conditional,
    resolve,
    running_kernel,
)
from tests.seccomp.published import docker_default

SETTING = Setting(frozenset({"CAP_CHOWN", "CAP_KILL"}), (4, 8))


@pytest.mark.parametrize(
    ("includes", "excludes", "there"),
    [
        (When(), When(), True),
        (When(arches=("amd64", "x86")), When(), True),
        (When(arches=("arm64",)), When(), False),
        (When(caps=("CAP_CHOWN", "CAP_KILL")), When(), True),
        (When(caps=("CAP_CHOWN", "CAP_BPF")), When(), False),
        (When(min_kernel="4.8"), When(), True),
        (When(min_kernel="4.10"), When(), False),
        (When(), When(arches=("amd64",)), False),
        (When(), When(caps=("CAP_CHOWN", "CAP_BPF")), False),
        (When(), When(caps=("CAP_BPF",), arches=("s390x",)), True),
        (When(), When(min_kernel="4.8"), False),
        (When(), When(min_kernel="5.0"), True),
        (When(arches=("amd64",)), When(caps=("CAP_KILL",)), False),
    ],
)
def test_a_rule_is_there_when_docker_says_so(includes: When, excludes: When, there: bool) -> None:
    rule = Rule(("read",), Action.ALLOW, includes=includes, excludes=excludes)
    profile = Profile(Action.ERRNO, rules=(rule,))
    assert is_conditional(profile) is bool(includes or excludes)
    found = resolve(profile, "amd64", SETTING)
    assert found.rules == ((Rule(("read",), Action.ALLOW),) if there else ())
    assert not is_conditional(found)


def test_the_map_of_architectures_is_decided() -> None:
    profile = Profile(Action.ERRNO, arch_map=(ArchMap("SCMP_ARCH_X86_64", ("SCMP_ARCH_X86",)),))
    assert resolve(profile, "amd64").architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    assert resolve(profile, "arm64").architectures == ("SCMP_ARCH_AARCH64",)
    assert covers(profile, "amd64")
    assert not covers(profile, "arm64")
    assert covers(Profile(Action.LOG), "arm64")
    listed = Profile(Action.LOG, architectures=("SCMP_ARCH_X32",))
    assert resolve(listed, "amd64").architectures == ("SCMP_ARCH_X32",)


def test_docker_default_depends_on_capabilities_and_kernel() -> None:
    profile = read_profile(docker_default())

    def names(setting: Setting) -> set[str]:
        rules = resolve(profile, "amd64", setting).rules
        return {n for r in rules for n in r.names if r.action == Action.ALLOW}

    usual = names(Setting(kernel=(6, 1)))
    assert "ptrace" in usual
    assert "ptrace" not in names(Setting(kernel=(4, 4)))
    assert {"mount", "bpf"} & usual == set()
    admin = Setting(DOCKER_DEFAULT_CAPS | {"CAP_SYS_ADMIN"}, (6, 1))
    assert {"mount", "bpf", "clone3"} <= names(admin)
    assert "chroot" not in names(Setting(frozenset(), (6, 1)))


def test_what_is_no_architecture_or_kernel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProfileError, match="expected one of amd64, arm64, found 'mips'"):
        resolve(Profile(Action.LOG), "mips")
    rule = Rule(("read",), Action.ALLOW, includes=When(min_kernel="four"))
    with pytest.raises(ProfileError, match=r"expected a kernel as major.minor"):
        resolve(Profile(Action.LOG, rules=(rule,)), "amd64")
    monkeypatch.setattr(platform, "release", lambda: "unknown")
    with pytest.raises(ProfileError, match="expected a kernel's version"):
        running_kernel()
