"""The words that profiles are written in: what every format has in common."""

from __future__ import annotations

import errno as errno_numbers
import json
from functools import cache
from importlib import resources

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats.source import Fields, Node, nearest
from gofuzzsec.seccomp.model import Action, Condition, Op
from gofuzzsec.syscalls import table

ACTIONS = {action.value: action for action in Action} | {"SCMP_ACT_KILL": Action.KILL_THREAD}
"""Actions by their names; the old KILL is libseccomp's other name of KILL_THREAD."""

ARCHITECTURES = frozenset(
    "SCMP_ARCH_" + name
    for name in table.words(
        "NATIVE X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 "
        "MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X SH SHEB PARISC PARISC64 RISCV64"
    )
)
"""libseccomp's architectures, as of its version 2.6."""

FLAGS = frozenset(
    "SECCOMP_FILTER_FLAG_" + name for name in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV")
)
"""The flags that OCI runtime specification 1.3 has."""

MAX_ERRNO = 4095
"""The kernel's greatest error number; a filter's greater one is cut to it (seccomp(2))."""

MAX_DATA = 0xFFFF
"""The greatest number that a filter hands to a tracer (SECCOMP_RET_DATA, seccomp(2))."""

ANSWERING = frozenset({Action.ERRNO, Action.TRACE})
"""The actions that have a number with them."""

MAX_ARGUMENT = 5
UINT64 = (1 << 64) - 1

ERRNO_BY_NAME = {name: number for number, name in errno_numbers.errorcode.items()} | {
    "ENOTSUP": errno_numbers.ENOTSUP,
    "EWOULDBLOCK": errno_numbers.EWOULDBLOCK,
    "EDEADLOCK": errno_numbers.EDEADLOCK,
}


@cache
def known_calls() -> frozenset[str]:
    """The calls of all architectures: those that this program has tables of, and names.json."""
    text = resources.files(__package__).joinpath("names.json").read_text("utf-8")
    names = set(json.loads(text)["names"])
    for arch in table.ARCHITECTURES:
        names |= table.names(arch)
    return frozenset(names)


def read_action(fields: Fields, name: str) -> Action:
    """The field *name*, which must be there, as an action."""
    return ACTIONS[fields.chosen(fields.need(name), name, ACTIONS)]


def read_errno(fields: Fields, name: str, action: Action) -> int | None:
    """The field *name*: what *action* answers with. The specification has runtimes fail where an
    action that answers with nothing has one."""
    most = MAX_DATA if action == Action.TRACE else MAX_ERRNO
    found = fields.integer(name, most)
    if found is not None and action not in ANSWERING:
        fields.fail(
            fields.key(name),
            f"expected {name} only beside {' or '.join(sorted(ANSWERING))}, found it beside "
            f"{action.value}; remove it",
        )
    return found


def check_errno(action: Action, errno: int | None) -> None:
    """Raise ProfileError for an *errno* that no format can say with *action*."""
    most = MAX_DATA if action == Action.TRACE else MAX_ERRNO
    if errno is not None and (action not in ANSWERING or not 0 <= errno <= most):
        raise ProfileError(
            f"expected an error number up to {most} beside {' or '.join(sorted(ANSWERING))}, found "
            f"{errno} beside {action.value}"
        )


def read_names(fields: Fields, name: str) -> tuple[str, ...]:
    """The calls of the array *name*, at least one."""
    items = fields.items(name)
    if not items:
        fields.fail(fields.need(name), f"expected at least one system call in {name}, found none")
    return tuple(read_call(fields, item) for item in items)


def read_call(fields: Fields, node: Node) -> str:
    """*node* as the name of a system call of some architecture."""
    name = fields.string(node, "a system call")
    if name not in known_calls():
        hint = nearest(name, known_calls()) or ", which no architecture of Linux has"
        fields.fail(
            node,
            f"expected the name of a system call, found {node.shown()}{hint}; correct or remove it "
            "(a newer gofuzzsec may know newer calls)",
        )
    return name


def rule_places(fields: Fields, name: str) -> dict[str, tuple[int, int]]:
    """Where a rule and each of the calls in its array *name* stand: `Rule.places`."""
    places = {str(item.value): (item.line, item.column) for item in fields.items(name)}
    return places | {"": (fields.node.line, fields.node.column)}


def profile_places(fields: Fields) -> dict[str, tuple[int, int]]:
    """Where each of a profile's fields stands: `Profile.places`."""
    return {str(key.value): (key.line, key.column) for key, _ in fields.pairs()}


CONDITION_FIELDS = ("index", "value", "valueTwo", "op")


def read_condition(node: Node, where: str, *, value_needed: bool) -> Condition:
    """An element of a rule's ``args``."""
    fields = Fields(node, where, "a condition", CONDITION_FIELDS)
    fields.need("index")
    index = fields.integer("index", MAX_ARGUMENT)
    if value_needed:
        fields.need("value")
    op = Op(fields.chosen(fields.need("op"), "op", [op.value for op in Op]))
    value, two = fields.integer("value", UINT64) or 0, fields.integer("valueTwo", UINT64) or 0
    return Condition(index or 0, op, value, two)


def write_condition(condition: Condition) -> dict[str, object]:
    """A condition as all JSON-like formats have it."""
    written: dict[str, object] = {"index": condition.arg, "value": condition.value}
    if condition.op == Op.MASKED_EQ or condition.value_two:
        written["valueTwo"] = condition.value_two
    return written | {"op": condition.op.value}
