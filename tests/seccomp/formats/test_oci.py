"""OCI and Docker JSON: what is read, what is refused and where, what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gofuzzsec.errors import ProfileError
from gofuzzsec.seccomp.effect import same_effect
from gofuzzsec.seccomp.formats import (
    FORMS,
    normal,
    parse_profile,
    read_profile,
    words,
    write_profile,
)
from gofuzzsec.seccomp.formats.generate_names import build, main
from gofuzzsec.seccomp.formats.source import MAX_BYTES
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
from gofuzzsec.seccomp.resolve import resolve
from tests.seccomp.published import docker_default, module, podman_default

FULL = """{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 38,
  "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}
  ],
  "flags": ["SECCOMP_FILTER_FLAG_LOG"],
  "listenerPath": "/run/agent.sock",
  "listenerMetadata": "data",
  "syscalls": [
    {"name": "read", "names": [], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "why"},
    {"names": ["clone", "socketcall"], "action": "SCMP_ACT_TRACE", "errnoRet": 60000,
     "args": [
       {"index": 0, "value": 18446744073709551615, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}],
     "includes": {"arches": ["amd64"], "caps": ["CAP_SYS_ADMIN"], "minKernel": "4.8"},
     "excludes": {"caps": ["CAP_BPF"]}},
    {"names": ["write"], "action": "SCMP_ACT_ERRNO", "errno": "EINVAL", "errnoRet": 22},
    {"names": ["kill"], "action": "SCMP_ACT_KILL"}
  ]
}"""


def test_every_field_is_read() -> None:
    found = parse_profile(FULL, "oci")
    assert found == Profile(
        default_action=Action.ERRNO,
        default_errno=38,
        arch_map=(
            ArchMap("SCMP_ARCH_X86_64", ("SCMP_ARCH_X86",)),
            ArchMap("SCMP_ARCH_AARCH64", ()),
        ),
        flags=("SECCOMP_FILTER_FLAG_LOG",),
        listener_path="/run/agent.sock",
        listener_metadata="data",
        rules=(
            Rule(("read",), Action.ALLOW, comment="why"),
            Rule(
                ("clone", "socketcall"),
                Action.TRACE,
                60000,
                (Condition(0, Op.MASKED_EQ, words.UINT64, 1),),
                includes=When(("amd64",), ("CAP_SYS_ADMIN",), "4.8"),
                excludes=When(caps=("CAP_BPF",)),
            ),
            Rule(("write",), Action.ERRNO, 22),
            Rule(("kill",), Action.KILL_THREAD),
        ),
    )
    assert found.rules[1].places == {"": (13, 5), "clone": (13, 16), "socketcall": (13, 25)}
    assert found.places["defaultAction"] == (2, 3)


def rule(inside: str) -> str:
    """A profile whose only rule has this beside a name and an action; it is line 3."""
    return (
        '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"],\n'
        f'"action": "SCMP_ACT_ALLOW",\n{inside}}}]}}'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "1:1: expected the field 'defaultAction' in a seccomp profile, found none; add it"),
        ("[]", "1:1: expected a seccomp profile as an object, found an array"),
        ('{"defaultAction": 1}', "1:19: expected defaultAction as a string, found 1"),
        (
            '{"defaultAction": "SCMP_ACT_ALOW"}',
            "1:19: expected defaultAction that is known, found 'SCMP_ACT_ALOW' (did you mean "
            "'SCMP_ACT_ALLOW'?)",
        ),
        (
            '{"defaultAction": "no"}',
            "1:19: expected defaultAction that is known, found 'no', which",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "syscals": []}',
            "1:37: expected a field of a seccomp profile, found 'syscals' (did you mean 'syscalls'",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "x": 1}',
            "1:37: expected a field of a seccomp profile, found 'x', which has archMap,",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}',
            "1:37: expected defaultErrnoRet only beside SCMP_ACT_ERRNO or SCMP_ACT_TRACE",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}',
            "1:56: expected defaultErrnoRet as a whole number from 0 to 4095, found 4096",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": true}',
            "1:56: expected defaultErrnoRet as a whole number from 0 to 4095, found true",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X64"]}',
            "1:55: expected an architecture that is known, found 'SCMP_ARCH_X64'",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "architectures": [], "archMap": []}',
            "1:58: expected architectures or archMap, found both",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "flags": "x"}',
            "1:46: expected flags as an array, found 'x'",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["opneat"],'
            '"action": "SCMP_ACT_ALLOW"}]}',
            "1:61: expected the name of a system call, found 'opneat' (did you mean 'openat'?)",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["\\u001b[2J"],'
            '"action": "SCMP_ACT_ALLOW"}]}',
            "1:61: expected the name of a system call, found '\\x1b[2J', which no architecture",
        ),
        (
            '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": [],'
            '"action": "SCMP_ACT_ALLOW"}]}',
            "1:60: expected at least one system call in names, found none",
        ),
        (rule('"errnoRet": 1'), "3:1: expected errnoRet only beside SCMP_ACT_ERRNO"),
        (rule('"errno": "EPERM"'), "3:1: expected errno to say what errnoRet says"),
        (rule('"errno": "EPREM"'), "3:10: expected an error's name that is known"),
        (rule('"name": "write"'), "3:1: expected name or names, found both; keep names"),
        (rule('"args": [1]'), "3:10: expected a condition as an object, found 1"),
        (
            rule('"args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]'),
            "3:20: expected index as a whole number from 0 to 5, found 6",
        ),
        (
            rule('"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_QE"}]'),
            "3:41: expected op that is known, found 'SCMP_CMP_QE'",
        ),
        (
            rule('"args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]'),
            "3:32: expected value as a whole number from 0 to 18446744073709551615, found -1",
        ),
        (
            rule('"args": [{"index": 0, "value": 1.0, "op": "SCMP_CMP_EQ"}]'),
            "3:32: expected value as a whole number from 0 to 18446744073709551615, found 1.0",
        ),
        (rule('"args": [{"index": 0, "op": "SCMP_CMP_EQ"}]'), "3:10: expected the field 'value'"),
        (rule('"includes": {"arches": ["AMD 64"]}'), "3:25: expected arches such as amd64"),
        (rule('"includes": {"caps": ["SYS_ADMIN"]}'), "3:23: expected caps such as CAP_SYS_ADMIN"),
        (rule('"excludes": {"minKernel": "4"}'), "3:27: expected a kernel as major.minor (4.8)"),
        (rule('"excludes": {"kernel": "4.8"}'), "3:14: expected a field of excludes"),
        (rule('"comment": "gofuzzsec: x"'), "3:12: expected provenance as key=value"),
        ('{"linux": {}}', "1:11: expected the field 'seccomp' in the configuration's linux"),
        ("null", "1:1: expected a seccomp profile as an object, found null"),
        (
            '{"defaultAction": "' + "x" * 99 + '"}',
            "1:19: expected defaultAction that is known, found '" + "x" * 60 + "…', which may be",
        ),
        ('{"linux": []}', "1:11: expected the configuration's linux as an object"),
    ],
)
def test_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "oci", "p.json")
    assert str(caught.value).startswith(f"p.json:{message}")


def test_a_rule_may_give_its_error_by_name_alone() -> None:
    text = '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS", "syscalls": null}'
    assert parse_profile(text, "oci").default_errno == 38
    assert parse_profile(text.replace("ENOSYS", "38"), "oci").default_errno == 38


def test_names_and_numbers_of_an_error_must_agree() -> None:
    text = '{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS", "defaultErrnoRet": 1}'
    with pytest.raises(ProfileError, match=r"found ENOSYS \(38\); remove one"):
        parse_profile(text, "oci")


def test_the_profile_inside_an_oci_configuration_is_read() -> None:
    inside = '{"defaultAction": "SCMP_ACT_LOG"}'
    found = parse_profile(f'{{"ociVersion": "1.2.0", "linux": {{"seccomp": {inside}}}}}', "oci")
    assert found == Profile(Action.LOG)
    assert found.left_out == ("the OCI configuration around the profile",)


def test_it_is_written_sorted_and_one_name_a_line() -> None:
    found = plain(["write", "read"], "amd64", Provenance((("tool", "gofuzzsec 1"), ("date", "x"))))
    assert write_profile(found, "oci").text == (
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "defaultErrnoRet": 1,\n'
        '  "architectures": [\n    "SCMP_ARCH_X86_64"\n  ],\n  "syscalls": [\n    {\n'
        '      "names": [\n        "read",\n        "write"\n      ],\n'
        '      "action": "SCMP_ACT_ALLOW",\n'
        '      "comment": "gofuzzsec: tool=gofuzzsec 1; date=x"\n    }\n  ]\n}\n'
    )


def test_every_field_is_written() -> None:
    text = write_profile(parse_profile(FULL, "oci"), "oci", strict=True).text
    assert parse_profile(text, "oci") == normal(parse_profile(FULL, "oci"))
    assert json.loads(text)["syscalls"][-1]["args"][0]["valueTwo"] == 1


def test_the_machines_own_architecture_needs_no_name() -> None:
    """runc does not know libseccomp's word for it, and filters it always."""
    text = write_profile(Profile(Action.LOG, architectures=("SCMP_ARCH_NATIVE",)), "oci").text
    assert "architectures" not in json.loads(text)
    given = '{"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_NATIVE"]}'
    assert write_profile(parse_profile(given, "oci"), "oci").text == text


