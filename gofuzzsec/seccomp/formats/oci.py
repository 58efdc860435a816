"""Profiles as the OCI runtime specification and Docker have them.

The specification's ``linux.seccomp`` (config-linux.md, version 1.3), alone or inside a whole
``config.json``, and what Docker and Podman add: ``archMap``, ``includes`` and ``excludes``, the old
``name`` of a rule, ``comment``, error numbers by name. A profile that uses none of it is written as
the specification has it, apart from ``comment``, which holds the provenance.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats import words
from gofuzzsec.seccomp.formats.normal import Written, normal
from gofuzzsec.seccomp.formats.remark import join_remark, split_remark
from gofuzzsec.seccomp.formats.source import Fields, Node
from gofuzzsec.seccomp.model import Action, ArchMap, Profile, Provenance, Rule, When

_PROFILE = (
    "defaultAction",
    "defaultErrnoRet",
    "defaultErrno",
    "architectures",
    "archMap",
    "flags",
    "listenerPath",
    "listenerMetadata",
    "syscalls",
)
_RULE = ("names", "name", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes")
_NATIVE = "SCMP_ARCH_NATIVE"  # libseccomp's word, which the specification does not have
_KERNEL = re.compile(r"(\d{1,3})\.(\d{1,3})")
_CAPABILITY = re.compile(r"CAP_[A-Z0-9_]{1,40}")
_DIGITS = re.compile(r"[0-9]{1,4}")
_ARCH = re.compile(r"[a-z0-9_]{1,20}")


def read_oci(node: Node, where: str) -> Profile:
    """The profile of a document. Raises ProfileError with the place of what is wrong."""
    inner = _seccomp(node, where)
    fields = Fields(inner, where, "a seccomp profile", _PROFILE)
    if "architectures" in fields and "archMap" in fields:
        fields.fail(
            fields.key("archMap"),
            "expected architectures or archMap, found both, which Docker refuses; keep one",
        )
    action = words.read_action(fields, "defaultAction")
    rules = [_rule(item, where) for item in fields.items("syscalls")]
    provenance, rules = _split_provenance(fields, rules)
    return Profile(
        default_action=action,
        default_errno=_errno(fields, "defaultErrnoRet", "defaultErrno", action),
        architectures=_architectures(fields, "architectures"),
        arch_map=tuple(_arch_map(item, where) for item in fields.items("archMap")),
        rules=tuple(rules),
        flags=tuple(fields.chosen(i, "a flag", words.FLAGS) for i in fields.items("flags")),
        listener_path=fields.text("listenerPath"),
        listener_metadata=fields.text("listenerMetadata"),
        provenance=provenance,
        places=words.profile_places(fields),
        left_out=() if inner is node else ("the OCI configuration around the profile",),
    )


def _seccomp(node: Node, where: str) -> Node:
    """The profile inside *node*, which may be a whole OCI configuration."""
    if not isinstance(node.value, dict) or "linux" not in node.value:
        return node
    linux = Fields(node, where, "an OCI configuration", node.value).need("linux")
    known = linux.value if isinstance(linux.value, dict) else ()
    return Fields(linux, where, "the configuration's linux", known).need("seccomp")


def _architectures(fields: Fields, name: str) -> tuple[str, ...]:
    items = fields.items(name)
    return tuple(fields.chosen(item, "an architecture", words.ARCHITECTURES) for item in items)


def _arch_map(node: Node, where: str) -> ArchMap:
    fields = Fields(node, where, "an entry of archMap", ("architecture", "subArchitectures"))
    main = fields.chosen(fields.need("architecture"), "an architecture", words.ARCHITECTURES)
    return ArchMap(main, _architectures(fields, "subArchitectures"))


def _rule(node: Node, where: str) -> Rule:
    fields = Fields(node, where, "a rule", _RULE)
    action = words.read_action(fields, "action")
    return Rule(
        names=_names(fields),
        action=action,
        errno=_errno(fields, "errnoRet", "errno", action),
        conditions=tuple(
            words.read_condition(item, where, value_needed=True) for item in fields.items("args")
        ),
        comment=fields.text("comment"),
        includes=_when(fields, "includes"),
        excludes=_when(fields, "excludes"),
        places=words.rule_places(fields, "names"),
    )


def _names(fields: Fields) -> tuple[str, ...]:
    old = fields.get("name")
    if old is None or old.value == "":
        return words.read_names(fields, "names")
    if fields.items("names"):
        fields.fail(fields.key("name"), "expected name or names, found both; keep names")
    return (words.read_call(fields, old),)


def _errno(fields: Fields, number: str, symbol: str, action: Action) -> int | None:
    """An error number that Podman's profiles give by name (or as text), by number, or both."""
    found = words.read_errno(fields, number, action)
    word = fields.text(symbol)
    if not word:
        return found
    if _DIGITS.fullmatch(word) and int(word) <= words.MAX_ERRNO:
        named = int(word)
    else:
        known = words.ERRNO_BY_NAME
        named = known[fields.chosen(fields.need(symbol), "an error's name", known)]
    if action not in words.ANSWERING or found not in (None, named):
        fields.fail(
            fields.key(symbol),
            f"expected {symbol} to say what {number} says, or that alone beside "
            f"{' or '.join(sorted(words.ANSWERING))}, found {word} ({named}); remove one",
        )
    return named


