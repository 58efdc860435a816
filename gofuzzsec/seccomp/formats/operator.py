"""Profiles as the Security Profiles Operator has them: ``SeccompProfile`` resources.

Read in apiVersion v1 and v1beta1, as YAML or JSON, with the fields of all the operator's releases
(``disabled`` became ``state``); written in v1, or v1beta1 by choice, in the fields that all share.
What the resource says besides the profile (labels, foreign annotations, status) is
`Profile.left_out` after reading. A profile that is not whole without another one
(``baseProfileName``) or that is switched off cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats import words
from gofuzzsec.seccomp.formats.normal import Written, normal
from gofuzzsec.seccomp.formats.remark import join_entries, split_entries
from gofuzzsec.seccomp.formats.source import Fields, Node
from gofuzzsec.seccomp.formats.yaml_text import quoted
from gofuzzsec.seccomp.model import Action, Condition, Profile, Provenance, Rule

GROUP = "security-profiles-operator.x-k8s.io"
VERSIONS = ("v1", "v1beta1")
KIND = "SeccompProfile"
PROVENANCE = "gofuzzsec/provenance"
"""The annotation that holds the provenance, as `remark` writes it."""

_SPEC = (
    "state",
    "disabled",
    "baseProfileName",
    "defaultAction",
    "architectures",
    "listenerPath",
    "listenerMetadata",
    "flags",
    "syscalls",
)
_RULE = ("names", "action", "errnoRet", "args")
_MAX_CONDITIONS = 6
_MAX_VALUE = (1 << 63) - 1
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME = 253
_LISTENER = re.compile(r"/var/run/security-profiles-operator/[a-zA-Z0-9_.-]+")
_NOT_HERE = ("LOONGARCH64", "M68K", "SH", "SHEB")  # architectures that the CRD does not have
_ARCHITECTURES = words.ARCHITECTURES - {f"SCMP_ARCH_{name}" for name in _NOT_HERE}


def read_operator(node: Node, where: str) -> Profile:
    """The profile of a resource. Raises ProfileError with the place of what is wrong."""
    fields = Fields(node, where, "a resource", ("apiVersion", "kind", "metadata", "spec", "status"))
    versions = [f"{GROUP}/{version}" for version in VERSIONS]
    fields.chosen(fields.need("apiVersion"), "an apiVersion", versions)
    fields.chosen(fields.need("kind"), "a kind", (KIND,))
    name, provenance, left_out = _metadata(fields.need("metadata"), where)
    if "status" in fields:
        left_out += ("the resource's status",)
    spec = Fields(fields.need("spec"), where, "the spec", _SPEC)
    _check_whole(spec)
    return Profile(
        default_action=words.read_action(spec, "defaultAction"),
        architectures=tuple(
            spec.chosen(item, "an architecture", _ARCHITECTURES)
            for item in spec.items("architectures")
        ),
        rules=tuple(_rule(item, where) for item in spec.items("syscalls")),
        flags=tuple(spec.chosen(i, "a flag", words.FLAGS) for i in spec.items("flags")),
        listener_path=spec.text("listenerPath"),
        listener_metadata=spec.text("listenerMetadata"),
        provenance=provenance,
        name=name,
        left_out=left_out,
        places=words.profile_places(spec),
    )


def _metadata(node: Node, where: str) -> tuple[str, Provenance, tuple[str, ...]]:
    """Name, provenance, and what else the metadata says."""
    known = node.value if isinstance(node.value, dict) else ()
    fields = Fields(node, where, "the metadata", known)
    found = fields.need("name")
    name = fields.string(found, "a name")
    if not is_name(name):
        fields.fail(found, f"expected a DNS name in lower case, found {found.shown()}")
    left_out = [f"the metadata's {key}" for key in known if key not in ("name", "annotations")]
    provenance = Provenance()
    if (annotations := fields.get("annotations")) is not None:
        known = annotations.value if isinstance(annotations.value, dict) else ()
        inside = Fields(annotations, where, "the annotations", known)
        left_out += [f"the annotation {key}" for key in known if key != PROVENANCE]
        try:
            provenance = split_entries(inside.text(PROVENANCE))
        except ProfileError as error:
            inside.fail(inside.need(PROVENANCE), str(error))
    return name, provenance, tuple(left_out)


def _check_whole(spec: Fields) -> None:
    if spec.text("baseProfileName"):
        spec.fail(
            spec.key("baseProfileName"),
            "expected a profile that is whole, found one that adds to the base profile "
            f"{spec.need('baseProfileName').shown()}; merge both and remove the field",
        )
    state = spec.text("state")
    if state not in ("", "Enabled", "Disabled"):
        spec.fail(spec.need("state"), f"expected Enabled or Disabled, found {state[:40]!r}")
    for name, off in (("state", state == "Disabled"), ("disabled", spec.boolean("disabled"))):
        if off:
            spec.fail(
                spec.key(name),
                "expected a profile in use, found one that is switched off, which the operator "
                "does not install; remove the field to go on with it",
            )


def _rule(node: Node, where: str) -> Rule:
    fields = Fields(node, where, "a rule", _RULE)
    action = words.read_action(fields, "action")
    args = fields.items("args")
    if len(args) > _MAX_CONDITIONS:
        fields.fail(args[_MAX_CONDITIONS], f"expected at most {_MAX_CONDITIONS} conditions")
    return Rule(
        names=words.read_names(fields, "names"),
        action=action,
        # 0 is how the operator's Go writes "not given".
        errno=None if fields.integer("errnoRet", words.MAX_DATA) == 0 else _errno(fields, action),
        conditions=tuple(words.read_condition(item, where, value_needed=False) for item in args),
        places=words.rule_places(fields, "names"),
    )


def _errno(fields: Fields, action: Action) -> int | None:
    return words.read_errno(fields, "errnoRet", action)


def is_name(text: str) -> bool:
    """Whether Kubernetes takes *text* as an object's name (RFC 1123 subdomain)."""
    return len(text) <= _MAX_NAME and _NAME.fullmatch(text) is not None