def test_what_has_no_place_is_named() -> None:
    found = Profile(Action.LOG, name="x", provenance=Provenance((("tool", "t"),)))
    written = write_profile(found, "oci")
    assert [loss.partition(":")[0] for loss in written.losses] == ["the name 'x'", "the provenance"]
    with pytest.raises(ProfileError, match="expected nothing to be lost in oci, found: the name"):
        write_profile(found, "oci", strict=True)


@pytest.mark.parametrize(
    "profile",
    [
        Profile(Action.ALLOW, default_errno=1),
        Profile(Action.ERRNO, default_errno=4096),
        Profile(Action.ERRNO, rules=(Rule((), Action.ALLOW),)),
        Profile(Action.ERRNO, rules=(Rule(("read",), Action.LOG, errno=0),)),
        Profile(Action.ERRNO, architectures=("a",), arch_map=(ArchMap("a", ()),)),
        Profile(
            Action.ERRNO,
            rules=(Rule(("read",), Action.LOG),),
            provenance=Provenance((("Tool", "x"),)),
        ),
    ],
)
def test_what_cannot_be_said_is_an_error(profile: Profile) -> None:
    with pytest.raises(ProfileError, match=r"^expected .* found "):
        write_profile(profile, "oci")


def test_calls_whose_rules_dispute_stand_apart_in_their_order() -> None:
    rules = (
        Rule(("write", "open"), Action.ERRNO, 2),
        Rule(("read", "open"), Action.ALLOW),
        Rule(("close",), Action.ALLOW),
    )
    found = normal(Profile(Action.KILL_PROCESS, rules=rules)).rules
    assert [(r.names, r.action) for r in found] == [
        (("close", "read"), Action.ALLOW),
        (("write",), Action.ERRNO),
        (("open",), Action.ERRNO),
        (("open",), Action.ALLOW),
    ]