def _when(fields: Fields, name: str) -> When:
    node = fields.get(name)
    if node is None:
        return When()
    when = Fields(node, fields.where, name, ("arches", "caps", "minKernel"))
    for key, shape, example in (("arches", _ARCH, "amd64"), ("caps", _CAPABILITY, "CAP_SYS_ADMIN")):
        for item in when.items(key):
            if not shape.fullmatch(when.string(item, key)):
                when.fail(item, f"expected {key} such as {example}, found {item.shown()}")
    kernel = when.text("minKernel")
    if kernel and not _KERNEL.fullmatch(kernel):
        found = when.need("minKernel")
        when.fail(found, f"expected a kernel as major.minor (4.8), found {found.shown()}")
    return When(when.strings("arches"), when.strings("caps"), kernel)


def _split_provenance(fields: Fields, rules: list[Rule]) -> tuple[Provenance, list[Rule]]:
    """The provenance in the first rule's comment, and the rules without it."""
    if not rules:
        return Provenance(), rules
    try:
        provenance, comment = split_remark(rules[0].comment)
    except ProfileError as error:
        first = Fields(fields.items("syscalls")[0], fields.where, "a rule", _RULE)
        fields.fail(first.need("comment"), str(error))
    return provenance, [replace(rules[0], comment=comment), *rules[1:]]


def write_oci(profile: Profile) -> Written:
    """*profile* as JSON: sorted, one name a line, the same text for the same profile.

    Raises ProfileError for what cannot be said at all.
    """
    if profile.architectures and profile.arch_map:
        raise ProfileError(
            "expected architectures or a map of architectures, found both, which Docker refuses; "
            "resolve the profile for one architecture"
        )
    profile = normal(profile)
    document: dict[str, object] = {"defaultAction": profile.default_action.value}
    if profile.default_errno is not None:
        document["defaultErrnoRet"] = profile.default_errno
    if architectures := [name for name in profile.architectures if name != _NATIVE]:
        document["architectures"] = architectures
    if profile.arch_map:
        document["archMap"] = [
            {"architecture": entry.architecture, "subArchitectures": list(entry.sub)}
            for entry in profile.arch_map
        ]
    if profile.flags:
        document["flags"] = list(profile.flags)
    if profile.listener_path:
        document["listenerPath"] = profile.listener_path
    if profile.listener_metadata:
        document["listenerMetadata"] = profile.listener_metadata
    document["syscalls"] = _written_rules(profile)
    # ASCII only: a comment may hold what drives a terminal, and `cat` must be safe.
    return Written(json.dumps(document, indent=2) + "\n", _losses(profile))


def _written_rules(profile: Profile) -> list[dict[str, object]]:
    remarks = [rule.comment for rule in profile.rules]
    if remarks:
        remarks[0] = join_remark(profile.provenance, remarks[0])
    return [_written_rule(*pair) for pair in zip(profile.rules, remarks, strict=True)]


def _written_rule(rule: Rule, remark: str) -> dict[str, object]:
    written: dict[str, object] = {"names": list(rule.names), "action": rule.action.value}
    if rule.errno is not None:
        written["errnoRet"] = rule.errno
    if rule.conditions:
        written["args"] = [words.write_condition(condition) for condition in rule.conditions]
    if remark:
        written["comment"] = remark
    for name, when in (("includes", rule.includes), ("excludes", rule.excludes)):
        if when:
            written[name] = _written_when(when)
    return written


def _written_when(when: When) -> dict[str, object]:
    written: dict[str, object] = {}
    if when.arches:
        written["arches"] = list(when.arches)
    if when.caps:
        written["caps"] = list(when.caps)
    if when.min_kernel:
        written["minKernel"] = when.min_kernel
    return written


def _losses(profile: Profile) -> tuple[str, ...]:
    losses = []
    if profile.name:
        losses.append(f"the name {profile.name!r}: OCI profiles have none")
    if profile.provenance and not profile.rules:
        losses.append("the provenance: it stands in the first rule, and there is no rule")
    return tuple(losses)