def write_operator(profile: Profile, version: str = "v1") -> Written:
    """*profile* as a resource in YAML. Raises ProfileError for what the resource cannot say where
    leaving it out would change what is let through, and for a missing or impossible name."""
    _check_sayable(profile)
    plain = normal(without_comments(profile))
    lines = [f"apiVersion: {GROUP}/{version}", f"kind: {KIND}", "metadata:"]
    lines.append(f"  name: {quoted(profile.name)}")
    if profile.provenance:
        lines += ["  annotations:", f"    {PROVENANCE}: {quoted(join_entries(profile.provenance))}"]
    lines += ["spec:", f"  defaultAction: {profile.default_action.value}"]
    lines += _listed("architectures", plain.architectures)
    lines += _listed("flags", plain.flags)
    for key, text in (
        ("listenerPath", profile.listener_path),
        ("listenerMetadata", profile.listener_metadata),
    ):
        lines += [f"  {key}: {quoted(text)}"] if text else []
    lines += ["  syscalls:"] if plain.rules else []
    for rule in plain.rules:
        lines += _rule_lines(rule)
    return Written("\n".join(lines) + "\n", tuple(_losses(profile)))


def without_comments(profile: Profile) -> Profile:
    """*profile* with its rules' comments gone, for formats that have none."""
    return replace(profile, rules=tuple(replace(rule, comment="") for rule in profile.rules))


def _listed(key: str, values: tuple[str, ...]) -> list[str]:
    return [f"  {key}:", *(f"  - {value}" for value in values)] if values else []


def _rule_lines(rule: Rule) -> Iterator[str]:
    yield f"  - action: {rule.action.value}"
    if rule.errno:
        yield f"    errnoRet: {rule.errno}"
    yield "    names:"
    for name in rule.names:
        yield f"    - {quoted(name)}"
    if rule.conditions:
        yield "    args:"
    for condition in rule.conditions:
        for number, (key, value) in enumerate(words.write_condition(condition).items()):
            yield f"    {'  ' if number else '- '}{key}: {value}"


def _check_sayable(profile: Profile) -> None:
    if not is_name(profile.name):
        raise ProfileError(
            "expected the resource's name as a DNS name in lower case (my-service), found "
            f"{profile.name[:60]!r}; name it"
        )
    if profile.arch_map or any(rule.includes or rule.excludes for rule in profile.rules):
        raise ProfileError(
            "expected a profile that says the same on every machine, found archMap, includes or "
            "excludes, which the operator's resource does not have; resolve it for one "
            "architecture (--arch)"
        )
    if profile.listener_path and not _LISTENER.fullmatch(profile.listener_path):
        raise ProfileError(
            "expected a listener's path in /var/run/security-profiles-operator, found "
            f"{profile.listener_path[:60]!r}; the operator takes no other"
        )
    for name in profile.architectures:
        if name not in _ARCHITECTURES:
            raise ProfileError(
                f"expected an architecture of the operator's resource, found {name}; remove it"
            )
    for rule in profile.rules:
        _check_conditions(rule, rule.conditions)


def _check_conditions(rule: Rule, conditions: tuple[Condition, ...]) -> None:
    if len(conditions) > _MAX_CONDITIONS:
        raise ProfileError(
            f"expected at most {_MAX_CONDITIONS} conditions in a rule of the operator's resource, "
            f"found {len(conditions)} for {rule.names[0]}"
        )
    for condition in conditions:
        if max(condition.value, condition.value_two) > _MAX_VALUE:
            raise ProfileError(
                "expected values below 2^63 in the operator's resource, whose integers are signed, "
                f"found {max(condition.value, condition.value_two)} for {rule.names[0]}"
            )


def _losses(profile: Profile) -> Iterator[str]:
    if profile.default_errno not in (None, 1):
        yield (
            f"the default error number {profile.default_errno}: the resource has none, refused "
            "calls fail with EPERM"
        )
    comments = sum(1 for rule in profile.rules if rule.comment)
    if comments:
        yield f"the comments of {_rules(comments)}: the resource has none"
    zeros = sum(1 for rule in profile.rules if rule.errno == 0)
    if zeros:
        yield f"the error number 0 of {_rules(zeros)}: the operator takes it as EPERM"


def _rules(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"