def test_files_are_read_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    with pytest.raises(ProfileError, match="expected a profile to read, found No such file"):
        read_profile(path)
    path.write_bytes(b"{\xff}")
    with pytest.raises(ProfileError, match="found another byte at offset 1"):
        read_profile(path)
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ProfileError, match=f"at most {MAX_BYTES} bytes"):
        read_profile(path)
    with pytest.raises(ProfileError, match=f"at most {MAX_BYTES} bytes"):
        parse_profile(" " * (MAX_BYTES + 1), "oci")
    with pytest.raises(ProfileError, match="expected one of the formats oci, operator"):
        parse_profile("", "json")


@pytest.mark.parametrize("form", FORMS)
def test_half_a_character_is_an_error(form: str) -> None:
    with pytest.raises(ProfileError, match=r"^x:2:3: expected whole characters"):
        parse_profile("# \n: \udc39", form, "x")


def test_the_form_is_guessed_from_the_content(tmp_path: Path) -> None:
    found = Profile(Action.ERRNO, 1, rules=(Rule(("read",), Action.ALLOW),), name="a")
    for form in ("oci", "operator", "systemd"):
        path = tmp_path / "profile"
        path.write_text(write_profile(found, form).text)
        assert read_profile(path).rules[0].action == Action.ALLOW


def test_podmans_default_is_read_as_well() -> None:
    found = read_profile(podman_default())
    assert found.default_errno == 38
    text = write_profile(found, "oci", strict=True).text
    assert write_profile(parse_profile(text, "oci"), "oci").text == text
    for arch in ("amd64", "arm64"):
        assert same_effect(resolve(found, arch), resolve(parse_profile(text, "oci"), arch), arch)


def test_names_come_from_the_published_tables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored = json.loads((Path(words.__file__).parent / "names.json").read_text())
    version = stored["source"].split()[1].rstrip(",")
    folder = module(f"golang.org/x/sys@{version}") / "unix"
    assert build(folder) == stored
    assert main([str(folder)]) == 0
    assert json.loads(capsys.readouterr().out) == stored
    assert main([]) == 2
    assert {"socketcall", "_llseek", "chown32", "set_tls"} <= words.known_calls()
    docker = json.loads(docker_default().read_text())
    assert {n for r in docker["syscalls"] for n in r["names"]} <= words.known_calls()
