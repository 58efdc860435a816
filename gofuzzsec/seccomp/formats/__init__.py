"""Reading and writing profiles: one module a format.

`source` (with `json_text` and `yaml_text`) makes documents into trees that know their places,
`words` holds what the formats have in common, `normal` is the order everything is written in.
"""

from __future__ import annotations

import re
from pathlib import Path

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.formats.json_text import parse_json
from gofuzzsec.seccomp.formats.normal import Written, normal
from gofuzzsec.seccomp.formats.oci import read_oci, write_oci
from gofuzzsec.seccomp.formats.operator import read_operator, write_operator
from gofuzzsec.seccomp.formats.source import MAX_BYTES, fail
from gofuzzsec.seccomp.formats.systemd import read_systemd
from gofuzzsec.seccomp.formats.systemd_write import write_systemd
from gofuzzsec.seccomp.formats.yaml_text import parse_yaml
from gofuzzsec.seccomp.model import Profile

FORMS = ("oci", "operator", "operator-v1beta1", "systemd")
"""``oci`` is also Docker's and Podman's; ``operator`` writes v1 and reads every version."""

_SURROGATE = re.compile("[\ud800-\udfff]")

__all__ = ["FORMS", "Written", "normal", "parse_profile", "read_profile", "write_profile"]


def read_profile(path: Path, form: str | None = None) -> Profile:
    """The profile in the file *path*; its format is guessed from its content where not given.

    Raises ProfileError, which names file, line and column.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ProfileError(f"expected a profile to read, found {error.strerror}: {path}") from error
    if len(data) > MAX_BYTES:
        raise ProfileError(f"expected a profile of at most {MAX_BYTES} bytes, found more: {path}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(
            f"expected a profile in UTF-8, found another byte at offset {error.start}: {path}"
        ) from error
    return parse_profile(text, form or guess_form(text), str(path))


def guess_form(text: str) -> str:
    """The format that *text* seems to be in; what is broken shows when it is read as that."""
    if re.search(r"^[ \t]*SystemCall[A-Za-z]*[ \t]*=", text, re.MULTILINE):
        return "systemd"
    if re.search(r"^[ \t{,\"']*(apiVersion|kind)[\"']?[ \t]*:", text, re.MULTILINE):
        return "operator"
    return "oci"


def parse_profile(text: str, form: str, where: str = "profile") -> Profile:
    """The profile that *text* is, in the format *form* of `FORMS`.

    Raises ProfileError, whose message begins with *where*, line and column.
    """
    _check_form(form)
    if len(text) > MAX_BYTES:
        raise ProfileError(f"expected a profile of at most {MAX_BYTES} bytes, found more: {where}")
    if (half := _SURROGATE.search(text)) is not None:
        line = text.count("\n", 0, half.start()) + 1
        column = half.start() - text.rfind("\n", 0, half.start())
        fail(where, line, column, "expected whole characters, found half of a surrogate pair")
    if form == "oci":
        return read_oci(parse_json(text, where), where)
    if form == "systemd":
        return read_systemd(text, where)
    # As Kubernetes does: what begins with a brace is JSON.
    parse = parse_json if text.lstrip().startswith("{") else parse_yaml
    return read_operator(parse(text, where), where)


def write_profile(profile: Profile, form: str, *, strict: bool = False) -> Written:
    """*profile* in the format *form*, with what it has no place for named; with *strict* such a
    loss is an error. What would let through more calls is always an error (ProfileError)."""
    _check_form(form)
    match form:
        case "oci":
            written = write_oci(profile)
        case "systemd":
            written = write_systemd(profile)
        case _:
            written = write_operator(profile, "v1" if form == "operator" else "v1beta1")
    if strict and written.losses:
        raise ProfileError(f"expected nothing to be lost in {form}, found: {written.losses[0]}")
    return written


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ProfileError(f"expected one of the formats {', '.join(FORMS)}, found {form!r}")
