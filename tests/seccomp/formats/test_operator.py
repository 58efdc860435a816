"""The Security Profiles Operator's resource: what is read, refused, written and lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.effect import allowed_names, same_effect
from gofuzzsec.seccomp.formats import parse_profile, read_profile, write_profile
from gofuzzsec.seccomp.model import (
    Action,
    ArchMap,
    Condition,
    Op,
    Profile,
    Provenance,
    Rule,
    When,
    plain,
)
from tests.seccomp.published import OPERATOR, module

HEAD = """apiVersion: security-profiles-operator.x-k8s.io/v1
kind: SeccompProfile
metadata:
  name: my-service
"""
RULE = Rule(("read",), Action.ALLOW)
PLAIN = Profile(Action.ERRNO, rules=(RULE,), name="my-service")


def test_a_resource_from_a_cluster_is_read() -> None:
    text = """
apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata:
  name: my-service
  namespace: shop
  labels: {app: shop}
  annotations:
    gofuzzsec/provenance: tool=gofuzzsec 1; date=2026-11-22
    other/thing: x
spec:
  state: Enabled
  disabled: false
  baseProfileName: ""
  defaultAction: SCMP_ACT_ERRNO
  architectures: [SCMP_ARCH_X86_64]
  flags: [SECCOMP_FILTER_FLAG_LOG]
  listenerPath: ""
  syscalls:
  - action: SCMP_ACT_ALLOW
    names:
    - read
    - openat
    args:
    - {index: 1, op: SCMP_CMP_EQ}
  - {action: SCMP_ACT_ERRNO, names: [clone3], errnoRet: 38}
  - {action: SCMP_ACT_ERRNO, names: [ptrace], errnoRet: 0}
status: {status: Installed}
"""
    found = parse_profile(text, "operator")
    assert found == Profile(
        Action.ERRNO,
        architectures=("SCMP_ARCH_X86_64",),
        flags=("SECCOMP_FILTER_FLAG_LOG",),
        rules=(
            Rule(("read", "openat"), Action.ALLOW, conditions=(Condition(1, Op.EQ, 0),)),
            Rule(("clone3",), Action.ERRNO, 38),
            Rule(("ptrace",), Action.ERRNO),
        ),
        provenance=Provenance((("tool", "gofuzzsec 1"), ("date", "2026-11-22"))),
        name="my-service",
    )
    assert found.left_out == (
        "the metadata's namespace",
        "the metadata's labels",
        "the annotation other/thing",
        "the resource's status",
    )
    assert found.rules[0].places["openat"] == (23, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "1:1: expected a field of a resource, found 'a', which has apiVersion"),
        ("apiVersion: v1", "1:13: expected an apiVersion that is known, found 'v1', which may be"),
        (
            HEAD.replace("SeccompProfile", "SelinuxProfile"),
            "2:7: expected a kind that is known, found 'SelinuxProfile'",
        ),
        (HEAD, "1:1: expected the field 'spec' in a resource, found none"),
        (HEAD.replace("my-service", "My_Service"), "4:9: expected a DNS name in lower case"),
        (HEAD.replace("name: my-service", "labels: {}"), "4:3: expected the field 'name'"),
        (HEAD + "spec: {}", "5:7: expected the field 'defaultAction' in the spec"),
        (
            HEAD + "spec: {defaultAction: SCMP_ACT_ERRNO, baseProfileName: runc-v1.2}",
            "5:39: expected a profile that is whole, found one that adds to the base profile "
            "'runc-v1.2'; merge both and remove the field",
        ),
        (
            HEAD + "spec: {defaultAction: SCMP_ACT_ERRNO, state: Disabled}",
            "5:39: expected a profile in use, found one that is switched off",
        ),
        (
            HEAD + "spec: {defaultAction: SCMP_ACT_ERRNO, disabled: true}",
            "5:39: expected a profile in use, found one that is switched off",
        ),
        (
            HEAD + "spec: {defaultAction: SCMP_ACT_ERRNO, disabled: 1}",
            "5:49: expected disabled to be true or false, found 1",
        ),
        (
            HEAD + "spec: {defaultAction: SCMP_ACT_ERRNO, state: Paused}",
            "5:46: expected Enabled or Disabled, found 'Paused'",
        ),
        (
            HEAD + "spec: {defaultAction: SCMP_ACT_ERRNO, architectures: [SCMP_ARCH_M68K]}",
            "5:55: expected an architecture that is known",
        ),
        (
            HEAD + "spec:\n  defaultAction: SCMP_ACT_ERRNO\n  syscalls:\n"
            "  - action: SCMP_ACT_ALLOW\n    names: [read]\n    args:\n"
            + "    - {index: 0, value: 1, op: SCMP_CMP_EQ}\n"
            * 7,
            "17:7: expected at most 6 conditions",
        ),
        (
            HEAD + "  annotations: {gofuzzsec/provenance: x}\nspec: {}",
            "5:39: expected provenance as key=value",
        ),
        ("{", "1:2: expected a field's name in quotes, found the end of the document"),
    ],
)
def test_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "operator", "p.yaml")
    assert str(caught.value).startswith(f"p.yaml:{message}")


def test_it_is_written_in_a_fixed_form() -> None:
    found = replace(
        plain(["write", "read"], "amd64", Provenance((("tool", "gofuzzsec 1"),))), name="x"
    )
    masked = Rule(("clone",), Action.ALLOW, conditions=(Condition(0, Op.MASKED_EQ, 0x7E020000, 0),))
    found = replace(found, rules=(*found.rules, masked, Rule(("clone3",), Action.ERRNO, 38)))
    assert write_profile(found, "operator-v1beta1", strict=True).text == (
        """apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata:
  name: x
  annotations:
    gofuzzsec/provenance: "tool=gofuzzsec 1"
