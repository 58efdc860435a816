"""Every format gives back what it was given, in the normal form, and rewrites it byte for byte."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import yaml
from hypothesis import assume, given, settings

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.effect import effects, same_effect
from gofuzzsec.seccomp.formats import normal, parse_profile, read_profile, write_profile
from gofuzzsec.seccomp.model import Op, Profile
from gofuzzsec.seccomp.resolve import Setting, resolve
from tests.seccomp.profiles import plain_profiles, profiles
from tests.seccomp.published import docker_default, oci_seccomp_validator, operator_validator


@given(profiles())
@settings(deadline=None, max_examples=50)
def test_oci(profile: Profile) -> None:
    written = write_profile(profile, "oci", strict=True)
    assert written.text.isascii()
    back = parse_profile(written.text, "oci")
    assert back == normal(profile)
    assert write_profile(back, "oci").text == written.text
    oci_seccomp_validator().validate(json.loads(written.text))


@given(plain_profiles())
@settings(deadline=None, max_examples=40)
def test_operator(profile: Profile) -> None:
    for form, version in (("operator", "v1"), ("operator-v1beta1", "v1beta1")):
        written = write_profile(profile, form, strict=True)
        assert written.text.isascii()
        back = parse_profile(written.text, form)
        assert back == normal(profile)
        assert write_profile(back, form).text == written.text
        document = yaml.safe_load(written.text)
        operator_validator(version).validate(document)
        assert parse_profile(json.dumps(document), "operator") == back


@given(profiles())
@settings(deadline=None, max_examples=30)
def test_the_order_of_names_and_rules_does_not_matter(profile: Profile) -> None:
    """Where no two rules dispute a call, that is: those keep their order."""
    agreeing = tuple(
        replace(
            rule,
            action=profile.rules[0].action,
            errno=None,
            conditions=tuple(replace(c, op=Op.EQ) for c in rule.conditions),
        )
        for rule in profile.rules
    )
    one = replace(profile, rules=agreeing)
    turned = tuple(replace(r, names=r.names[::-1]) for r in agreeing[::-1])
    assert write_profile(one, "oci") == write_profile(replace(one, rules=turned), "oci")


@given(profiles())
@settings(deadline=None, max_examples=30)
def test_writing_keeps_the_effect(profile: Profile) -> None:
    """Also of rules of which libseccomp makes something else than they say."""
    few = ("read", "write")
    clashing = tuple(replace(r, names=few[i % 2 :]) for i, r in enumerate(profile.rules))
    before = resolve(replace(profile, rules=clashing), "amd64")
    try:
        effects(before, "amd64")
    except ProfileError:  # libseccomp takes no such rules
        assume(False)
    written = write_profile(before, "oci").text
    assert same_effect(before, parse_profile(written, "oci"), "amd64")


def test_docker_default_keeps_its_effect() -> None:
    found = read_profile(docker_default())
    text = write_profile(found, "oci", strict=True).text
    back = parse_profile(text, "oci")
    assert write_profile(back, "oci").text == text
    for arch in ("amd64", "arm64"):
        for setting in (Setting(), Setting(caps=frozenset({"CAP_SYS_ADMIN"}), kernel=(4, 4))):
            one, two = resolve(found, arch, setting), resolve(back, arch, setting)
            assert same_effect(one, two, arch)
            named = replace(one, name="docker-default")
            through = parse_profile(write_profile(named, "operator").text, "operator")
            assert same_effect(one, through, arch)


def test_docker_default_reads_at_once() -> None:
    path = docker_default()
    start = time.process_time()
    read_profile(path)
    assert time.process_time() - start < 1