spec:
  defaultAction: SCMP_ACT_ERRNO
  architectures:
  - SCMP_ARCH_X86_64
  syscalls:
  - action: SCMP_ACT_ALLOW
    names:
    - read
    - write
  - action: SCMP_ACT_ALLOW
    names:
    - clone
    args:
    - index: 0
      value: 2114060288
      valueTwo: 0
      op: SCMP_CMP_MASKED_EQ
  - action: SCMP_ACT_ERRNO
    errnoRet: 38
    names:
    - clone3
"""
    )


def test_what_has_no_place_is_named() -> None:
    found = replace(
        PLAIN,
        default_errno=38,
        rules=(replace(RULE, comment="why"), Rule(("write",), Action.ERRNO, 0)),
    )
    written = write_profile(found, "operator")
    assert [loss.partition(":")[0] for loss in written.losses] == [
        "the default error number 38",
        "the comments of 1 rule",
        "the error number 0 of 1 rule",
    ]
    assert parse_profile(written.text, "operator").rules[1] == Rule(("write",), Action.ERRNO)


def test_the_operators_own_profiles_are_read() -> None:
    paths = sorted((module(OPERATOR) / "examples").glob("baseprofile-*.yaml"))
    assert paths
    for path in paths:
        found = read_profile(path)
        assert found.name.startswith(("runc", "crun"))
        text = write_profile(found, "operator", strict=True).text
        assert same_effect(found, parse_profile(text, "operator"), "amd64")
        assert "execve" in allowed_names(found, "amd64")


@pytest.mark.parametrize(
    "profile",
    [
        replace(PLAIN, name=""),
        replace(PLAIN, name="Shop"),
        replace(PLAIN, name="a" * 254),
        replace(PLAIN, arch_map=(ArchMap("SCMP_ARCH_X86_64", ()),)),
        replace(PLAIN, rules=(replace(RULE, includes=When(arches=("amd64",))),)),
        replace(PLAIN, listener_path="/run/agent.sock"),
        replace(PLAIN, architectures=("SCMP_ARCH_M68K",)),
        replace(PLAIN, rules=(replace(RULE, conditions=(Condition(0, Op.EQ, 1 << 63),)),)),
        replace(PLAIN, rules=(replace(RULE, conditions=(Condition(0, Op.EQ, 1),) * 7),)),
        replace(PLAIN, provenance=Provenance((("a b", "x"),))),
    ],
)
def test_what_cannot_be_said_is_an_error(profile: Profile) -> None:
    with pytest.raises(ProfileError, match=r"^expected .*found "):
        write_profile(profile, "operator")
